"""The agent that a page is about: `/agents/{instance_id}/…`. Another account's agent is the 404 of none.

    async def page(request: Request, begun: BegunAgent, visitor: Looking, instance_id: str) -> Response:
        head = find(visitor, instance_id, begun)

`begun` stands before the visitor: the read runs while it is found out who asks, so that it costs no hop of its own.
"""

from concurrent.futures import Future
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from functions.console.reads import begin
from functions.console.visitor import Visitor
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
