"""`identity-os-guard install claude-code`: write the hook into Claude Code's settings, or take it out.

It shows what would change as a diff, and asks first.
"""

import argparse
import difflib
import sys
from pathlib import Path

from identity_os_sdk.commands import engine, hook
from identity_os_sdk.errors import ConfigurationError, IdentityOSError, InvalidArgumentError
from identity_os_sdk.integrations.claude_code import settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("program", choices=("claude-code",), metavar="claude-code", help="where to install the hook")
    where = parser.add_mutually_exclusive_group()
    for name, file, whose in (
        ("project", ".claude/settings.json", "of this folder (default)"),
        ("local", ".claude/settings.local.json", "of this folder, for you alone"),
        ("user", "~/.claude/settings.json", "of all your projects"),
    ):
        where.add_argument(f"--{name}", dest="file", action="store_const", const=file, help=f"{file}, {whose}")
    parser.set_defaults(file=".claude/settings.json")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--uninstall", action="store_true", help="take the hook out")
    hook.add_options(parser.add_argument_group("options of the hook"))  # type: ignore[arg-type]


def run(options: argparse.Namespace) -> int:
    """Change the settings; the exit code is 1 when they were left as they are although something was to do."""
    file = Path(options.file).expanduser()
    before = _read(file)
    try:
        if options.uninstall:
            after = settings.without(before) if before.strip() else before
        else:
            broken = "allow" if options.mode == "observe" else options.on_unreachable
            after = settings.installed(before, _hook_options(options), broken)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    if after == before:
        print(f"{file}: nothing to do")
        return 0
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(file), str(file), lineterm="")
    print("\n".join(lines))
    if not (options.yes or _agreed(file)):
        print("nothing was changed")
        return 1
    try:
        settings.write(file, after)
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror or error}") from error
    state = "are not guarded" if options.uninstall else "are guarded"
    print(f"{file}: written. Sessions of Claude Code that begin from now on {state}.")
    if options.file == ".claude/settings.json" and not options.uninstall:
        print("It names the Python of this machine: whoever shares the file needs --local or --user instead.")
    return 0


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: not UTF-8, so nothing was changed") from error
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror or error}") from error


def _agreed(file: Path) -> bool:
    if not sys.stdin.isatty():
        raise InvalidArgumentError(f"{file}: this is no terminal to ask in; --yes writes without a question")
    return input(f"Write {file}? [y/N] ").strip().lower() in ("y", "yes")


def _hook_options(options: argparse.Namespace) -> list[str]:
    """The hook's options as words, with whole paths: a hook runs in any folder. What cannot work is said now."""
    try:
        engine.read_tools(options.tools)
    except IdentityOSError as error:
        raise InvalidArgumentError(str(error)) from error
    words = []
    for name in ("agent", "engine", "tasks", "tools", "log"):
        value = getattr(options, name)
        if name in ("tools", "log") and value:
            value = str(Path(value).expanduser().absolute())
        if name == "engine" and value and value.startswith("local:"):
            value = f"local:{Path(value[6:]).expanduser().absolute()}"
        if name == "engine" and value and value not in ("api", "local") and not value.startswith("local:"):
            raise InvalidArgumentError(f"--engine {value}: local, local:FILE or api")
        words += [f"--{name}", value] if value else []
    for name, usual in (("mode", "enforce"), ("on_unreachable", "safe")):
        if getattr(options, name) != usual:
            words += [f"--{name.replace('_', '-')}", getattr(options, name)]
    return [*words, "--messages"] if options.messages else words
