"""`identity-os-guard hook`: the guard as a hook of Claude Code. JSON on stdin, JSON on stdout.

`identity-os-guard install claude-code` writes it into Claude Code's settings. There a thin client stands in front of it, which
asks the daemon (`--serve`); without one this module answers by itself. docs/integrations/claude-code.md.
"""

import argparse
import json
import logging
import os
import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from identity_os_sdk.commands import engine
from identity_os_sdk.errors import IdentityOSError, InvalidArgumentError
from identity_os_sdk.guard import Guard
from identity_os_sdk.integrations.claude_code import agent, client, session
from identity_os_sdk.integrations.claude_code.events import Session
from identity_os_sdk.integrations.claude_code.tools import guard_tools

log = logging.getLogger("identity_os_sdk.claude_code")

#: A person's editor waits for the engine: one try, and `on_unreachable` decides.
_PATIENCE = {"timeout": 2.0, "max_retries": 0}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `install` takes, too."""
    add = parser.add_argument
    add("--agent", metavar="NAME", help="the agent's name (default: one that follows from the project's folder)")
    engine.add_engine(parser)
    tasks = "fresh: each session is an agent of its own; none: one agent for all of them"
    usual = "fresh with local, none with the API, whose plans count agents"
    add("--tasks", choices=("fresh", "none"), help=f"{tasks} (default: {usual})")
    add("--tools", metavar="FILE", help='a JSON file of tools: {"mcp__github__*": "explore", "Bash(git push*)": "execute"}')
    engine.add_decisions(parser)
    add("--messages", action="store_true", help="report what the user and Claude say, too")
    add("--log", metavar="FILE", help="write a line of JSON for each event: the verdict, the reason, what was reported")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the hook."""
    parser.add_argument("event", nargs="?", choices=client.EVENTS, help="the event, for input that cannot be read")
    add_options(parser)
    parser.add_argument("--serve", metavar="SOCKET", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Answer the event on stdin, or serve."""
    logging.getLogger("identity_os_sdk").addHandler(logging.NullHandler())
    if options.serve:
        from identity_os_sdk.integrations.claude_code import daemon

        return daemon.serve(options.serve, _served)
    project = os.environ.get("CLAUDE_PROJECT_DIR", "")
    output, errors = answer(options, project, sys.stdin.buffer.read().decode(errors="replace"))
    sys.stderr.write(errors)
    sys.stdout.write(output)
    return 0


def _served(arguments: list[str], project: str, text: str) -> tuple[int, str, str]:
    return 0, *answer(_parsed(tuple(arguments)), project, text)


@lru_cache
def _parsed(arguments: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    try:
        return parser.parse_args(arguments)
    except SystemExit as error:  # what the thin client says then is the same, with the parser's words
        raise InvalidArgumentError(f"bad options: {' '.join(arguments)}") from error


def answer(options: argparse.Namespace, project: str, text: str) -> tuple[str, str]:
    """Output and errors for an event. Never raises: what breaks is decided by --on-unreachable."""
    name, broken = options.event or "", "allow" if options.mode == "observe" else options.on_unreachable
    try:
        event = json.loads(text)
        name = str(event["hook_event_name"])
        return json.dumps(_answered(options, project, event)) + "\n", ""
    except Exception as error:
        log.exception("an event could not be answered")
        why = f"{type(error).__name__}: {error}"
        failed = f"the guard failed ({error})" if isinstance(error, IdentityOSError) else "the guard failed"
        return client.without_engine(name, text, broken, failed), f"identity-os-guard: {why}\n"


def _answered(options: argparse.Namespace, project: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    where = options.engine or ("api" if os.environ.get("IDENTITY_OS_API_KEY") else "local")
    is_local, session_id = where != "api", str(event["session_id"])
    fresh = (options.tasks or ("fresh" if is_local else "none")) == "fresh"
    tools = _tools(options.tools)
    if event["hook_event_name"] == "SessionStart":
        session.forget_old()
    with session.opened(session_id, options.agent or "") as known:
        # A session stays one agent, wherever it goes: only Claude Code's own variable says which project it is.
        folder = project or event.get("cwd") or os.getcwd()
        who = known.setdefault("agent", agent.name_of(options.agent, folder, session_id, fresh=fresh))
        own = agent.SessionEngine(lambda: _engine(where), who, known, is_local=is_local)
        guard = Guard(own, who, guard_tools(tools), mode=options.mode, on_unreachable=options.on_unreachable, run=session_id)
        chosen = ["--engine", options.engine] if options.engine else []
        way_out = shlex.join(["identity-os-guard", "reset", *chosen, "--agent", who, "last_stable"])
        this = Session(guard, known, tools=tools, messages=options.messages, way_out=way_out)
        output = this.answer(event)
        this.keep()
    if options.log:
        _write_down(options.log, event, this, own.reports)
    return output


def _write_down(file: str, event: Mapping[str, Any], this: Session, reports: list[Any]) -> None:
    verdict = this.verdict
    line = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "session": event["session_id"],
        "agent": this.guard.instance_id,
        "event": event["hook_event_name"],
        "tool": verdict.tool if verdict else event.get("tool_name"),
        "call": event.get("tool_use_id"),
        "verdict": verdict and verdict.kind,
        "reason": verdict and verdict.reason,
        "would_have": dict(this.guard.would_have) or None,
        "stress": this.guard.contract.stress_state,
        "reports": reports,
    }
    text = json.dumps({name: value for name, value in line.items() if value not in (None, [], "")})
    with suppress(OSError), Path(file).open("a", encoding="utf-8") as log_file:
        log_file.write(f"{text}\n")


def _engine(where: str) -> Any:
    """The engine, kept open between events. A local one whose file was removed is begun anew, and not written to any more."""
    if where == "api":
        return _opened(where, 0)
    file = Path(where[6:]).expanduser() if where.startswith("local:") else engine.default_file()
    try:
        number = file.stat().st_ino
    except OSError:
        return _opened.__wrapped__(where, 0)
    return _opened(where, number)


@lru_cache(maxsize=8)
def _opened(where: str, _file: int) -> Any:
    return engine.open_engine(where, api=_PATIENCE, local={"timeout": 2.0})[0]


@lru_cache(maxsize=8)
def _tools_at(path: str, _changed: int) -> dict[str, Any]:
    return engine.read_tools(path)


def _tools(path: str | None) -> dict[str, Any]:
    """The caller's map, read again when the file was changed."""
    if path is None:
        return {}
    try:
        changed = Path(path).stat().st_mtime_ns
    except OSError as error:
        raise InvalidArgumentError(f"--tools {path}: {error.strerror}") from error
    return _tools_at(path, changed)
