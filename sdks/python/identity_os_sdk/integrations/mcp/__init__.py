"""MCP: a guard in front of any MCP server, and the API as an MCP server.

`gate` decides about messages, `relay` carries one conversation, `stdio`, `streamable` and `listen` are the transports of
`identity-os-guard mcp-proxy`. `server` is `identity-os-guard mcp-server`, the only module here that imports the package `mcp`
(`listen` imports starlette and uvicorn, which come with it).

    gate = Gate(guard)
    relay = Relay(gate, to_client, to_server)      # then relay.from_client(line) and relay.from_server(line)

Both generations of the protocol are spoken: a session with `initialize` (2025-11-25 and earlier), and requests that carry
version and capabilities themselves (2026-07-28).
"""

from .gate import Gate
from .relay import Relay

__all__ = ["Gate", "Relay"]
