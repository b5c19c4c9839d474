"""Creating an agent from a page: the name that was typed, the plan's limit, a form that may be sent twice."""

import secrets

from functions.console.visitor import Visitor
from identity_engine import State
from identity_service.decisions import create
from identity_service.plans import PLANS
from identity_service.store.instances import LimitReached

#: Longest name of an agent, as in the API.
NAME_LIMIT = 100


class CannotCreate(Exception):
    """No agent was created; the argument says why, for the person."""


def new_form() -> str:
    """A random id for a form that creates, so that a double click creates one agent."""
    return secrets.token_urlsafe(9)


def create_agent(visitor: Visitor, name: str, state: State, form: str) -> str:
    """Create it and return its id. CannotCreate says what to change."""
    name = name.strip()
    if not 1 <= len(name) <= NAME_LIMIT:
        raise CannotCreate(f"Give the agent a name of 1 to {NAME_LIMIT} characters.")
    limit = PLANS[visitor.account["plan"]].instances
    try:
        return create(visitor.account_id, limit, name, state, form[:40], visitor.by())
    except LimitReached:
        raise CannotCreate(
            f"The plan allows {limit} agents, and the account has them: delete one, or change the plan."
        ) from None
