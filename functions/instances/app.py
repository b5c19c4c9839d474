"""Instance management: create, list, get, update, delete."""

import identity_service.start  # noqa: F401

# isort: split

from dataclasses import replace
from typing import Annotated

from fastapi import Query, Request, Response

from identity_service import errors
from identity_service.answers import created_answer, instance_answer, row_answer
from identity_service.clock import iso, now
from identity_service.cycles import head_of
from identity_service.describe import describe
from identity_service.frame import answer, answer_page, claim, create_app, encoded, lambda_handler, made, meter, read
from identity_service.requests import Contradiction, InstanceChange, InstanceIn, InstancePage
from identity_service.store import instances
from identity_service.store.instances import Change, Head, LimitReached

app = create_app("Instances")


@app.post("/v1/instances", **describe("Create an instance", "Instance", InstanceIn, status=201, also=(403, 409), once=True))
async def create(request: Request) -> Response:
    """A new agent, neutral unless `initial_config` says otherwise."""
    body = await read(request, InstanceIn)
    try:
        state = body.initial_config.state()
    except Contradiction as error:
        raise errors.invalid(error.field, error.reason, f"{error.field}: {error.message}") from None
    named = await claim(request)
    count = meter(request)
    count.charge_beside(named.look if named else lambda: None)
    who = count.principal
    head = instances.new(who.account_id, body.name, body.description, state, now())
    created = encoded(created_answer(head))
    try:
        instances.create(head, state, who.instances, named, created, 201)
    except LimitReached:
        raise errors.instance_limit_reached(who.instances or 0) from None
    return made(created, 201)


@app.get("/v1/instances", **describe("List instances", "InstanceRows"))
async def list_all(request: Request, page: Annotated[InstancePage, Query()]) -> Response:
    """The account's instances, newest first unless asked otherwise."""
    count = meter(request)
    account_id = count.principal.account_id
    total = count.charge_beside(lambda: instances.count(account_id))
    rows = instances.page(account_id, sort=page.sort, descending=page.order == "desc", offset=page.offset, limit=page.limit)
    return answer_page([row_answer(row) for row in rows], limit=page.limit, offset=page.offset, total=total)


@app.get("/v1/instances/{instance_id}", **describe("Get an instance", "InstanceDetail", also=(404,)))
async def get(request: Request, instance_id: str) -> Response:
    """One instance and how it stands."""
    return answer(instance_answer(head_of(meter(request), instance_id)))


@app.patch("/v1/instances/{instance_id}", **describe("Update an instance", "Instance", InstanceChange, also=(404, 409)))
async def update(request: Request, instance_id: str) -> Response:
    """Change the name, the description or both."""
    body = await read(request, InstanceChange)
    given = body.model_dump(include=body.model_fields_set)
    if not given:
        raise errors.invalid("name", "missing", "name or description is required")
    head = head_of(meter(request), instance_id)

    def renamed(current: Head) -> Change[Head]:
        after = replace(current, **given, updated_at=iso(now()))
        return Change(after, current.state, [], after)

    after = instances.change(head, renamed)
    if after is None:
        raise errors.not_found("instance")
    return answer(created_answer(after))


@app.delete("/v1/instances/{instance_id}", **describe("Delete an instance", "Deleted", also=(404, 409)))
async def delete(request: Request, instance_id: str) -> Response:
    """Gone at once for every reader; what is left of it is removed in the background."""
    count = meter(request)
    count.charge()
    if not instances.remove(count.principal.account_id, instance_id):
        raise errors.not_found("instance")
    return answer({"id": instance_id, "deleted": True})


handler = lambda_handler(app)
