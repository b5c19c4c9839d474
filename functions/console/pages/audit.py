"""An agent's audit trail: its records in words and figures, their verification, and the trail as a file."""

import json
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from functions.console import reads
from functions.console.agents import BegunAgent, find
from functions.console.pages import audit_export
from functions.console.render import page
from functions.console.visitor import Looking, Visitor
from identity_service.audit import ExportHeader, verify
from identity_service.cycles import turn
from identity_service.engines import engine
from identity_service.store import audit_trail, trail_pages
from identity_service.store.audit_trail import TrailPosition
from identity_service.store.instances import Head
from identity_service.store.trail_pages import Record

router = APIRouter()
router.include_router(audit_export.router)
#: Records of a page, reports shown of one, characters shown of a context.
PAGE: Final = 25
SHOWN: Final = 5
CONTEXT: Final = 200
#: Most reports that one verification replays; more are for `identity-os verify`, which has no time limit.
MOST_REPLAYED: Final = 20_000
_KINDS: Final = {
    "created": "created",
    "retest": "given a test's result",
    "rebaseline": "decided: this is the new normal",
    "last_stable": "decided: back to the last calm state",
    "initial": "decided: back to its birth",
    "default": "decided: a neutral start",
    "upgrade": "decided: another engine takes over",
}


@router.get("/agents/{instance_id}/audit", name="audit")
async def show(
    request: Request,
    begun: BegunAgent,
    visitor: Looking,
    instance_id: str,
    before: Annotated[int | None, Query(ge=1, le=10**12)] = None,
    seq: Annotated[int, Query(ge=0, le=10**12)] = 0,
) -> Response:
    """The records, newest first. `before`, `seq`: the position that the page ends at, from the link on the newer page."""
    head = find(visitor, instance_id, begun)
    position = head.trail_position()
    if before is not None:
        position = replace(position, number=min(before, position.number), previous="", seq=min(seq, head.seq))
    return _page(request, visitor, head, position)


@router.get("/agents/{instance_id}/audit/verify", name="verify")
async def check(request: Request, begun: BegunAgent, visitor: Looking, instance_id: str) -> Response:
    """The newest records, with the verdict on all of them. It reads and replays the whole trail."""
    head = find(visitor, instance_id, begun)
    records = (record for record, _ in audit_trail.records(head.trail_position()))
    verification = verify(ExportHeader.from_head(head), records, MOST_REPLAYED)
    return _page(request, visitor, head, head.trail_position(), verification=verification)


def _page(request: Request, visitor: Visitor, head: Head, position: TrailPosition, verification: Any = None) -> Response:
    reports, events, keys, people = reads.together(
        lambda: trail_pages.observations(position, PAGE),
        lambda: trail_pages.events(position, PAGE),
        *reads.who(visitor.account_id),
    )
    records, older = trail_pages.merged(position, [*reports, *events], PAGE)
    if not records and position.number > 1:
        raise HTTPException(404)
    return page(
        request,
        "audit.html",
        visitor,
        here="agents",
        tab="audit",
        head=head,
        state=turn(head)["stress_state"],
        rows=[_row(record, keys | people) for record in records],
        older=older and {"before": older.number, "seq": older.seq},
        newest=position.number == head.records + 1,
        verification=verification,
        replay_limit=MOST_REPLAYED,
    )


def _row(record: Record, names: dict[str, str]) -> dict[str, Any]:
    fields = record.fields
    actor = fields.get("actor", "")
    result = record.result if fields["kind"] == "observations" else engine(fields["engine_version"]).snapshot(record.result)
    return {
        "number": record.number,
        "at": fields["at"],
        "kind": fields["kind"],
        "words": _KINDS.get(fields["kind"], fields["kind"]),
        "note": fields.get("note", ""),
        "actor": actor,
        "who": names.get(actor, actor) or "not recorded",
        "stress": result["stress_state"],
        "energy": result["energy_level"],
        "digest": fields["digest"],
        "count": len(record.observations),
        "reports": [_report(row) for row in record.observations[:SHOWN]],
    }


def _report(row: dict[str, Any]) -> dict[str, Any]:
    context = json.dumps(row["context"], ensure_ascii=False, sort_keys=True) if row["context"] else ""
    return {
        "mode": row["mode_target"].replace("_", " ").lower(),
        "strength": row["signal_strength"],
        "confidence": row["confidence"],
        "incident": row.get("severity") == "incident",
        "context": context if len(context) <= CONTEXT else context[:CONTEXT] + " …",
    }
