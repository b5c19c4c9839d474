"""Files that pytest does not collect."""

collect_ignore = ["client_python.py"]  # run by __main__.py, with the generated client
