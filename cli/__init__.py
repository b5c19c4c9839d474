"""`identity-os`, the administration of accounts, keys and plans. Imports the service; nothing imports it."""
