"""The timeline of an agent as SVG, from what its records keep. Imported when one is drawn, as `charts` says."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from markupsafe import Markup

from functions.console.charts import wide_and_compact
from functions.console.story import DECISIONS
from identity_charts import Mark, MarkKind, Point, Scale, drift_marks, timeline
from identity_engine import ACTIONS
from identity_service.store.timeline import Row


def drawn(rows: Sequence[Row], limits: Mapping[str, float], link: Callable[[int], str], title: str) -> tuple[Markup, Markup]:
    """Both charts of rows that come newest first. `link`: the address of a report, by its number.

    `limits`: the thresholds of the agent, as its engine gives them.
    """
    known = [row for row in reversed(rows) if row.figures.get("allowed_count") is not None]
    points = [_point(row) for row in known]
    marks = [*drift_marks(points), *_marks(known)]
    med, high, over, d1, d2, d3 = (limits[name] for name in ("MED", "HIGH", "OVER", "D1", "D2", "D3"))
    scale = Scale(med, high, over, d1, d2, d3, len(ACTIONS))
    return wide_and_compact(
        lambda width, compact: timeline(points, marks, scale, width=width, compact=compact, link=link, title=title)
    )


def _point(row: Row) -> Point:
    names = ("stress_strength", "stress_state", "energy_level", "drift_distance", "drift_level", "allowed_count")
    return Point(row.seq, *(row.figures[name] for name in names))


def _marks(rows: Sequence[Row]) -> Iterator[Mark]:
    paused = escalated = False
    for row in rows:
        context = row.observation["context"]
        if row.observation.get("severity") == "incident":
            yield Mark(row.seq, "incident", str(context.get("tool", "")))
        if row.denied:
            yield Mark(row.seq, "denial", ": ".join(str(context[name]) for name in ("tool", "reason") if context.get(name)))
        if row.figures["rolled_back"]:
            yield Mark(row.seq, "rollback", "its last stable self is put back")
        if row.figures["paused"] and not paused:
            yield Mark(row.seq, "pause", "the contract asks for a pause")
        if row.figures["escalated"] and not escalated:
            yield Mark(row.seq, "escalation", "the contract asks for a person")
        paused, escalated = row.figures["paused"], row.figures["escalated"]
        for event in row.events:
            kind: MarkKind = "decision" if event["kind"] in DECISIONS else "reset"
            note = f": {event['note']}" if event.get("note") else ""
            yield Mark(row.seq, kind, f"{event['kind'].replace('_', ' ')}{note}")
        if row.events:
            paused = escalated = False
