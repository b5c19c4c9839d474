"""What every function shares: app factory, envelope, errors, principal, limits, store, settings.

Imports the engine and is imported by the functions, the local edge and the command line; never the other way round. The store
below knows no HTTP. Each module is its own public face: import from `identity_service.MODULE`.
"""
