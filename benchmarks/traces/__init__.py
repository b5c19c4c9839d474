"""`make bench-traces`: recorded runs of other people's agents through observer, guard and engine, as one table."""
