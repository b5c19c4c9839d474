"""Files that pytest does not collect."""

collect_ignore = ["schemathesis_hooks.py"]  # loaded by schemathesis, in its own virtual environment
