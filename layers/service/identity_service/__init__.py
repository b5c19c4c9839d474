"""Code shared by all functions: app factory, HTTP, middleware, errors, principal, limits, store, settings.

This package imports the engine. The functions, the local server and the command line import this package, never the other way
round. The `store` package does not depend on HTTP. There are no re-exports: import from `identity_service.MODULE`.
"""
