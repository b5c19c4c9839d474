"""The shapes that tell kinds of marks and stress states apart without colour, each about a point."""

from typing import Final

import svg

from identity_charts import draw
from identity_charts.values import KINDS, STATES, MarkKind, StressState

#: Paths about (0, 0) within -5..5, drawn as lines.
_MARKS: Final[dict[MarkKind, str]] = {
    "incident": "M0-5V1.5M0 4.6V4.8",  # an exclamation mark
    "denial": "M-4-4L4 4M-4 4L4-4",  # a cross
    "d2": "M0-4.5L4.5 0L0 4.5L-4.5 0Z",  # a hollow diamond
    "d3": "M0-5L5 0L0 5L-5 0ZM0-1.5L1.5 0L0 1.5L-1.5 0Z",  # the same with a kernel
    "rollback": "M4 4.5V1A3.5 3.5 0 0 0 .5-2.5H-4.5M-1.5-5.5L-4.5-2.5L-1.5.5",  # an arrow that turns back
    "pause": "M-2.5-4.5V4.5M2.5-4.5V4.5",  # two bars
    "escalation": "M0 5V-4.5M-4-.5L0-4.5L4-.5",  # an arrow upwards
    "reset": "M3.5-3A4.5 4.5 0 1 0 4.5 1M3.8-5.5V-2.6H1",  # a round arrow
    "decision": "M-4.5.5L-1.5 4L4.5-4",  # a tick
}

#: Filled: a circle, a triangle, a diamond, a square.
_STATES: Final = {
    "LOW": "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0-4 0Z",
    "MED": "M0-4.2L4.6 3.8H-4.6Z",
    "HIGH": "M0-5L5 0L0 5L-5 0Z",
    "OVER": "M-4-4H4V4H-4Z",
}


def mark_path(kind: MarkKind) -> str:
    """The outline of a kind of mark."""
    return _MARKS[kind]


def state_path(state: str) -> str:
    """The solid shape of a stress state."""
    return _STATES[state]


def icon(name: StressState | MarkKind) -> str:
    """A shape of 12 pixels to stand beside its word in a page. It says nothing to assistive technology: the word does.

    ValueError: neither a stress state nor a kind of marks.
    """
    if name in _STATES:
        shape = draw.path(state_path(name), "ic-solid", f"ic-{name.lower()}")
    elif name in _MARKS:
        shape = draw.group([draw.path(_MARKS[name], "ic-shape")], "ic-mark", f"ic-{name}")
    else:
        raise ValueError(f"a shape is one of {', '.join((*STATES, *KINDS))}, not {name!r}")
    box = svg.ViewBoxSpec(-6, -6, 12, 12)
    return str(svg.SVG(viewBox=box, width=12, height=12, class_=["ic-icon"], extra={"aria-hidden": "true"}, elements=[shape]))
