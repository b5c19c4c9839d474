"""What the charts draw: plain values, whoever they come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

StressState = Literal["LOW", "MED", "HIGH", "OVER"]
MarkKind = Literal["incident", "denial", "d2", "d3", "rollback", "pause", "escalation", "reset", "decision"]

#: Stress states, mildest first.
STATES: Final[tuple[StressState, ...]] = ("LOW", "MED", "HIGH", "OVER")
#: Kinds of marks and the words for them, in the order in which their rows stand.
KINDS: Final[dict[MarkKind, str]] = {
    "incident": "incident",
    "denial": "denied",
    "d2": "D2",
    "d3": "D3",
    "rollback": "rolled back",
    "pause": "paused",
    "escalation": "escalated",
    "reset": "reset",
    "decision": "decided",
}


@dataclass(frozen=True, slots=True)
class Point:
    """An agent after one cycle.

    `cycle`: a count that only rises, such as `cycle_count`; the snapshot's own falls at a reset. `stress`, `energy`: 0..1.
    `stress_state`: one of STATES. `drift`: the distance, None before there is an anchor; `drift_level`: "D0".."D3" or None.
    `allowed`: how many actions the contract allows.
    """

    cycle: int
    stress: float
    stress_state: str
    energy: float
    drift: float | None
    drift_level: str | None
    allowed: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a cycle. `text` says what, in words: it may come from strangers."""

    cycle: int
    kind: MarkKind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """What the panels are measured by: strengths from which stress is MED, HIGH and OVER, distances from which drift is D1, D2
    and D3, and how many actions there are. An agent's own may differ from the engine's defaults.
    """

    med: float
    high: float
    over: float
    d1: float
    d2: float
    d3: float
    actions: int


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a radar. What is below 0 is drawn at 0; more than 1 is drawn at 1."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Day:
    """One bar."""

    day: date
    count: int


def drift_marks(points: Sequence[Point]) -> list[Mark]:
    """A mark wherever drift enters D2 or D3.

    >>> at = lambda cycle, level: Point(cycle, 0.0, "LOW", 1.0, 0.3, level, 12)
    >>> [(mark.cycle, mark.kind) for mark in drift_marks([at(1, "D1"), at(2, "D2"), at(3, "D2"), at(4, "D3")])]
    [(2, 'd2'), (4, 'd3')]
    """
    marks, before = [], None
    for point in points:
        if point.drift_level != before:
            distance = "" if point.drift is None else f"distance {point.drift:.2f}"
            if point.drift_level == "D2":
                marks.append(Mark(point.cycle, "d2", distance))
            elif point.drift_level == "D3":
                marks.append(Mark(point.cycle, "d3", distance))
        before = point.drift_level
    return marks
