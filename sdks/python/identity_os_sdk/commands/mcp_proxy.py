"""`identity-os-guard mcp-proxy`: the guard in front of any MCP server, without a line of code.

    identity-os-guard mcp-proxy --agent support-bot -- python shop.py
    identity-os-guard mcp-proxy --agent support-bot --url https://example.com/mcp

The host starts this instead of the server. stdout belongs to the protocol; what people should know goes to stderr.
"""

import argparse
import asyncio
import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from identity_os_sdk.commands import engine
from identity_os_sdk.errors import ConfigurationError, InvalidArgumentError
from identity_os_sdk.guard import Guard

log = logging.getLogger("identity_os_sdk.mcp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the proxy."""
    engine.add_arguments(parser)
    parser.add_argument("--url", help="a server over Streamable HTTP, instead of a command")
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a header for --url, such as 'Authorization: Bearer ${TOKEN}'; ${TOKEN} is taken from the environment",
    )
    parser.add_argument("--listen", metavar="HOST:PORT", help="with --url: serve HTTP instead of stdio")
    parser.add_argument("--no-notes", action="store_true", help="do not tell the model, in a result, when what is held changes")
    parser.add_argument("--explain", action="store_true", help="list the server's tools and the action of each, and end")
    parser.add_argument("command_of_server", nargs="*", metavar="COMMAND", help="after --: the server to start")


def run(options: argparse.Namespace) -> int:
    """Carry messages until the server or the host ends."""
    command, headers = options.command_of_server, _headers(options.header)
    if bool(command) == bool(options.url):
        raise InvalidArgumentError("give a server: a command after --, or --url")
    if options.listen and not options.url:
        raise InvalidArgumentError("--listen needs --url: a server over stdio serves one host")
    _log_to_stderr()
    guard, where = engine.open_guard(options)
    if options.explain:
        return asyncio.run(_explain(guard, command, options.url, headers))
    from identity_os_sdk.integrations.mcp import Gate, stdio

    log.info("agent %s, engine %s, %s", options.agent, where, options.mode)
    _tell(guard, options)
    gate = Gate(guard, notes=not options.no_notes)
    try:
        if options.listen:
            return _listen(gate, options, headers)
        if options.url:
            return asyncio.run(stdio.to_url(gate, options.url, headers))
        return asyncio.run(stdio.to_command(gate, command))
    except KeyboardInterrupt:
        return 130
    finally:
        if options.mode == "observe" and guard.would_have:
            log.info("would have held: %s", ", ".join(f"{what} {times}" for what, times in sorted(guard.would_have.items())))


def _listen(gate: Any, options: argparse.Namespace, headers: Mapping[str, str]) -> int:
    host, _, port = options.listen.rpartition(":")
    if not port.isdigit():
        raise InvalidArgumentError(f"--listen {options.listen}: HOST:PORT, such as 127.0.0.1:8100")
    try:
        from identity_os_sdk.integrations.mcp import listen
    except ImportError as error:
        raise ConfigurationError("--listen needs the extra: pip install 'identity-os-sdk[mcp]'") from error
    listen.serve(gate, options.url, headers, host.strip("[]") or "127.0.0.1", int(port))
    return 0


def _headers(given: list[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, colon, value = each.partition(":")
        if not (colon and name.strip()):
            raise InvalidArgumentError("--header: 'NAME: VALUE'")
        found[name.strip()] = re.sub(r"\$\{(\w+)\}", _of_environment, value.strip())
    return found


def _of_environment(found: re.Match[str]) -> str:
    value = os.environ.get(found[1])
    if value is None:
        raise InvalidArgumentError(f"--header: ${{{found[1]}}} is not in the environment")
    return value


def _log_to_stderr() -> None:
    logger = logging.getLogger("identity_os_sdk")
    logger.setLevel(logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("identity-os-guard: %(message)s"))
    logger.addHandler(handler)
    # The client's own lines about requests and responses are at DEBUG; httpx says each of them at INFO.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _tell(guard: Guard, options: argparse.Namespace) -> None:
    """What people should know goes to the log, which most hosts keep."""
    chosen = f" --engine {options.engine}" if options.engine else ""

    def held(about: Mapping[str, Any]) -> None:
        log.info("%s %s: %s", about["event"], about["tool"], about["reason"])
        if about["event"] == "paused" or guard.contract.should_escalate:
            log.info("to let the agent go on: identity-os-guard reset%s --agent %s last_stable", chosen, options.agent)

    def stress(about: Mapping[str, Any]) -> None:
        log.info("stress %s -> %s", about["before"], about["after"])

    guard.on("denied", held)
    guard.on("paused", held)
    guard.on("stress", stress)


async def _explain(guard: Guard, command: list[str], url: str | None, headers: Mapping[str, str]) -> int:
    """Print the map, so that a person sees it before anything is blocked."""
    try:
        import httpx2
        from mcp import Client, StdioServerParameters
        from mcp.client.streamable_http import streamable_http_client
    except ImportError as error:
        raise ConfigurationError("--explain needs the extra: pip install 'identity-os-sdk[mcp]'") from error
    from identity_os_sdk.integrations.mcp import Gate, stdio

    gate = Gate(guard)
    if url:
        target: Any = streamable_http_client(url, http_client=httpx2.AsyncClient(headers=dict(headers)))
    else:
        target = StdioServerParameters(command=command[0], args=command[1:], env=stdio.environment())
    names: list[str] = []
    async with Client(target) as client:
        cursor = None
        while True:
            page = (await client.list_tools(cursor=cursor)).model_dump(by_alias=True, exclude_none=True)
            names += [tool["name"] for tool in page["tools"]]
            cursor = gate.learn(page)
            if cursor is None:
                break
    guard.prompt()  # reads the contract, for the column of what is allowed now
    print(guard.explain_tools(names))
    return 0
