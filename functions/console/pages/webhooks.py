"""Settings: webhooks. Who is told of events, and what they answered. A secret is shown once, in the answer to its form."""

from concurrent.futures import Future
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.exceptions import HTTPException

from functions.console import reads
from functions.console.reads import beside
from functions.console.render import page, see
from functions.console.visitor import Looking, Operator, Visitor
from identity_service.events import TYPES
from identity_service.store import one_time, webhooks
from identity_service.store.dynamodb import Item
from identity_service.webhooks import hooks
from identity_service.webhooks.addresses import URL_LIMIT, Refused, localhost_allowed

router = APIRouter()
#: Tests and deliveries again that a person may send in an hour.
SENT_AN_HOUR: Final = 60
Hooks = Annotated[Any, Depends(beside(webhooks.of_account))]


@router.get("/settings/webhooks", name="webhooks")
async def listing(request: Request, begun: Hooks, visitor: Looking) -> Response:
    """The account's webhooks."""
    return _webhooks(request, visitor, begun=begun)


@router.post("/settings/webhooks", name="create_webhook")
async def create(
    request: Request,
    visitor: Operator,
    url: Annotated[str, Form(max_length=URL_LIMIT)] = "",
    types: Annotated[list[str] | None, Form()] = None,
    description: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Make a webhook and show its secret."""
    url, types, description = url.strip(), types or [], description.strip()
    form = {"url": url, "types": types, "description": description}
    if hooks.unknown_types(types):
        return _webhooks(request, visitor, 400, problem="There is no such type of event.", form=form)
    try:
        made = hooks.create(visitor.account_id, url, types, description, visitor.by())
    except Refused as refused:
        return _webhooks(request, visitor, 400, problem=f"Events cannot go there: {refused}.", form=form)
    except hooks.TooMany:
        problem = f"An account has at most {hooks.LIMIT} webhooks. Delete one first."
        return _webhooks(request, visitor, 409, problem=problem, form=form)
    return _one(request, visitor, made.hook["id"], secret=made.secret)


@router.get("/settings/webhooks/{hook_id}", name="webhook")
async def one(request: Request, visitor: Looking, hook_id: str) -> Response:
    """A webhook and its last deliveries."""
    return _one(request, visitor, hook_id)


@router.post("/settings/webhooks/{hook_id}/switch", name="switch_webhook")
async def switch(visitor: Operator, hook_id: str, on: Annotated[bool, Form()]) -> Response:
    """Switch it off, or on again."""
    _known(lambda: hooks.update(visitor.account_id, hook_id, {"enabled": on}, visitor.by()))
    return see("webhook", hook_id=hook_id)


@router.post("/settings/webhooks/{hook_id}/rotate", name="rotate_webhook")
async def rotate(request: Request, visitor: Operator, hook_id: str) -> Response:
    """Make a new secret and show it."""
    made = _known(lambda: hooks.rotate(visitor.account_id, hook_id, visitor.by()))
    return _one(request, visitor, hook_id, secret=made.secret)


@router.post("/settings/webhooks/{hook_id}/test", name="test_webhook")
async def test(visitor: Operator, hook_id: str) -> Response:
    """Send a test event."""
    _check_rate(visitor)
    _known(lambda: hooks.send_test(visitor.account_id, hook_id))
    return see("webhook", {"sent": "1"}, hook_id=hook_id)


@router.post("/settings/webhooks/{hook_id}/deliveries/{delivery_id}/again", name="redeliver")
async def redeliver(visitor: Operator, hook_id: str, delivery_id: str) -> Response:
    """Send a delivery again."""
    _check_rate(visitor)
    _known(lambda: hooks.send_again(visitor.account_id, hook_id, delivery_id))
    return see("webhook", {"sent": "1"}, hook_id=hook_id)


@router.get("/settings/webhooks/{hook_id}/delete", name="confirm_delete_webhook")
async def confirm(request: Request, visitor: Operator, hook_id: str) -> Response:
    """Ask first."""
    hook = _known(lambda: hooks.get(visitor.account_id, hook_id))
    return page(request, "webhook_delete.html", visitor, here="webhooks", hook=hook)


@router.post("/settings/webhooks/{hook_id}/delete", name="delete_webhook")
async def delete(visitor: Operator, hook_id: str) -> Response:
    """Delete it for good."""
    _known(lambda: hooks.delete(visitor.account_id, hook_id, visitor.by()))
    return see("webhooks")


def _known(work: Any) -> Any:
    """The result of the work; HTTPException 404 for a webhook or delivery that is not there, 409 for one that is off."""
    try:
        return work()
    except hooks.UnknownWebhook:
        raise HTTPException(404) from None
    except hooks.SwitchedOff:
        raise HTTPException(409, "The webhook is off, and gets nothing. Switch it on first.") from None


def _check_rate(visitor: Visitor) -> None:
    if not one_time.within_rate("webhook", visitor.session.user.ref, SENT_AN_HOUR, 3600):
        raise HTTPException(429, f"You sent {SENT_AN_HOUR} events in this hour. Wait for the next one.")


def _webhooks(
    request: Request, visitor: Visitor, status: int = 200, begun: "Future[list[Item]] | None" = None, **values: Any
) -> Response:
    context: dict[str, Any] = {
        "problem": "",
        "form": {"url": "", "types": ["agent.paused", "agent.escalated"], "description": ""},
        "hooks": begun.result() if begun else webhooks.of_account(visitor.account_id),
        "types": TYPES,
        "local": localhost_allowed(),
    }
    return page(request, "webhooks.html", visitor, status, here="webhooks", **(context | values))


def _one(request: Request, visitor: Visitor, hook_id: str, secret: str = "") -> Response:
    account_id = visitor.account_id
    hook, sent = _known(
        lambda: reads.together(lambda: hooks.get(account_id, hook_id), lambda: webhooks.deliveries(account_id, hook_id))
    )
    types = hooks.types_of(hook)
    asked = request.query_params.get("sent") == "1"
    return page(
        request, "webhook.html", visitor, here="webhooks", hook=hook, types=types, sent=sent, secret=secret, asked=asked
    )
