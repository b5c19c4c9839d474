"""`identity-os-guard mcp-server`: the API as an MCP server over stdio, for a model that should know its own contract.

identity-os-guard mcp-server --agent support-bot
"""

import argparse
import asyncio
import logging

from identity_os_sdk.client import IdentityOSAsync
from identity_os_sdk.errors import ConfigurationError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the server."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--agent", metavar="NAME", help="the agent's name")
    which.add_argument("--instance", metavar="ID", help="the agent's id")
    parser.add_argument(
        "--operator",
        action="store_true",
        help="offer rebaseline and reset, too; the key must be an operator's, and the host must not be the agent's own",
    )


def run(options: argparse.Namespace) -> int:
    """Serve over stdio until the host leaves. IDENTITY_OS_BASE_URL and IDENTITY_OS_API_KEY say which API."""
    try:
        from identity_os_sdk.integrations.mcp.server import build
    except ImportError as error:
        raise ConfigurationError("mcp-server needs the extra: pip install 'identity-os-sdk[mcp]'") from error
    logging.getLogger("httpx").setLevel(logging.WARNING)
    client = IdentityOSAsync(timeout=15.0, max_retries=2, longest_wait=5.0)
    server = build(client, agent=options.agent, instance_id=options.instance, operator=options.operator)
    try:
        asyncio.run(server.run_stdio_async())
    except KeyboardInterrupt:
        return 130
    return 0
