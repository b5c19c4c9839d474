"""The audit trail as a file, in the format of `identity-os export`. A long trail comes in parts, which together are that file.

A Lambda response has 6 MB at most, so a part has a number of records, and one that is too large is offered as its halves. The
first line of the file says what the records add up to: it is taken when the parts are listed, and travels, sealed, in the link
of the first part. So an agent that goes on reporting does not spoil the file.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from functions.console import cookies
from functions.console.agents import BegunAgent, find
from functions.console.render import page
from functions.console.urls import url_for
from functions.console.visitor import Looking, Visitor
from identity_engine import canonical, snapshot_view
from identity_service.audit import ExportHeader, header_line
from identity_service.store import audit_trail
from identity_service.store.instances import Head
from identity_service.store.packing import STATE, pack, unpack

router = APIRouter()
#: Records of a part, and its bytes at most, as they are inside Lambda's own JSON: a record has some two million at most.
PART: Final = 1000
LARGEST: Final = 3_500_000
#: How long the link of a first part works, in seconds.
_KEPT: Final = 3600
_CUT: Final = "export"
Number = Annotated[int, Query(ge=1, le=10**12)]


@router.get("/agents/{instance_id}/audit/export", name="export")
async def export(
    request: Request,
    begun: BegunAgent,
    visitor: Looking,
    instance_id: str,
    first: Number = 1,
    last: Annotated[int | None, Query(ge=1, le=10**12)] = None,
    cut: Annotated[str, Query(max_length=20_000)] = "",
) -> Response:
    """The file, a part of it, or the list of its parts."""
    head = find(visitor, instance_id, begun)
    if last is None and head.records > PART:
        return _parts(request, visitor, head, _ranges(1, head.records, PART))
    last = min(last or head.records, head.records)
    if first > last:
        raise HTTPException(404)
    header = _unsealed(head, cut) if cut else ExportHeader.from_head(head)
    lines, size = [header_line(header)] if first == 1 else [], 0
    for record, _ in islice(audit_trail.records(head.trail_position(), first), last - first + 1):
        lines.append(canonical(record))
        size += len(json.dumps(lines[-1]))
        if size > LARGEST and first < last:
            return _parts(request, visitor, head, _ranges(first, last, -(-(last - first + 1) // 2)), 413, cut)
    whole = (first, last) == (1, head.records)
    name = f"{head.id}-audit.jsonl" if whole else f"{head.id}-audit-{first:07d}-{last:07d}.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response("".join(f"{line}\n" for line in lines), 200, headers, "application/x-ndjson")


def _ranges(first: int, last: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size - 1, last)) for start in range(first, last + 1, size)]


def _parts(
    request: Request, visitor: Visitor, head: Head, ranges: list[tuple[int, int]], status: int = 200, cut: str = ""
) -> Response:
    cut = cut or _sealed(ExportHeader.from_head(head))
    parts = []
    for first, last in ranges:
        query = {"first": first, "last": last, "cut": cut if first == 1 else ""}
        parts.append({"first": first, "last": last, "url": url_for("export", query, instance_id=head.id)})
    state = snapshot_view(head.state)["stress_state"]
    return page(request, "export.html", visitor, status, here="agents", tab="audit", head=head, state=state, parts=parts)


def _sealed(header: ExportHeader) -> str:
    packed = pack(header.state, STATE)
    return cookies.seal(_CUT, asdict(header) | {"state": urlsafe_b64encode(packed).decode()}, _KEPT)


def _unsealed(head: Head, cut: str) -> ExportHeader:
    values = cookies.unseal(_CUT, cut)
    if values is None or values["instance_id"] != head.id:
        raise HTTPException(400, "This link is older than an hour. Go back to the audit trail, and export it again.")
    values["state"] = unpack(urlsafe_b64decode(values["state"]))
    return ExportHeader(**{name: values[name] for name in ExportHeader.__slots__})
