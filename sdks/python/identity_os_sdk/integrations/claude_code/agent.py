"""Which agent a session of Claude Code is, and its engine, which is opened when it is first asked."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import NotFoundError


def name_of(chosen: str | None, project: str, session_id: str, *, fresh: bool) -> str:
    """The agent's name: the chosen one, or that of the project. `fresh`: each session is an agent of its own."""
    name = chosen or of_project(project)
    short = re.sub(r"[^\w-]", "", session_id)[:8] or hashlib.sha256(session_id.encode()).hexdigest()[:8]
    return f"{name[:90]} {short}" if fresh else name


def of_project(project: str) -> str:
    """A name for the agent of a folder: folders of one name are told apart."""
    folder = Path(project).resolve()
    return f"claude-code {folder.name[:60]} {hashlib.sha256(str(folder).encode()).hexdigest()[:6]}"


class SessionEngine:
    """The engine as a guard wants it, of the agent of a name. What fails here, `on_unreachable` decides about.

    `known["instance_id"]` keeps the agent's id, so that an event costs no search. `reports` are those that were taken.
    """

    def __init__(self, opened: Callable[[], Any], name: str, known: dict[str, Any], *, is_local: bool) -> None:
        self.is_local, self.reports = is_local, list[Any]()
        self._opened, self._name, self._known = opened, name, known

    def process(self, _name: str, **report: Any) -> Any:
        """As Engine.process."""
        done = self._ask("process", **report)
        self.reports.append([report["mode_target"].value, report["signal_strength"]])
        return done

    def get_contract(self, _name: str) -> Any:
        """As Engine.get_contract."""
        return self._ask("get_contract")

    def _ask(self, method: str, **given: Any) -> Any:
        client = self._opened()
        engine = client if self.is_local else client.engine
        if self._known.get("instance_id"):
            try:
                return getattr(engine, method)(self._known["instance_id"], **given)
            except NotFoundError:  # somebody deleted it: begin anew
                del self._known["instance_id"]
        found = client.open(self._name) if self.is_local else client.instances.open(self._name).id
        self._known["instance_id"] = found
        return getattr(engine, method)(found, **given)
