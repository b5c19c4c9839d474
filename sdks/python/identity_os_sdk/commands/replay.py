"""`identity-os-guard replay FILES`: recorded runs through guard and engine, before anything is held. docs/replay.md.

Needs the extra `replay`. Nothing of it is imported before it is asked for, so that --help works without.

The exit code is 0 if a run was played, whatever could not be read beside it; 1 if nothing could be read.
"""

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from identity_os_sdk.errors import ConfigurationError, InvalidArgumentError
from identity_os_sdk.observer import rules_with
from identity_os_sdk.tools import ToolMap, ToolPolicy

if TYPE_CHECKING:
    from identity_os_sdk.replay import Settings
    from identity_os_sdk.replay.summary import Summary

#: As in `replay.readers.FORMATS`, which needs the extra.
FORMATS = ("history", "otel", "tau", "agentdojo", "jsonl", "langchain", "openai")
#: Runs on the page of --html, and in the list of the terminal.
_ON_PAGE, _LISTED = 200, 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="files or folders; .gz is read as it is")
    add("--format", choices=FORMATS, help="default: each file's own, told from its content")
    add("--tools", type=Path, metavar="FILE", help='JSON: what each tool needs, such as {"search_*": "explore"}')
    add("--tasks", choices=("fresh", "carry", "none"), default="fresh", help="an agent for each run (default), or one for all")
    add("--messages", action="store_true", help="report messages of people and agents, too")
    add("--agent-by", choices=("recording", "file", "folder", "one"), default="recording", help="whose run it is")
    add("--persona", metavar="ID", help="the persona that agents are born with")
    add("--rule", action="append", default=[], metavar="NAME=STRENGTH", help="another strength, such as failed=0.65")
    add("--error-pattern", metavar="REGEX", help="a result in which this is found is an error; instead of the rules of text")
    add("--limit", type=int, metavar="N", help="play the first N runs only")
    add("--json", metavar="FILE", help="write the summary as JSON; - is standard output")
    add("--html", type=Path, metavar="FILE", help="write a page with the runs' timelines")


def run(options: argparse.Namespace) -> int:
    """Replay, and print the summary; the exit code."""
    tools, rules = _tools(options.tools), _rules(options.rule)
    if options.limit is not None and options.limit < 1:
        raise InvalidArgumentError("--limit: a number from 1 on")
    try:
        from identity_os_sdk.replay import Settings
        from identity_os_sdk.replay.readers import ErrorRules
        from identity_os_sdk.replay.summary import Summary
        from identity_os_sdk.replay.terminal import print_summary

        if options.html:
            # What is missing is said before anything is played.
            import_module("identity_os_sdk.replay.html")
    except (ImportError, ConfigurationError) as error:
        raise ConfigurationError("replay needs more: pip install 'identity-os-sdk[replay]'") from error
    settings = Settings(tools=tools, tasks=options.tasks, messages=options.messages, persona=options.persona, rules=rules)
    summary = Summary(ToolMap(settings.tools, settings.default), keep=_ON_PAGE if options.html else _LISTED)
    errors = ErrorRules.of(options.error_pattern)
    with _quiet() as logged:
        _play(options, settings, errors, summary)
    if not summary.runs:
        for problem in summary.problems:
            print(f"identity-os-guard: {problem}", file=sys.stderr)
        print("identity-os-guard: no run could be read", file=sys.stderr)
        return 1
    _write(options, summary)
    if options.json != "-":
        print_summary(summary, _LISTED, logged)
    return 0


def _play(options: argparse.Namespace, settings: "Settings", errors: Any, summary: "Summary") -> None:
    from identity_os_sdk.replay import play
    from identity_os_sdk.replay.readers import read
    from identity_os_sdk.replay.terminal import progress

    with progress(options.files) as advance:
        runs = read(
            options.files,
            options.format,
            problem=summary.problem,
            rules=errors,
            agent_by=options.agent_by,
            recognised=lambda _, name: summary.formats.update([name]),
            progress=advance,
        )
        for played in play(islice(runs, options.limit), settings):
            summary.add(played)


def _write(options: argparse.Namespace, summary: "Summary") -> None:
    """The files that were asked for."""
    try:
        if options.json:
            text = json.dumps(summary.as_dict(), indent=1)
            with nullcontext(sys.stdout) if options.json == "-" else open(options.json, "w", encoding="utf-8") as file:
                print(text, file=file)
        if options.html:
            html = import_module("identity_os_sdk.replay.html")

            names = ", ".join(str(path) for path in options.files[:3])
            more = f" and {len(options.files) - 3} more" if len(options.files) > 3 else ""
            html.write(options.html, summary, [each.played for each in summary.kept()], title=f"Replay of {names}{more}")
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {error.strerror}") from error


def _tools(path: Path | None) -> dict[str, Any]:
    """The tool map of a file: patterns to an action, or to {"action", "outside", "plan"}."""
    if path is None:
        return {}
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"--tools {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"--tools {path}: not JSON: {error}") from error
    if not isinstance(given, dict):
        raise ConfigurationError(f'--tools {path}: an object, such as {{"search_*": "explore"}}')
    tools = {}
    for pattern, policy in given.items():
        about = policy if isinstance(policy, dict) else {"action": policy}
        if set(about) - {"action", "outside", "plan"} or not isinstance(about.get("action"), str):
            raise ConfigurationError(f"--tools {path}: {pattern!r}: an action, or action and if need be outside and plan")
        tools[pattern] = ToolPolicy(**about)
    ToolMap(tools)
    return tools


def _rules(given: list[str]) -> dict[str, float]:
    strengths = {}
    for each in given:
        name, _, strength = each.partition("=")
        try:
            strengths[name] = float(strength)
        except ValueError:
            raise InvalidArgumentError(f"--rule {each!r}: NAME=STRENGTH, such as failed=0.65") from None
    rules_with(strengths)
    return strengths


@contextmanager
def _quiet() -> Iterator[Counter[str]]:
    """Counts what the guard logs, by message, instead of letting it run over the terminal."""
    logged: Counter[str] = Counter()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: logged.update([str(record.msg)])  # type: ignore[method-assign]
    logger = logging.getLogger("identity_os_sdk")
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield logged
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
