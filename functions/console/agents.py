"""The agent that a page is about: `/agents/{instance_id}/…`. Another account's agent is the 404 of none.

    async def page(request: Request, begun: BegunAgent, visitor: Looking, instance_id: str) -> Response:
        head = find(visitor, instance_id, begun)

`begun` stands before the visitor: the read runs while it is found out who asks, so that it costs no hop of its own.
"""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from functions.console.reads import begin
from functions.console.visitor import Visitor
from identity_engine import DRIFT_LEVELS, MODE_INDEX, STRESS_STATES, Contract, State, contract
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
    """How an agent stands now: its head, its state, and the contract that follows. What pages show of it, in words."""

    head: Head
    state: State
    contract: Contract

    @classmethod
    def of(cls, head: Head) -> "Standing":
        """The standing of a stored agent."""
        state = head.state
        return cls(head, state, contract(state))

    @property
    def stress(self) -> str:
        """The stress state: LOW, MED, HIGH, OVER."""
        return STRESS_STATES[self.state.stress]

    @property
    def strength(self) -> float:
        """The strength that the stress state follows from."""
        return abs(self.state.strengths[MODE_INDEX["stress_response"]])

    @property
    def drift_level(self) -> str | None:
        """The drift level; None in the first cycles, and before the first report after a reset."""
        level = self.state.drift.last.level
        return None if level is None else DRIFT_LEVELS[level]

    @property
    def needs(self) -> Literal["escalated", "paused", ""]:
        """Whether it waits for a person: for a decision, or for a pause to end."""
        timing = self.contract.timing
        return "escalated" if timing.should_escalate else "paused" if timing.should_pause else ""

    @property
    def reason(self) -> str:
        """Why it waits, in words; empty while it does not."""
        timing = self.contract.timing
        return timing.escalation_reason or timing.pause_reason or ""
