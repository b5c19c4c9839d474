"""Instance management: create, list, get, update, delete."""

import identity_service.cold_start  # noqa: F401

# isort: split

from dataclasses import replace
from typing import Annotated

from fastapi import Query, Request, Response

from identity_service import errors
from identity_service.app import create_app, lambda_handler
from identity_service.clock import iso, now
from identity_service.cycles import head_of
from identity_service.http import data_response, encode_data, idempotency_key, json_response, meter, page_response, read_body
from identity_service.openapi import operation
from identity_service.request_models import Contradiction, InstancePage, InstanceRequest, InstanceUpdateRequest
from identity_service.responses import instance_detail_response, instance_response, instance_row_response
from identity_service.store import commits, instances
from identity_service.store.commits import Change
from identity_service.store.instances import Head, LimitReached

app = create_app("Instances")


@app.post(
    "/v1/instances", **operation("Create an instance", "Instance", InstanceRequest, status=201, also=(403, 409), once=True)
)
async def create(request: Request) -> Response:
    """A new agent, neutral unless `initial_config` says otherwise."""
    body = await read_body(request, InstanceRequest)
    try:
        state = body.initial_config.state()
    except Contradiction as error:
        raise errors.invalid(error.field, error.reason, f"{error.field}: {error.message}") from None
    idempotency = await idempotency_key(request)
    count = meter(request)
    count.count_while(idempotency.look if idempotency else lambda: None)
    who = count.principal
    head = instances.new(who.account_id, body.name, body.description, state, now())
    created = encode_data(instance_response(head))
    try:
        instances.create(head, state, who.instances, idempotency, created, 201)
    except LimitReached:
        raise errors.instance_limit_reached(who.instances or 0) from None
    return json_response(created, 201)


@app.get("/v1/instances", **operation("List instances", "InstanceRows"))
async def list_all(request: Request, page: Annotated[InstancePage, Query()]) -> Response:
    """The account's instances, newest first unless asked otherwise."""
    count = meter(request)
    account_id = count.principal.account_id
    total = count.count_while(lambda: instances.count(account_id))
    rows = instances.page(account_id, sort=page.sort, descending=page.order == "desc", offset=page.offset, limit=page.limit)
    return page_response([instance_row_response(row) for row in rows], limit=page.limit, offset=page.offset, total=total)


@app.get("/v1/instances/{instance_id}", **operation("Get an instance", "InstanceDetail", also=(404,)))
async def get(request: Request, instance_id: str) -> Response:
    """One instance and how it stands."""
    return data_response(instance_detail_response(head_of(meter(request), instance_id)))


@app.patch("/v1/instances/{instance_id}", **operation("Update an instance", "Instance", InstanceUpdateRequest, also=(404, 409)))
async def update(request: Request, instance_id: str) -> Response:
    """Change the name, the description or both."""
    body = await read_body(request, InstanceUpdateRequest)
    given = body.model_dump(include=body.model_fields_set)
    if not given:
        raise errors.invalid("name", "missing", "name or description is required")
    head = head_of(meter(request), instance_id)

    def renamed(current: Head) -> Change[Head]:
        after = replace(current, **given, updated_at=iso(now()))
        return Change(after, current.state, [], after)

    after = commits.commit(head, renamed)
    if after is None:
        raise errors.not_found("instance")
    return data_response(instance_response(after))


@app.delete("/v1/instances/{instance_id}", **operation("Delete an instance", "Deleted", also=(404, 409)))
async def delete(request: Request, instance_id: str) -> Response:
    """Gone at once for every reader; what is left of it is removed in the background."""
    count = meter(request)
    count.count_request()
    if not instances.remove(count.principal.account_id, instance_id):
        raise errors.not_found("instance")
    return data_response({"id": instance_id, "deleted": True})


handler = lambda_handler(app)
