"""The console: pages for the people behind the agents. Server-rendered; docs/console.md says how it is made.

Nothing of the API imports this package, and it calls no endpoint of the API: pages use the service's own use cases.
"""
