"""`identity-os`, the command line for administration of accounts, keys and plans. Imports the service; nothing imports it."""
