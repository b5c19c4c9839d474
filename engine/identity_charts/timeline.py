"""The timeline of an agent: what happened, stress, energy, drift and allowed actions over the cycles, one below the other."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isfinite

from svg import Element

from identity_charts import draw, panels
from identity_charts.frame import AIR, COMPACT, HEADING, ROW, WIDE, Frame
from identity_charts.hits import columns
from identity_charts.lines import stretches, ticks
from identity_charts.marks import Link, counted, guides, row
from identity_charts.values import KINDS, STATES, Mark, Point, Scale


def timeline(
    points: Sequence[Point],
    marks: Sequence[Mark],
    scale: Scale,
    *,
    width: int,
    compact: bool = False,
    zoom: tuple[int, int] | None = None,
    link: Link | None = None,
    title: str = "Timeline",
    unit: str = "report",
    standalone: bool = False,
) -> str:
    """The SVG of a series of cycles, the same bytes each time.

    `width`: pixels, at which text has its size; the image shrinks with its place. `compact`: for places of 280 to 480 pixels.
    `zoom`: the first and the last cycle to show. `link`: the address of a cycle; with it points and marks are links. `unit`:
    what a cycle is called. `standalone`: for a file of its own.

    ValueError: cycles do not rise, a value is no number, or a state or kind is unknown.
    """
    _check(points, marks)
    if zoom is not None:
        points = [point for point in points if zoom[0] <= point.cycle <= zoom[1]]
        marks = [mark for mark in marks if zoom[0] <= mark.cycle <= zoom[1]]
    if not points:
        words = f"No {unit}s yet." if zoom is None else f"No {unit}s from {zoom[0]} to {zoom[1]}."
        line = draw.text(width / 2, 44, words, "ic-muted", anchor="middle")
        return draw.document(width, 80, [line], title=title, description=words, standalone=standalone)
    marks = sorted(marks, key=lambda mark: mark.cycle)
    sizes = COMPACT if compact else WIDE
    cycles = [*(point.cycle for point in points), *(mark.cycle for mark in marks)]
    frame = Frame(1, width - sizes.aside, min(cycles), max(cycles), sizes)
    elements, height = _elements(frame, points, marks, scale, unit, link)
    return draw.document(
        width,
        height,
        elements,
        title=title,
        description=_description(points, marks, unit),
        classes=["ic-timeline"],
        links=link is not None,
        standalone=standalone,
    )


def _elements(
    frame: Frame, points: Sequence[Point], marks: Sequence[Mark], scale: Scale, unit: str, link: Link | None
) -> tuple[list[Element], float]:
    """All elements from the back to the front, and the height that they take."""
    parts, sizes = stretches(points), frame.sizes
    y = 0.0
    rows: list[Element] = []
    for kind in KINDS:
        if of_kind := [mark for mark in marks if mark.kind == kind]:
            rows += row(frame, y + ROW / 2, kind, of_kind, unit, link)
            y += ROW
    top = y + 4
    drawn: list[Element] = []
    anchored = any(point.drift is not None for point in points)
    for panel, height in (
        (panels.stress, sizes.stress),
        (panels.energy, sizes.energy),
        (panels.drift, sizes.drift if anchored else 0),
        (panels.allowed, sizes.allowed),
    ):
        y += HEADING + AIR if y else HEADING
        drawn += panel(frame, y, parts, scale)
        y += height
    behind = [*_holes(frame, top, y, parts, unit), *guides(frame, marks, top, y)]
    hits = columns(frame, top, y, parts, scale, unit, link)
    return [*drawn, *behind, *_axis(frame, y, unit), *hits, *rows], y + 22


def _holes(frame: Frame, top: float, bottom: float, parts: Sequence[Sequence[Point]], unit: str) -> Iterator[Element]:
    """Where nothing is known."""
    for before, after in pairwise(parts):
        first, last = before[-1].cycle + 1, after[0].cycle - 1
        left, right = frame.edge(first), frame.edge(last + 1)
        yield draw.rect(left, top, right - left, bottom - top, "ic-hole", title=f"no {unit}s from {first} to {last}")


def _axis(frame: Frame, y: float, unit: str) -> Iterator[Element]:
    """Round cycle numbers under the last panel."""
    for cycle in ticks(frame.first, frame.last, max(2, int((frame.right - frame.left) / frame.sizes.tick))):
        x = frame.x(cycle)
        yield draw.line(x, y, x, y + 4, "ic-tick")
        # A number is centred where it fits between the edges.
        half = 4 * len(str(cycle))
        at = min(max(x, frame.left + half), frame.right - half)
        yield draw.text(at, y + 17, str(cycle), "ic-muted", anchor="middle")
    yield draw.text(frame.right + 8, y + 17, f"{unit}s", "ic-muted")


def _description(points: Sequence[Point], marks: Sequence[Mark], unit: str) -> str:
    """The series in words, for who cannot see it."""
    last, worst = points[-1], max(points, key=lambda point: point.stress)
    drift = "" if last.drift_level is None else f", drift {last.drift_level}"
    least = min(point.energy for point in points)
    return (
        f"{unit.capitalize()}s {points[0].cycle} to {last.cycle}. "
        f"Most stress {worst.stress:.2f} {worst.stress_state} at {worst.cycle}; least energy {least:.2f}. "
        f"At the end stress {last.stress:.2f} {last.stress_state}, energy {last.energy:.2f}{drift}, "
        f"{last.allowed} allowed actions. Marks: {counted(marks) or 'none'}."
    )


def _check(points: Sequence[Point], marks: Sequence[Mark]) -> None:
    """Refuse what could only be drawn wrongly."""
    for point in points:
        numbers = (point.stress, point.energy, *(() if point.drift is None else (point.drift,)))
        if not all(map(isfinite, numbers)):
            raise ValueError(f"cycle {point.cycle}: stress, energy and drift must be numbers")
        if point.stress_state not in STATES:
            raise ValueError(f"cycle {point.cycle}: stress_state is one of {', '.join(STATES)}, not {point.stress_state!r}")
    for before, after in pairwise(points):
        if after.cycle <= before.cycle:
            raise ValueError(f"cycle {after.cycle} comes after {before.cycle}: cycles must rise")
    for mark in marks:
        if mark.kind not in KINDS:
            raise ValueError(f"cycle {mark.cycle}: kind is one of {', '.join(KINDS)}, not {mark.kind!r}")
