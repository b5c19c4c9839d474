"""What a recorded run is, whatever the format that it was recorded in. Readers make it, `play` puts it through the guard."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Said:
    """A message. `tone`: a person is heated, or the agent refuses, where the recording tells."""

    by: Literal["person", "agent"]
    text: str = ""
    tone: Literal["plain", "heated", "refusing"] = "plain"


@dataclass(frozen=True, slots=True)
class Called:
    """The agent called a tool. `call_id` is unique in its run; readers make one where the recording has none."""

    tool: str
    arguments: Any
    call_id: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call brought. `error` is None for a call that worked; `rule` names what decided so."""

    call_id: str
    result: Any = None
    error: str | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """An observation that was reported to the engine, from a history of ours. `mode` is a constant such as ORDER."""

    mode: str
    strength: float
    confidence: float = 1.0
    incident: bool = False
    rule: str = "reported"
    tool: str = ""


@dataclass(frozen=True, slots=True)
class StateSet:
    """A state that no observation led to, from an audit trail of ours: a birth, a reset. `state`: the engine's text of it."""

    kind: str
    state: str


Step = Said | Called | Returned | Reported | StateSet


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one agent on one task, its steps in the order in which they happened.

    `agent`: runs of the same agent share it. `task`: what it was asked to do; runs of one task share it. `succeeded`: as the
    recording judges, None where it does not. `attacked`: an injected instruction was in a result, None where nobody knows.
    `source`: the file, and the line or place in it.
    """

    id: str
    agent: str
    task: str
    steps: tuple[Step, ...]
    succeeded: bool | None = None
    attacked: bool | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read: where, and why. The rest of the file is read on."""

    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"
