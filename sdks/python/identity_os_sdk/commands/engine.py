"""The options that say which agent a command guards, and where its engine is; and the guard that they make."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from identity_os_sdk.client import IdentityOS
from identity_os_sdk.errors import (
    ConfigurationError,
    ConnectionFailedError,
    InvalidArgumentError,
    RateLimitError,
    ServerError,
)
from identity_os_sdk.guard import Guard
from identity_os_sdk.tools import ToolPolicy

log = logging.getLogger("identity_os_sdk.guard")

#: A tool call waits for the engine, so that it gets little time; `on_unreachable` decides after it.
_PATIENCE: Mapping[str, Any] = {"timeout": 3.0, "max_retries": 1, "longest_wait": 1.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --agent, --engine, --tools, --mode, --on-unreachable and --report."""
    parser.add_argument("--agent", default="mcp-host", metavar="NAME", help="the agent's name (default: %(default)s)")
    add_engine(parser)
    parser.add_argument("--tools", metavar="FILE", help='a JSON file of tools: {"search_*": "explore", "refund": "execute"}')
    add_decisions(parser)
    parser.add_argument(
        "--report",
        choices=("await", "background"),
        default="await",
        help="background: a result does not wait for its report, and the contract is one step behind (default: await)",
    )


def add_decisions(parser: argparse.ArgumentParser) -> None:
    """Add --mode and --on-unreachable."""
    parser.add_argument(
        "--mode", choices=("enforce", "observe"), default="enforce", help="observe lets all calls through (default: enforce)"
    )
    parser.add_argument(
        "--on-unreachable",
        choices=("safe", "deny", "allow"),
        default="safe",
        help="what holds while the engine does not answer (default: safe)",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add --engine."""
    parser.add_argument(
        "--engine",
        metavar="local[:FILE]|api",
        help="the engine in this process over one file, or the API (IDENTITY_OS_BASE_URL, IDENTITY_OS_API_KEY); "
        "default: the API if there is a key, else local",
    )


def default_file() -> Path:
    """The file of the engine in this process, where this system keeps a user's data."""
    if sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    elif sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return folder / "identity-os" / "agents.db"


def open_engine(
    name: str | None, *, api: Mapping[str, Any] = _PATIENCE, local: Mapping[str, Any] | None = None
) -> tuple[Any, str]:
    """The client or LocalEngine that --engine names, and a word on it for the log. `api`, `local`: options of either."""
    name = name or ("api" if os.environ.get("IDENTITY_OS_API_KEY") else "local")
    if name == "api":
        client = IdentityOS(**api)
        return client, repr(client)
    kind, _, path = name.partition(":")
    if kind != "local":
        raise InvalidArgumentError(f"--engine {name}: local, local:FILE or api")
    from identity_os_sdk.local import LocalEngine

    file = Path(path).expanduser() if path else default_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"{file.parent}: {error.strerror or error}") from error
    return LocalEngine(str(file), **(local or {})), str(file)


def open_guard(options: argparse.Namespace) -> tuple[Guard, str]:
    """The guard of the agent, and a word on its engine. An API that does not answer yet is asked again later."""
    engine, where = open_engine(options.engine)
    given: dict[str, Any] = {
        "tools": read_tools(options.tools),
        "mode": options.mode,
        "on_unreachable": options.on_unreachable,
        "report": options.report,
    }
    try:
        return Guard.open(engine, options.agent, **given), where
    except (ConnectionFailedError, ServerError, RateLimitError) as error:
        if isinstance(engine, IdentityOS):
            log.warning("the engine does not answer yet (%s)", error)
            return Guard(_Later(engine, options.agent), options.agent, **given), where
        raise


def read_tools(path: str | None) -> dict[str, Any]:
    """The map of a file: patterns to an action, or to {"action": ..., "outside": ..., "plan": ...}."""
    if path is None:
        return {}
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidArgumentError(f"--tools {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InvalidArgumentError(f"--tools {path}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidArgumentError(f'--tools {path}: an object such as {{"search_*": "explore"}}')
    return {pattern: _policy(path, pattern, policy) for pattern, policy in found.items()}


def _policy(path: str, pattern: str, policy: Any) -> Any:
    if not isinstance(policy, dict):
        return policy
    try:
        return ToolPolicy(**policy)
    except TypeError as error:
        raise InvalidArgumentError(f"--tools {path}: {pattern}: action, and perhaps outside and plan; not {policy}") from error


class _Later:
    """The engine of an agent that could not be opened yet: each request tries."""

    def __init__(self, client: IdentityOS, name: str) -> None:
        self._client, self._name = client, name
        self._id: str | None = None

    def process(self, _instance_id: str, **report: Any) -> Any:
        """As Engine.process."""
        return self._client.engine.process(self._opened(), **report)

    def get_contract(self, _instance_id: str) -> Any:
        """As Engine.get_contract."""
        return self._client.engine.get_contract(self._opened())

    def _opened(self) -> str:
        if self._id is None:
            self._id = self._client.instances.open(self._name).id
        return self._id
