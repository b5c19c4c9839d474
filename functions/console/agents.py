"""The agent that a page is about: `/agents/{instance_id}/…`. Another account's agent is the 404 of none.

    async def page(request: Request, begun: BegunAgent, visitor: Looking, instance_id: str) -> Response:
        head = find(visitor, instance_id, begun)

`begun` stands before the visitor: the read runs while it is found out who asks, so that it costs no hop of its own.
"""

import json
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from functions.console.reads import begin
from functions.console.visitor import Visitor
from identity_service.engines import Engine, engine
from identity_service.store import instances
from identity_service.store.instances import Head


async def _begun(request: Request, instance_id: str) -> "Future[Head | None] | None":
    return begin(request, lambda account_id: instances.get(account_id, instance_id))


#: The read of the agent's head, begun. Only `find` looks at it, after the visitor was let in.
BegunAgent = Annotated[Any, Depends(_begun)]


def find(visitor: Visitor, instance_id: str, begun: "Future[Head | None] | None" = None) -> Head:
    """The visitor's agent. HTTPException 404 when their account has no such agent."""
    head = begun.result() if begun else instances.get(visitor.account_id, instance_id)
    if head is None:
        raise HTTPException(404)
    return head


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agent stands, or stood, as the engine that decided for it sees it. What pages show of it, in words."""

    head: Head
    #: The engine that decided.
    engine: Engine
    #: The state, as canonical JSON.
    encoded: str
    #: The contract, as the API has it.
    contract: dict[str, Any]
    #: The last cycle in a few figures: stress_strength, drift_level, drift_distance, paused, escalated ...
    turn: dict[str, Any]

    @classmethod
    def of(cls, head: Head) -> "Standing":
        """How it stands now."""
        return cls.after(head, head.engine_version, head.encoded)

    @classmethod
    def after(cls, head: Head, version: str, encoded: str) -> "Standing":
        """How it stood in one of its states, under the engine of then."""
        decided = engine(version)
        return cls(head, decided, encoded, decided.contract(json.loads(encoded)), decided.turn(json.loads(encoded)))

    def state(self) -> dict[str, Any]:
        """The state, parsed anew at each call: an engine takes over what it is given."""
        parsed: dict[str, Any] = json.loads(self.encoded)
        return parsed

    @property
    def stress(self) -> str:
        """The stress state: LOW, MED, HIGH, OVER."""
        return str(self.contract["stress_state"])

    @property
    def needs(self) -> Literal["escalated", "paused", ""]:
        """Whether it waits for a person: for a decision, or for a pause to end."""
        return "escalated" if self.contract["should_escalate"] else "paused" if self.contract["should_pause"] else ""

    @property
    def reason(self) -> str:
        """Why it waits, in words; empty while it does not."""
        return self.contract["escalation_reason"] or self.contract["pause_reason"] or ""
