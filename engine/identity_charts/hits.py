"""What can be pointed at in a timeline: columns over all panels, each with a title and, if asked for, a link.

A column is wide enough to be hit. In a long series it stands for several cycles and leads to the one with the most stress; zoom
shows each on its own.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from svg import Element

from identity_charts import draw
from identity_charts.frame import Frame
from identity_charts.marks import Link
from identity_charts.values import Point, Scale


def columns(
    frame: Frame, top: float, bottom: float, stretches: Sequence[Sequence[Point]], scale: Scale, unit: str, link: Link | None
) -> Iterator[Element]:
    """The columns, from left to right."""
    cycles = max(1, int(-(-frame.sizes.hit // frame.step)))
    for stretch in stretches:
        for _, members in groupby(stretch, lambda point: (point.cycle - frame.first) // cycles):
            group = list(members)
            left, right = frame.edge(group[0].cycle), frame.edge(group[-1].cycle + 1)
            worst = max(group, key=lambda point: point.stress)
            title = said(worst, scale, unit)
            if len(group) > 1:
                title = f"{unit}s {group[0].cycle} to {group[-1].cycle}, most stress at {title}"
            area = draw.rect(left, top, right - left, bottom - top, "ic-hit", title=title)
            yield draw.link(link(worst.cycle), title, [area]) if link else area


def said(point: Point, scale: Scale, unit: str) -> str:
    """A cycle in words.

    >>> said(Point(7, 0.712, "HIGH", 0.3, 0.281, "D2", 8), Scale(0.3, 0.55, 0.87, 0.08, 0.24, 0.4, 12), "report")
    'report 7: stress 0.71 HIGH, energy 0.30, drift 0.28 D2, 8 of 12 actions'
    """
    drift = "" if point.drift is None else f", drift {point.drift:.2f} {point.drift_level or ''}".rstrip()
    return (
        f"{unit} {point.cycle}: stress {point.stress:.2f} {point.stress_state}, energy {point.energy:.2f}{drift}, "
        f"{point.allowed} of {scale.actions} actions"
    )
