"""Instance management: create, list, get, update, delete, upgrade, fork."""

import identity_service.cold_start  # noqa: F401

# isort: split

from dataclasses import replace
from typing import Annotated

from fastapi import Query, Request, Response

from identity_service import errors
from identity_service.app import create_app, lambda_handler
from identity_service.clock import iso, now
from identity_service.cycles import load_head, turn
from identity_service.forks import fork_instance
from identity_service.http import (
    audited_response,
    data_response,
    encode_data,
    idempotency_key,
    meter,
    page_response,
    read_body,
)
from identity_service.openapi import operation
from identity_service.query_models import InstancePage
from identity_service.request_models import Contradiction, ForkRequest, InstanceRequest, InstanceUpdateRequest, UpgradeRequest
from identity_service.responses import instance_detail_response, instance_response, instance_row_response
from identity_service.store import commits, instances
from identity_service.store.audit_trail import Actor
from identity_service.store.commits import Change
from identity_service.store.instances import Head, LimitReached
from identity_service.upgrades import upgrade_instance

app = create_app("Instances")


@app.post(
    "/v1/instances",
    **operation(
        "createInstance", "Create an instance", "Instance", InstanceRequest, status=201, also=(403, 409), idempotent=True
    ),
)
async def create(request: Request) -> Response:
    """Creates an agent, neutral unless `initial_config` says otherwise."""
    body = await read_body(request, InstanceRequest)
    try:
        born = body.initial_config.born()
    except Contradiction as error:
        raise errors.invalid(error.field, error.reason, f"{error.field}: {error.message}") from None
    idempotency = await idempotency_key(request)
    request_meter = meter(request)
    request_meter.count_while(idempotency.check if idempotency else lambda: None)
    principal = request_meter.principal
    new = instances.new(principal.account_id, body.name, body.description, born, now(), Actor(principal.key_id))
    response_body = encode_data(instance_response(new.head))
    try:
        instances.create(new, principal.instances, idempotency, response_body, 201)
    except LimitReached:
        raise errors.instance_limit_reached(principal.instances or 0) from None
    return audited_response(response_body, new.head.digest, 201)


@app.get("/v1/instances", **operation("listInstances", "List instances", "InstanceRows"))
async def list_all(request: Request, page: Annotated[InstancePage, Query()]) -> Response:
    """The account's instances, newest first by default; for a key that is bound to instances those, by id."""
    request_meter = meter(request)
    principal = request_meter.principal
    account_id = principal.account_id
    down, offset, limit = page.order == "desc", page.offset, page.limit
    if principal.bound_to:
        rows, total = request_meter.count_while(
            lambda: instances.among(account_id, principal.bound_to, page.name, descending=down, offset=offset, limit=limit)
        )
    elif page.name:
        rows, total = request_meter.count_while(
            lambda: instances.named(account_id, page.name, descending=down, offset=offset, limit=limit)
        )
    else:
        total = request_meter.count_while(lambda: instances.count(account_id))
        rows = instances.page(account_id, sort=page.sort, descending=down, offset=offset, limit=limit)
    return page_response([instance_row_response(row) for row in rows], limit=page.limit, offset=page.offset, total=total)


@app.get("/v1/instances/{instance_id}", **operation("getInstance", "Get an instance", "InstanceDetail", also=(404,)))
async def get(request: Request, instance_id: str) -> Response:
    """One instance with its current state."""
    return data_response(instance_detail_response(load_head(meter(request), instance_id)))


@app.patch(
    "/v1/instances/{instance_id}",
    **operation("updateInstance", "Update an instance", "Instance", InstanceUpdateRequest, also=(404, 409)),
)
async def update(request: Request, instance_id: str) -> Response:
    """Changes the name, the description or both."""
    body = await read_body(request, InstanceUpdateRequest)
    changes = body.model_dump(include=body.model_fields_set)
    if not changes:
        raise errors.invalid("name", "missing", "name or description is required")
    head = load_head(meter(request), instance_id)

    def apply(current: Head) -> Change[Head]:
        changed = replace(current, **changes, updated_at=iso(now()))
        return Change(changed, turn(changed), [], changed)

    updated = commits.commit(head, apply)
    if updated is None:
        raise errors.not_found("instance")
    return data_response(instance_response(updated))


@app.delete("/v1/instances/{instance_id}", **operation("deleteInstance", "Delete an instance", "Deleted", also=(404, 409)))
async def delete(request: Request, instance_id: str) -> Response:
    """Deletes the instance at once for every reader; its remaining data is removed in the background."""
    request_meter = meter(request)
    request_meter.count_request()
    principal = request_meter.principal
    if not instances.remove(principal.account_id, instance_id, principal.key_id):
        raise errors.not_found("instance")
    return data_response({"id": instance_id, "deleted": True})


@app.post(
    "/v1/instances/{instance_id}/upgrade",
    **operation(
        "upgradeInstance", "Upgrade the engine of an instance", "Upgraded", UpgradeRequest, also=(404, 409), idempotent=True
    ),
)
async def upgrade(request: Request, instance_id: str) -> Response:
    """Shows what another engine would have decided otherwise since birth; with `preview: false` lets it decide from now on."""
    body = await read_body(request, UpgradeRequest)
    idempotency = await idempotency_key(request, instance_id)
    done = upgrade_instance(meter(request), instance_id, body, encode_data, idempotency)
    return audited_response(done.body, done.digest)


@app.post(
    "/v1/instances/{instance_id}/fork",
    **operation(
        "forkInstance", "Fork an instance", "InstanceDetail", ForkRequest, status=201, also=(403, 404, 409), idempotent=True
    ),
)
async def fork(request: Request, instance_id: str) -> Response:
    """Makes an instance that is what this one was after a cycle, with its history. Costs the cycles that are replayed."""
    body = await read_body(request, ForkRequest)
    idempotency = await idempotency_key(request, instance_id)

    def render(head: Head) -> bytes:
        return encode_data(instance_detail_response(head))

    done = fork_instance(meter(request), instance_id, body.at_cycle, body.name, render, idempotency)
    return audited_response(done.body, done.digest, 201)


handler = lambda_handler(app)
