"""Settings: API keys. A key is shown once, in the answer to the form that made it."""

from concurrent.futures import Future
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.exceptions import HTTPException

from functions.console import snippets
from functions.console.reads import beside
from functions.console.render import page, see
from functions.console.visitor import Looking, Operator, Visitor
from identity_service.scopes import OPERATOR as OPERATOR_SCOPE
from identity_service.scopes import SCOPES
from identity_service.store import accounts, instances, one_time
from identity_service.store.accounts import MOST_BOUND, UnknownKey
from identity_service.store.dynamodb import Item

router = APIRouter()
#: Keys that a person may make in an hour.
KEYS_AN_HOUR: Final = 30
#: The account's keys, read while it is found out who asks: the look-ups of their last use wait for the list.
Keys = Annotated[Any, Depends(beside(accounts.keys_of))]


@router.get("/settings/keys", name="keys")
async def listing(request: Request, begun: Keys, visitor: Looking) -> Response:
    """The account's keys, those that work first."""
    return _keys(request, visitor, begun=begun)


@router.post("/settings/keys", name="create_key")
async def create(
    request: Request,
    visitor: Operator,
    name: Annotated[str, Form(max_length=100)] = "",
    scope: Annotated[str, Form()] = "",
    bound_to: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Make a key and show it."""
    name, ids = name.strip(), sorted(set(bound_to.replace(",", " ").split()))
    problem = _problem(visitor, name, scope, ids)
    if problem:
        return _keys(request, visitor, 400, problem=problem, form={"name": name, "scope": scope, "bound_to": bound_to})
    check_rate(visitor)
    key = accounts.create_key(visitor.account_id, name, scope, ids, by=visitor.by())
    return _keys(request, visitor, new=key, new_scope=scope, snippets=snippets.for_key(key.secret))


@router.get("/settings/keys/{key_id}/revoke", name="confirm_revoke")
async def confirm(request: Request, begun: Keys, visitor: Operator, key_id: str) -> Response:
    """Ask first."""
    for key in _read(visitor, begun):
        if key["id"] == key_id and not key["revoked_at"]:
            return page(request, "revoke.html", visitor, here="keys", key=key)
    raise HTTPException(404)


@router.post("/settings/keys/{key_id}/revoke", name="revoke_key")
async def revoke(visitor: Operator, key_id: str) -> Response:
    """Revoke the key for good."""
    try:
        accounts.revoke_key(visitor.account_id, key_id, visitor.by())
    except UnknownKey:
        raise HTTPException(404) from None
    return see("keys", {"revoked": key_id})


def check_rate(visitor: Visitor) -> None:
    """HTTPException 429 when the person made too many keys in the last hour."""
    if not one_time.within_rate("key", visitor.session.user.ref, KEYS_AN_HOUR, 3600):
        raise HTTPException(429, f"You made {KEYS_AN_HOUR} keys in this hour. Wait for the next one.")


def _problem(visitor: Visitor, name: str, scope: str, ids: list[str]) -> str:
    if not name or not name.isprintable():
        return "Give the key a name, such as the program that will use it."
    if scope not in SCOPES:
        return "Choose what the key may do."
    if ids and scope == OPERATOR_SCOPE:
        return "A key of scope operator is for all agents: leave the agents empty, or choose another scope."
    if len(ids) > MOST_BOUND:
        return f"A key is bound to at most {MOST_BOUND} agents."
    for instance_id in ids:
        if instances.get(visitor.account_id, instance_id) is None:
            return f"There is no agent {instance_id} in this account."
    return ""


def _read(visitor: Visitor, begun: "Future[list[Item]] | None" = None) -> list[Item]:
    return begun.result() if begun else accounts.keys_of(visitor.account_id)


def _keys(
    request: Request, visitor: Visitor, status: int = 200, begun: "Future[list[Item]] | None" = None, **values: Any
) -> Response:
    keys = _read(visitor, begun)
    keys.sort(key=lambda key: key["created_at"], reverse=True)
    context: dict[str, Any] = {
        "problem": "",
        "form": {"name": "", "scope": "agent", "bound_to": ""},
        "new": None,
        "new_scope": "",
        "snippets": [],
        "working": [key for key in keys if not key["revoked_at"]],
        "revoked": [key for key in keys if key["revoked_at"]],
        "scopes": SCOPES,
    }
    return page(request, "keys.html", visitor, status, here="keys", **(context | values))
