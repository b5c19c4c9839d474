"""`identity-os-guard`: the guard for agents that need no code of their own.

Each subcommand is a module with `add_arguments(parser)` and `run(options) -> int`, the exit code. What goes wrong in a way that
the user can mend is raised as IdentityOSError and printed in one line.
"""

import argparse
import sys
from importlib import import_module

from identity_os_sdk.errors import IdentityOSError

#: The subcommands: name, module beside this one, what it does.
COMMANDS = (
    ("replay", "replay", "play recorded runs through guard and engine: what would have been held, and why"),
    ("mcp-proxy", "mcp_proxy", "stand in front of an MCP server, and hold the tool calls that the contract holds"),
    ("mcp-server", "mcp_server", "offer an agent's contract, history and audit trail as an MCP server"),
    ("hook", "hook", "answer Claude Code's hooks: hold the tool calls that the contract holds"),
    ("install", "install", "write the hook into Claude Code's settings, or take it out"),
    ("reset", "reset", "decide about an agent that is held, so that it goes on"),
)


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="identity-os-guard", description="The guard of Identity OS as a command.")
    chosen = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    asked = next((word for word in given if not word.startswith("-")), None)
    run = None
    for name, module, what in COMMANDS:
        subparser = chosen.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        if name == asked:
            command = import_module(f"identity_os_sdk.commands.{module}")
            command.add_arguments(subparser)
            run = command.run
    options = parser.parse_args(given)
    if run is None:
        return 2
    try:
        return int(run(options))
    except IdentityOSError as error:
        print(f"identity-os-guard: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
