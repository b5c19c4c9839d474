"""A tool call on its way, the steps that it can take, and the question that a person is asked about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...guard import Verdict
from ...observer import digest
from . import messages as m

_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "decision": {
            "type": "string",
            "title": "Decision",
            "description": "approve lets this one call through, refuse tells the model so",
            "enum": ["approve", "refuse"],
        }
    },
    "required": ["decision"],
}
#: Characters of a call's arguments that a person is shown.
_SHOWN: Final = 1_000


@dataclass
class Client:
    """Who calls: its name, and what it said that it can do."""

    name: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, initialize: Mapping[str, Any]) -> "Client":
        """The client that sent an `initialize`."""
        about, can = m.params(initialize).get("clientInfo"), m.params(initialize).get("capabilities")
        return cls(str(about.get("name", "")) if isinstance(about, dict) else "", can if isinstance(can, dict) else {})

    @property
    def can_ask(self) -> bool:
        """Whether it can show a person a form. An empty capability stands for the form."""
        asks = self.capabilities.get("elicitation")
        return isinstance(asks, dict) and (not asks or "form" in asks)


@dataclass
class Call:
    """A tool call on its way. `raw` is what goes to the server."""

    message: dict[str, Any]
    raw: bytes
    client: Client
    call_id: str
    cancelled: bool = False

    @property
    def name(self) -> str:
        """The tool."""
        return str(m.params(self.message).get("name", ""))

    @property
    def arguments(self) -> Any:
        """What the tool is called with."""
        return m.params(self.message).get("arguments")

    @property
    def subject(self) -> str:
        """Stands for tool and arguments, to know the same call again."""
        return digest([self.name, self.arguments])


@dataclass(frozen=True)
class Forward:
    """Pass the call on to the server."""

    call: Call


@dataclass(frozen=True)
class Answer:
    """Answer the client; the server hears nothing of it."""

    raw: bytes


@dataclass(frozen=True)
class Ask:
    """Send the client `question`, a request of id `question_id`, and give its answer to `decided`."""

    call: Call
    question_id: str
    question: bytes


Step = Forward | Answer | Ask


def question(call: Call, verdict: Verdict) -> dict[str, Any]:
    """The params of an elicitation: what the agent wants to call, with what, and why it waits."""
    given = json.dumps(call.arguments, ensure_ascii=False, default=str)
    shown = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}... ({len(given)} characters)"
    text = f"The agent wants to call {call.name}, which waits for you: {verdict.reason}. Approve this one call?\n{shown}"
    return {"message": text, "requestedSchema": _SCHEMA}
