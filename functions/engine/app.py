"""Engine operations: process, batch, simulate, snapshot, contract, goals, reset, history, timeline, drift, audit."""

import identity_service.cold_start  # noqa: F401

# isort: split

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, Request, Response

from identity_engine import (
    MODE_CONSTANTS,
    State,
    assess_goal,
    contract,
    contract_view,
    explanation_view,
    goal_view,
    memory_view,
    snapshot_view,
)
from identity_service.app import create_app, lambda_handler
from identity_service.audit import ExportHeader, verify
from identity_service.cycles import Committed, Step, load_head, process, reset_instance, simulate, snapshot_response
from identity_service.http import (
    audited_response,
    data_response,
    encode_data,
    idempotency_key,
    json_response,
    meter,
    page_response,
    read_body,
)
from identity_service.openapi import operation
from identity_service.query_models import ContractQuery, DriftPage, HistoryPage, TimelinePage
from identity_service.request_models import BatchRequest, GoalRequest, ObservationRequest, ResetRequest
from identity_service.store import audit_trail, timeline
from identity_service.store.idempotency import IdempotencyRecord

app = create_app("Engine")

PATH = "/v1/instances/{instance_id}"
#: Most observations that one verification replays; the function's timeout is 30 seconds.
MAX_REPLAYED = 20_000


@app.post(
    f"{PATH}/process",
    **operation(
        "processObservation", "Process an observation", "Processed", ObservationRequest, also=(404, 409), idempotent=True
    ),
)
async def process_one(request: Request, instance_id: str) -> Response:
    """Reports what the agent just did, returns what it may do now. Costs one cycle."""
    body = await read_body(request, ObservationRequest)
    idempotency = await idempotency_key(request, instance_id)
    return _committed(process(meter(request), instance_id, [body], lambda steps: encode_data(steps[-1].view()), idempotency))


def _committed(committed: Committed) -> Response:
    return audited_response(committed.body, committed.digest)


@app.post(
    f"{PATH}/process/batch",
    **operation(
        "processBatch", "Process observations in order", "BatchProcessed", BatchRequest, also=(404, 409), idempotent=True
    ),
)
async def process_batch(request: Request, instance_id: str) -> Response:
    """Processes all observations or none; each costs one cycle. Returns the final state, or every intermediate state."""
    body = await read_body(request, BatchRequest)
    idempotency = await idempotency_key(request, instance_id)

    def render(steps: list[Step]) -> bytes:
        return encode_data(_batch(steps, body.include_intermediate))

    return _committed(process(meter(request), instance_id, body.observations, render, idempotency))


def _batch(steps: Sequence[Step], intermediate: bool) -> dict[str, Any]:
    if intermediate:
        return {"states": [step.view() for step in steps], "processed_count": len(steps)}
    return steps[-1].view() | {"processed_count": len(steps)}


@app.post(
    f"{PATH}/simulate",
    **operation(
        "simulateObservations",
        "Try observations on a copy",
        "Simulated",
        ObservationRequest,
        BatchRequest,
        also=(404, 409),
        idempotent=True,
    ),
)
async def simulate_some(request: Request, instance_id: str) -> Response:
    """Returns what process or process/batch would return. Nothing is stored, no cycle is counted."""
    body = await read_body(request, ObservationRequest, BatchRequest)
    idempotency = await idempotency_key(request, instance_id)
    steps = simulate(meter(request), instance_id, body.observations if isinstance(body, BatchRequest) else [body], idempotency)
    view = _batch(steps, body.include_intermediate) if isinstance(body, BatchRequest) else steps[-1].view()
    return _store_response(idempotency, encode_data(view))


def _store_response(idempotency: IdempotencyRecord | None, body: bytes) -> Response:
    """The response to a request that changes nothing, stored if the request has an Idempotency-Key."""
    if idempotency:
        idempotency.store(200, body)
    return json_response(body)


@app.get(f"{PATH}/snapshot", **operation("getSnapshot", "Get the current state", "SnapshotDetail", also=(404,)))
async def snapshot(request: Request, instance_id: str) -> Response:
    """The agent's current state and its memory."""
    head = load_head(meter(request), instance_id)
    state = head.state
    times = {"cycle_count": head.seq, "created_at": head.created_at, "updated_at": head.updated_at}
    return data_response(snapshot_response(head.id, state, head.encoded) | times | {"memory": memory_view(state)})


@app.get(f"{PATH}/contract", **operation("getContract", "Get the execution contract", "Contract", also=(404,)))
async def current_contract(request: Request, instance_id: str, query: Annotated[ContractQuery, Query()]) -> Response:
    """What the agent may do now; with `explain=true` also why, with a reason for each of the fourteen actions."""
    state = load_head(meter(request), instance_id).state
    view = contract_view(contract(state))
    return data_response(view | {"explanation": explanation_view(state)} if query.explain else view)


@app.post(
    f"{PATH}/goals/assess",
    **operation("assessGoal", "Assess a goal", "GoalAssessed", GoalRequest, also=(404, 409), idempotent=True),
)
async def assess(request: Request, instance_id: str) -> Response:
    """Whether the agent should take on a goal now: accept, defer or reject, with the reason."""
    body = await read_body(request, GoalRequest)
    idempotency = await idempotency_key(request, instance_id)
    state = load_head(meter(request), instance_id, idempotency=idempotency).state
    modes = [MODE_CONSTANTS.index(name) for name in body.required_modes]
    return _store_response(idempotency, encode_data(goal_view(assess_goal(state, body.complexity, modes))))


@app.post(
    f"{PATH}/reset",
    **operation("resetInstance", "Reset the state", "ResetDone", ResetRequest, also=(404, 409), idempotent=True),
)
async def reset(request: Request, instance_id: str) -> Response:
    """What only people decide: back to birth, to a neutral or the last stable state, or `rebaseline`: the new normal."""
    body = await read_body(request, ResetRequest)
    idempotency = await idempotency_key(request, instance_id)
    mode = "last_stable" if body.mode == "lastSnapshot" else body.mode

    def render(state: State) -> bytes:
        view = snapshot_view(state)
        current = {name: view[name] for name in ("cycle", "energy_level", "stress_state")}
        return encode_data({"id": instance_id, "reset_to": mode} | current)

    return _committed(reset_instance(meter(request), instance_id, mode, body.note, render, idempotency))


@app.get(f"{PATH}/history", **operation("getHistory", "Get the observation history", "HistoryRows", also=(404,)))
async def history(request: Request, instance_id: str, page: Annotated[HistoryPage, Query()]) -> Response:
    """All processed observations, newest first."""
    head = load_head(meter(request), instance_id)
    rows = audit_trail.history_page(head.partition(), head.seq, page.offset, page.limit)
    return page_response(rows, limit=page.limit, offset=page.offset, total=head.seq)


@app.get(f"{PATH}/timeline", **operation("getTimeline", "Get the timeline", "TimelineRows", also=(404,)))
async def get_timeline(request: Request, instance_id: str, page: Annotated[TimelinePage, Query()]) -> Response:
    """What each cycle led to, in a few figures, newest first. The next page is that `before` the last row's `seq`."""
    head = load_head(meter(request), instance_id)
    newest = head.seq if page.before is None else min(page.before - 1, head.seq)
    rows = [row.view() for row in timeline.page(head.partition(), newest, page.limit)]
    return page_response(rows, limit=page.limit, offset=head.seq - newest, total=head.seq)


@app.get(f"{PATH}/drift", **operation("listDriftEvents", "Get drift events", "DriftRows", also=(404,)))
async def drift(request: Request, instance_id: str, page: Annotated[DriftPage, Query()]) -> Response:
    """All drift events (D1 and above), newest first."""
    head = load_head(meter(request), instance_id)
    if page.level is None:
        total = head.drifts
        rows = audit_trail.drift_page(head.partition(), total, page.offset, page.limit)
    else:
        total = dict(zip(("D1", "D2", "D3"), head.drift_levels, strict=True)).get(page.level, 0)
        rows = audit_trail.drift_page_at(head.partition(), page.level, page.offset, page.limit) if total else []
    return page_response(rows, limit=page.limit, offset=page.offset, total=total)


@app.get(f"{PATH}/audit", **operation("listAuditRecords", "Get the audit trail", "AuditRows", also=(404,)))
async def audit(request: Request, instance_id: str, page: Annotated[HistoryPage, Query()]) -> Response:
    """One record for each request that changed the agent, oldest first, each chained to the previous one by its digest."""
    head = load_head(meter(request), instance_id)
    rows = audit_trail.audit_page(head.trail_position(), page.offset, page.limit)
    return page_response(rows, limit=page.limit, offset=page.offset, total=head.records)


@app.get(f"{PATH}/audit/verify", **operation("verifyAuditTrail", "Verify the audit trail", "AuditVerified", also=(404,)))
async def audit_verify(request: Request, instance_id: str) -> Response:
    """Replays every record through the engine, from the agent's birth to its current state, and reports the first wrong one."""
    head = load_head(meter(request), instance_id)
    records = (record for record, _ in audit_trail.records(head.trail_position()))
    return data_response(verify(ExportHeader.from_head(head), records, MAX_REPLAYED).view())


handler = lambda_handler(app)
