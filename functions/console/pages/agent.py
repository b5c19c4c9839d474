"""One agent: its contract now and what is held back, its timeline, its latest reports, and the record of each."""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response
from markupsafe import Markup
from starlette.exceptions import HTTPException

from functions.console import reads, story, words
from functions.console.agents import BegunAgent, Standing, find
from functions.console.render import page
from functions.console.urls import url_for
from functions.console.visitor import Looking
from identity_engine import ALWAYS_FORBIDDEN
from identity_service.engines import engine
from identity_service.replays import state_after
from identity_service.store import timeline
from identity_service.store.instances import Head
from identity_service.store.timeline import Row

router = APIRouter()
#: Cycles that a timeline shows, and how many of the latest are told in words.
ZOOMS: Final = (100, 1000)
_TOLD, _LINES = 40, 8
#: htmx says so; the whole page is for browsers without it.
_PART: Final = "HX-Request"


@router.get("/agents/{instance_id}", name="agent")
async def show(
    request: Request,
    begun: BegunAgent,
    visitor: Looking,
    instance_id: str,
    seen: Annotated[int, Query(ge=0, le=10**12)] = 0,
    live: Annotated[str, Query(max_length=1)] = "1",
) -> Response:
    """The agent now. htmx asks again with the version that it has `seen`, and gets nothing while nothing has changed."""
    head = find(visitor, instance_id, begun)
    if seen == head.version:
        return Response(status_code=204)
    rows = _page(head, head.seq, _TOLD)
    standing = Standing.of(head)
    return page(
        request,
        "agent.html",
        visitor,
        here="agents",
        # The timeline hears of it and renews itself, too.
        headers={"HX-Trigger": "renewed"} if _PART in request.headers else None,
        agent=standing,
        head=head,
        held_back=words.held_back(standing),
        never=ALWAYS_FORBIDDEN,
        style=list(words.style(standing)),
        latest=story.latest(rows, _LINES),
        icon=_icon,
        live=live != "0",
    )


@router.get("/agents/{instance_id}/timeline", name="agent_timeline")
async def chart(
    request: Request,
    begun: BegunAgent,
    visitor: Looking,
    instance_id: str,
    cycles: Annotated[int, Query(ge=1, le=1000)] = ZOOMS[0],
    before: Annotated[int | None, Query(ge=1, le=10**12)] = None,
) -> Response:
    """The timeline: alone for htmx, as a page for a browser without it."""
    from functions.console.timeline_chart import drawn

    head = find(visitor, instance_id, begun)
    newest = head.seq if before is None else min(before - 1, head.seq)
    rows = _page(head, newest, cycles)
    # A chart has some hundred links: without scheme and host they are a tenth of it shorter.
    reports = urlsplit(url_for("report", instance_id=head.id, seq=0)).path.removesuffix("0")
    limits = engine(head.engine_version).thresholds(head.document())
    wide, compact = drawn(rows, limits, lambda seq: f"{reports}{seq}", f"Timeline of {head.name}")
    values: dict[str, Any] = {
        "head": head,
        "wide": wide,
        "compact": compact,
        "rows": rows,
        "cycles": cycles,
        "zooms": ZOOMS,
        "before": before,
        "older": rows[-1].seq if rows and rows[-1].seq > 1 else None,
        "unknown": sum(row.figures.get("allowed_count") is None for row in rows),
    }
    template = "timeline.html" if _PART in request.headers else "agent_timeline.html"
    return page(request, template, visitor, here="agents", **values)


@router.get("/agents/{instance_id}/reports/{seq}", name="report")
async def report(request: Request, begun: BegunAgent, visitor: Looking, instance_id: str, seq: int) -> Response:
    """The record of the request that brought this report: observations, what they led to, who, and the digest."""
    head = find(visitor, instance_id, begun)
    if not 1 <= seq <= head.seq:
        raise HTTPException(404)
    found, after, (decided, encoded), keys, people = reads.together(
        lambda: timeline.record_at(head.partition(), seq, head.seq),
        lambda: timeline.events_after(head.partition(), seq, min(seq + 99, head.seq), 100),
        lambda: state_after(head, seq),
        *reads.who(visitor.account_id),
    )
    if found is None:
        raise HTTPException(404)
    observations: list[Any] = found["observations"]
    last = found["first"] + len(observations) - 1
    standing = Standing.after(head, decided["engine_version"], encoded)
    return page(
        request,
        "report.html",
        visitor,
        here="agents",
        head=head,
        seq=seq,
        record=found,
        rows=[Row(number, each, found["figures"].get(number, {})) for number, each in enumerate(observations, found["first"])],
        decisions=after.get(last, []),
        names=keys | people,
        agent=standing,
        held_back=words.held_back(standing),
        earlier=found["first"] - 1,
        later=last + 1 if last < head.seq else None,
    )


def _page(head: Head, newest: int, limit: int) -> list[Row]:
    # Looked up at each call, so that a test can count the reads that run together.
    return timeline.page(head.partition(), newest, limit, lambda *each: reads.together(*each))


def _icon(kind: str) -> Markup:
    from identity_charts import icon

    return Markup(icon(kind)) if kind else Markup()  # type: ignore[arg-type]  # noqa: S704 - a shape of identity_charts
