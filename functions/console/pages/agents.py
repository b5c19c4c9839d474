"""The agents of the account: who needs a person comes first, then all others by name.

Two indexes hold what the order needs, so a page reads their keys beside the session, then the heads of its rows: two hops,
with one agent or with thousands. Source: docs/console.md, "Agents".
"""

from concurrent.futures import Future
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from functions.console.agents import Standing
from functions.console.creation import NAME_LIMIT, CannotCreate, create_agent, new_form
from functions.console.reads import beside
from functions.console.render import page, see_agent
from functions.console.visitor import Looking, Operator, Visitor
from identity_engine import PERSONA_BY_ID, PERSONAS
from identity_service.request_models import InitialConfig
from identity_service.store import instances

router = APIRouter()
#: Rows of a page.
ROWS: Final = 50
#: Names that a page looks through: what one query brings. Who needs a person is found beyond them, too.
MOST_NAMES: Final = 5000
MOST_NEEDING: Final = 1000
Names = Annotated[Any, Depends(beside(lambda account_id: instances.names(account_id, MOST_NAMES)))]
Needing = Annotated[Any, Depends(beside(lambda account_id: instances.needing(account_id, MOST_NEEDING)))]


@router.get("/agents", name="agents")
async def listing(
    request: Request,
    names: Names,
    needing: Needing,
    visitor: Looking,
    q: Annotated[str, Query(max_length=100)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
    live: Annotated[str, Query(max_length=1)] = "1",
) -> Response:
    """A page of the agents, or of those whose name or id has `q` in it."""
    known, waiting = _result(names), _result(needing)
    ids = _ordered(known, waiting, q.strip().casefold())
    first = (number - 1) * ROWS
    shown = [Standing.of(head) for head in instances.heads(visitor.account_id, ids[first : first + ROWS])]
    # The index follows the table by a moment; the heads are exact.
    order = {"escalated": 0, "paused": 1, "": 2}
    return page(
        request,
        "agents.html",
        visitor,
        here="agents",
        rows=sorted(shown, key=lambda standing: order[standing.needs]),
        waiting=len(waiting),
        total=len(ids),
        first=first + 1,
        last=min(first + ROWS, len(ids)),
        number=number,
        q=q,
        live=live != "0",
        more_than=MOST_NAMES if len(known) == MOST_NAMES else None,
        any=bool(known or waiting),
    )


def _result(begun: "Future[list[Any]] | None") -> list[Any]:
    # The read began with the same cookie that let the visitor in.
    return begun.result() if begun else []


def _ordered(known: list[tuple[str, str]], waiting: list[str], q: str) -> list[str]:
    names = dict(known)
    rest = sorted((name.casefold(), instance_id) for instance_id, name in known)
    ids = [*waiting, *(instance_id for _, instance_id in rest)]
    return [each for each in dict.fromkeys(ids) if q in names.get(each, "").casefold() or q in each]


@router.get("/agents/new", name="new_agent")
async def form(request: Request, visitor: Operator) -> Response:
    """The form for a new agent."""
    return _form(request, visitor)


@router.post("/agents", name="create_agent")
async def create(
    request: Request,
    visitor: Operator,
    name: Annotated[str, Form(max_length=1000)] = "",
    persona: Annotated[str, Form(max_length=100)] = "",
    form: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Make an agent, neutral or born from a persona."""
    if persona and persona not in PERSONA_BY_ID:
        return _form(request, visitor, 400, problem="There is no such persona.", name=name)
    config = InitialConfig.model_validate({"persona_id": persona} if persona else {})
    try:
        instance_id = create_agent(visitor, name, config.born(), form)
    except CannotCreate as problem:
        return _form(request, visitor, 400, problem=str(problem), name=name, persona=persona)
    return see_agent(instance_id)


def _form(request: Request, visitor: Visitor, status: int = 200, **values: Any) -> Response:
    empty: dict[str, Any] = {"problem": "", "name": "", "persona": "", "form": new_form()}
    known = {"personas": PERSONAS, "name_limit": NAME_LIMIT}
    return page(request, "new_agent.html", visitor, status, here="agents", **(empty | known | values))
