"""`identity-os`, the command line for administration. One module for each noun; `main` puts their commands together.

Imports the service; nothing imports it.
"""
