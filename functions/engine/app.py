"""Engine operations: process, batch, simulate, snapshot, contract, goals, reset, history, drift, audit."""

import identity_service.start  # noqa: F401

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
from identity_service.audit import Heading, verify
from identity_service.cycles import Step, head_of, process, reset_instance, simulate, snapshot_answer
from identity_service.describe import describe
from identity_service.frame import answer, answer_page, claim, create_app, encoded, lambda_handler, made, meter, read
from identity_service.requests import BatchIn, ContractQuery, DriftPage, GoalIn, HistoryPage, ObservationIn, ResetIn
from identity_service.store import ledger
from identity_service.store.claims import Claim

app = create_app("Engine")

PATH = "/v1/instances/{instance_id}"
#: Observations that one answer may replay; the function has half a minute.
VERIFIED_AT_ONCE = 20_000


@app.post(f"{PATH}/process", **describe("Process an observation", "Processed", ObservationIn, also=(404, 409), once=True))
async def process_one(request: Request, instance_id: str) -> Response:
    """What the agent just did goes in, what it may do now comes out. Costs one cycle."""
    body = await read(request, ObservationIn)
    named = await claim(request, instance_id)
    return made(process(meter(request), instance_id, [body], lambda steps: encoded(steps[-1].view()), named))


@app.post(
    f"{PATH}/process/batch", **describe("Process observations in order", "BatchProcessed", BatchIn, also=(404, 409), once=True)
)
async def process_batch(request: Request, instance_id: str) -> Response:
    """All of them or none; costs one cycle each. Answers the final state, or every state on the way."""
    body = await read(request, BatchIn)
    named = await claim(request, instance_id)

    def render(steps: list[Step]) -> bytes:
        return encoded(_batch(steps, body.include_intermediate))

    return made(process(meter(request), instance_id, body.observations, render, named))


def _batch(steps: Sequence[Step], intermediate: bool) -> dict[str, Any]:
    if intermediate:
        return {"states": [step.view() for step in steps], "processed_count": len(steps)}
    return steps[-1].view() | {"processed_count": len(steps)}


@app.post(
    f"{PATH}/simulate",
    **describe("Try observations on a copy", "Simulated", ObservationIn, BatchIn, also=(404, 409), once=True),
)
async def simulate_some(request: Request, instance_id: str) -> Response:
    """The answer that process or process/batch would give. Nothing is stored, no cycle is counted."""
    body = await read(request, ObservationIn, BatchIn)
    named = await claim(request, instance_id)
    steps = simulate(meter(request), instance_id, body.observations if isinstance(body, BatchIn) else [body], named)
    view = _batch(steps, body.include_intermediate) if isinstance(body, BatchIn) else steps[-1].view()
    return _kept(named, encoded(view))


def _kept(named: Claim | None, body: bytes) -> Response:
    """An answer that changes nothing, stored if it is to be given again."""
    if named:
        named.keep(200, body)
    return made(body)


@app.get(f"{PATH}/snapshot", **describe("Get the current state", "SnapshotDetail", also=(404,)))
async def snapshot(request: Request, instance_id: str) -> Response:
    """Where the agent stands, and what it remembers."""
    head = head_of(meter(request), instance_id)
    state = head.state
    times = {"cycle_count": head.seq, "created_at": head.created_at, "updated_at": head.updated_at}
    return answer(snapshot_answer(head.id, state, head.encoded) | times | {"memory": memory_view(state)})


@app.get(f"{PATH}/contract", **describe("Get the execution contract", "Contract", also=(404,)))
async def current_contract(request: Request, instance_id: str, query: Annotated[ContractQuery, Query()]) -> Response:
    """What the agent may do now; with `explain=true`, why: a reason for each of the fourteen actions."""
    state = head_of(meter(request), instance_id).state
    view = contract_view(contract(state))
    return answer(view | {"explanation": explanation_view(state)} if query.explain else view)


@app.post(f"{PATH}/goals/assess", **describe("Assess a goal", "GoalAssessed", GoalIn, also=(404, 409), once=True))
async def assess(request: Request, instance_id: str) -> Response:
    """Should the agent take this on now: accept, defer or reject, with the reason."""
    body = await read(request, GoalIn)
    named = await claim(request, instance_id)
    state = head_of(meter(request), instance_id, claim=named).state
    modes = [MODE_CONSTANTS.index(name) for name in body.required_modes]
    return _kept(named, encoded(goal_view(assess_goal(state, body.complexity, modes))))


@app.post(f"{PATH}/reset", **describe("Reset the state", "ResetDone", ResetIn, also=(404, 409), once=True))
async def reset(request: Request, instance_id: str) -> Response:
    """Back to how it was born, to its last stable state, or to a neutral one. History stays."""
    body = await read(request, ResetIn)
    named = await claim(request, instance_id)
    mode = "last_stable" if body.mode == "lastSnapshot" else body.mode

    def render(state: State) -> bytes:
        view = snapshot_view(state)
        standing = {name: view[name] for name in ("cycle", "energy_level", "stress_state")}
        return encoded({"id": instance_id, "reset_to": mode} | standing)

    return made(reset_instance(meter(request), instance_id, mode, render, named))


@app.get(f"{PATH}/history", **describe("Get the observation history", "HistoryRows", also=(404,)))
async def history(request: Request, instance_id: str, page: Annotated[HistoryPage, Query()]) -> Response:
    """Every observation ever processed, newest first."""
    head = head_of(meter(request), instance_id)
    rows = ledger.history_page(head.partition(), head.seq, page.offset, page.limit)
    return answer_page(rows, limit=page.limit, offset=page.offset, total=head.seq)


@app.get(f"{PATH}/drift", **describe("Get drift events", "DriftRows", also=(404,)))
async def drift(request: Request, instance_id: str, page: Annotated[DriftPage, Query()]) -> Response:
    """Every drift event (D1 and above), newest first."""
    head = head_of(meter(request), instance_id)
    if page.level is None:
        total = head.drifts
        rows = ledger.drift_page(head.partition(), total, page.offset, page.limit)
    else:
        total = dict(zip(("D1", "D2", "D3"), head.drift_levels, strict=True)).get(page.level, 0)
        rows = ledger.drift_page_at(head.partition(), page.level, page.offset, page.limit) if total else []
    return answer_page(rows, limit=page.limit, offset=page.offset, total=total)


@app.get(f"{PATH}/audit", **describe("Get the audit trail", "AuditRows", also=(404,)))
async def audit(request: Request, instance_id: str, page: Annotated[HistoryPage, Query()]) -> Response:
    """The record of every request that changed the agent, oldest first, each chained to the one before by its digest."""
    head = head_of(meter(request), instance_id)
    rows = ledger.audit_page(head.place(), page.offset, page.limit)
    return answer_page(rows, limit=page.limit, offset=page.offset, total=head.records)


@app.get(f"{PATH}/audit/verify", **describe("Verify the audit trail", "AuditVerified", also=(404,)))
async def audit_verify(request: Request, instance_id: str) -> Response:
    """Replays every record through the engine, from the agent's birth to where it stands, and names the first that is wrong."""
    head = head_of(meter(request), instance_id)
    records = (record for record, _ in ledger.records(head.place()))
    return answer(verify(Heading.of(head), records, VERIFIED_AT_ONCE).view())


handler = lambda_handler(app)
