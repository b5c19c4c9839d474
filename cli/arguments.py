"""What the commands' arguments have in common: how commands are added, and the types of values."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

#: Where commands are added. A string, because argparse's class has no type parameter when the program runs.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def noun(commands: Commands, name: str, about: str) -> Commands:
    """Add a noun, such as `accounts`, and return where its commands are added."""
    parser = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    return parser.add_subparsers(required=True, title="commands", metavar="COMMAND")


def command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int | None], about: str, more: str = ""
) -> argparse.ArgumentParser:
    """Add a command. `about` is its line in the list of commands, `more` what its own --help says after that line."""
    description = f"{about[0].upper()}{about[1:]}.{' ' if more else ''}{more}"
    parser = commands.add_parser(name, help=about, description=description)
    parser.set_defaults(command=run)
    return parser


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def seconds(text: str) -> float:
    """A time of at most an hour."""
    number = float(text)
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError("must be 0 to 3600")
    return number
