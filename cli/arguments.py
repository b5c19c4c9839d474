"""What the commands' arguments have in common: how a command is added, arguments that many have, and types of values."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

#: Where commands are added. A string, because argparse's class has no type parameter when the program runs.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

#: Most characters of a name, as for an instance's name in the API.
_LONGEST_NAME = 100


class BadArgument(Exception):
    """An argument that is refused; the message is the one line that the user reads."""


def noun(commands: Commands, name: str, about: str, more: str = "") -> Commands:
    """Add a noun, such as `accounts`, and return where its commands are added."""
    parser = commands.add_parser(name, help=about, description=_description(about, more))
    return parser.add_subparsers(required=True, title="commands", metavar="COMMAND")


def command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int | None], about: str, more: str = ""
) -> argparse.ArgumentParser:
    """Add a command. `about` is its line in the list of commands, `more` what its own --help says after that line."""
    parser = commands.add_parser(name, help=about, description=_description(about, more))
    parser.set_defaults(command=run)
    return parser


def _description(about: str, more: str) -> str:
    return f"{about[0].upper()}{about[1:]}.{' ' if more else ''}{more}"


def account(parser: argparse.ArgumentParser) -> None:
    """Add the argument ACCOUNT."""
    parser.add_argument("account", metavar="ACCOUNT", help="an account's id, acct_…; `accounts list` shows it")


def instance(parser: argparse.ArgumentParser) -> None:
    """Add the arguments ACCOUNT and INSTANCE."""
    account(parser)
    parser.add_argument("instance", metavar="INSTANCE", help="an instance's id, inst_…; `instances list ACCOUNT` shows it")


def name(text: str) -> str:
    """A name that can be printed on one line. BadArgument."""
    text = text.strip()
    if not text:
        raise BadArgument("the name is empty")
    if not text.isprintable():
        raise BadArgument("the name holds a control character, such as a line break or an escape")
    if len(text) > _LONGEST_NAME:
        raise BadArgument(f"the name has {len(text)} characters: at most {_LONGEST_NAME} are allowed")
    return text


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def seconds(text: str) -> float:
    """A time of at most an hour."""
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError("must be a number of seconds, 0 to 3600")
    return number
