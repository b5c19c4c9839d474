"""Webhooks: create, list, get, update, delete, test, deliveries, deliver again, rotate. All of it needs an operator's key."""

import identity_service.cold_start  # noqa: F401

# isort: split

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Query, Request, Response

from identity_service import errors
from identity_service.app import create_app, lambda_handler
from identity_service.http import (
    data_response,
    encode_data,
    idempotency_key,
    json_response,
    meter,
    page_response,
    read_body,
)
from identity_service.openapi import operation
from identity_service.query_models import Page
from identity_service.request_models import EmptyRequest, WebhookRequest, WebhookUpdateRequest
from identity_service.responses import delivery_response, webhook_response
from identity_service.store import webhooks
from identity_service.store.dynamodb import Item
from identity_service.webhooks import hooks
from identity_service.webhooks.addresses import Refused
from identity_service.webhooks.hooks import Once, WithSecret

app = create_app("Webhooks")
T = TypeVar("T")
PATH = "/v1/webhooks"
ONE = f"{PATH}/{{webhook_id}}"


async def _once(request: Request) -> Once | None:
    """The request's Idempotency-Key. No response is stored: a secret must not lie in the table."""
    record = await idempotency_key(request)
    return Once(record.item_key()["SK"], record.fingerprint) if record else None


def _counted(request: Request, work: Callable[[str], T]) -> T:
    """Count the request, then do the work for the caller's account; its refusals are the API's errors."""
    request_meter = meter(request)
    request_meter.count_request()
    try:
        return work(request_meter.principal.account_id)
    except Refused as refused:
        raise errors.invalid("url", "unknown_value", f"url: {refused}") from None
    except hooks.UnknownWebhook as unknown:
        raise errors.not_found("delivery" if isinstance(unknown, hooks.UnknownDelivery) else "webhook") from None
    except hooks.TooMany:
        raise errors.conflict(f"an account has at most {hooks.LIMIT} webhooks: delete one first") from None
    except hooks.SwitchedOff:
        raise errors.conflict("the webhook is off, and gets nothing: update it with enabled true first") from None
    except hooks.KeyReused:
        raise errors.conflict("this Idempotency-Key was used for a different request; use a new key") from None


def _with_secret(made: WithSecret, status: int = 200) -> Response:
    headers = {"Idempotent-Replayed": "true"} if made.replayed else {}
    return json_response(encode_data(webhook_response(made.hook) | {"secret": made.secret}), status, headers)


@app.post(
    PATH,
    **operation(
        "createWebhook", "Create a webhook", "WebhookMade", WebhookRequest, status=201, also=(403, 409), idempotent=True
    ),
)
async def create(request: Request) -> Response:
    """Creates a receiver of events. Its secret is in this response and in no other."""
    body = await read_body(request, WebhookRequest)
    once = await _once(request)
    made = _counted(request, lambda account: hooks.create(account, body.url, body.types, body.description, once=once))
    return _with_secret(made, 201)


@app.get(PATH, **operation("listWebhooks", "List webhooks", "WebhookRows", also=(403,)))
async def list_all(request: Request, page: Annotated[Page, Query()]) -> Response:
    """The account's webhooks, oldest first."""
    found = _counted(request, webhooks.of_account)
    rows = [webhook_response(hook) for hook in found[page.offset : page.offset + page.limit]]
    return page_response(rows, limit=page.limit, offset=page.offset, total=len(found))


@app.get(ONE, **operation("getWebhook", "Get a webhook", "Webhook", also=(403, 404)))
async def get(request: Request, webhook_id: str) -> Response:
    """One webhook, without its secret."""
    return data_response(webhook_response(_counted(request, lambda account: hooks.get(account, webhook_id))))


@app.patch(ONE, **operation("updateWebhook", "Update a webhook", "Webhook", WebhookUpdateRequest, also=(403, 404, 409)))
async def update(request: Request, webhook_id: str) -> Response:
    """Changes URL, types or description, or switches it off or on. What happened while it was off is not sent later."""
    body = await read_body(request, WebhookUpdateRequest)
    changes = body.model_dump(include=body.model_fields_set)
    if not changes:
        raise errors.invalid("url", "missing", "url, types, description or enabled is required")
    return data_response(webhook_response(_counted(request, lambda account: hooks.update(account, webhook_id, changes))))


@app.delete(ONE, **operation("deleteWebhook", "Delete a webhook", "WebhookDeleted", also=(403, 404, 409)))
async def delete(request: Request, webhook_id: str) -> Response:
    """Deletes it at once. What is under way to it is not sent."""
    _counted(request, lambda account: hooks.delete(account, webhook_id))
    return data_response({"id": webhook_id, "deleted": True})


@app.post(
    f"{ONE}/rotate",
    **operation("rotateSecret", "Rotate the secret", "WebhookMade", EmptyRequest, also=(403, 404, 409), idempotent=True),
)
async def rotate(request: Request, webhook_id: str) -> Response:
    """Gives it a new secret. For a day deliveries are signed with both, so that a receiver can change."""
    await read_body(request, EmptyRequest)
    once = await _once(request)
    return _with_secret(_counted(request, lambda account: hooks.rotate(account, webhook_id, once=once)))


@app.post(
    f"{ONE}/test",
    **operation("testWebhook", "Send a test event", "DeliveryQueued", EmptyRequest, also=(403, 404, 409), idempotent=True),
)
async def send_test(request: Request, webhook_id: str) -> Response:
    """Sends `webhook.test` at once. Its deliveries say what the receiver answered."""
    await read_body(request, EmptyRequest)
    once = await _once(request)
    delivery_id = _counted(request, lambda account: hooks.send_test(account, webhook_id, once))
    return data_response({"id": delivery_id, "status": "queued"})


@app.get(f"{ONE}/deliveries", **operation("listDeliveries", "List the last deliveries", "DeliveryRows", also=(403, 404)))
async def list_deliveries(request: Request, webhook_id: str, page: Annotated[Page, Query()]) -> Response:
    """The last 100 deliveries, newest event first, each with what became of it."""

    def read(account: str) -> list[Item]:
        hooks.get(account, webhook_id)
        return webhooks.deliveries(account, webhook_id)

    found = _counted(request, read)
    rows = [delivery_response(each) for each in found[page.offset : page.offset + page.limit]]
    return page_response(rows, limit=page.limit, offset=page.offset, total=len(found))


@app.post(
    f"{ONE}/deliveries/{{delivery_id}}/redeliver",
    **operation("redeliverEvent", "Deliver again", "DeliveryQueued", EmptyRequest, also=(403, 404, 409), idempotent=True),
)
async def redeliver(request: Request, webhook_id: str, delivery_id: str) -> Response:
    """Sends one of the last deliveries again, with the same id and payload."""
    await read_body(request, EmptyRequest)
    once = await _once(request)
    _counted(request, lambda account: hooks.send_again(account, webhook_id, delivery_id, once))
    return data_response({"id": delivery_id, "status": "queued"})


handler = lambda_handler(app)
