"""What pytest leaves alone."""

collect_ignore = ["schemathesis_hooks.py"]  # schemathesis loads it, from a virtual environment of its own
