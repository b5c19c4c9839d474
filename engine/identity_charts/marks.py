"""The rows of marks above a timeline: one for each kind that occurs, with its shape, its word and how often it came.

Marks that would touch become one shape at the first of them, with their number beside it and a title that lists them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from svg import Element

from identity_charts import draw
from identity_charts.frame import Frame
from identity_charts.shapes import mark_path
from identity_charts.values import KINDS, Mark, MarkKind

#: Room for a shape, and for a shape with a number beside it.
_ROOM, _ROOM_COUNTED = 14, 30
#: How many lines the title of a merged mark has, and how long each is: texts come from strangers.
_LINES, _LONG = 8, 100
#: Kinds that change what all panels show from there on: a line goes down through them.
_GUIDED = ("incident", "d3", "rollback", "pause", "escalation", "reset", "decision")

Link = Callable[[int], str]


def merged(frame: Frame, marks: Sequence[Mark]) -> list[list[Mark]]:
    """Marks of one kind, in order; those that would touch the shape before them stand together with it."""
    groups: list[list[Mark]] = []
    for mark in marks:
        room = 0 if not groups else _ROOM if len(groups[-1]) == 1 else _ROOM_COUNTED
        if room and frame.x(mark.cycle) - frame.x(groups[-1][0].cycle) < room:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    # At the right edge a number has no room, so the last group stands to the left of its place; not on another, though.
    if len(groups) > 1:
        *_, before, last = groups
        moved = _place(frame, last) < frame.x(last[0].cycle)
        if moved and _place(frame, last) - frame.x(before[0].cycle) < _ROOM_COUNTED:
            before += groups.pop()
    return groups


def _place(frame: Frame, together: Sequence[Mark]) -> float:
    """Where the shape of one or several marks stands."""
    x = frame.x(together[0].cycle)
    return x if len(together) == 1 else min(x, frame.right + _ROOM / 2 - _ROOM_COUNTED)


def guides(frame: Frame, marks: Sequence[Mark], top: float, bottom: float) -> Iterator[Element]:
    """Lines from marks down through the panels, none beside another."""
    before = -1.0 * _ROOM
    for mark in marks:
        x = frame.x(mark.cycle)
        if mark.kind in _GUIDED and x - before >= 4:
            before = x
            yield draw.line(x, top, x, bottom, "ic-guide")


def row(frame: Frame, y: float, kind: MarkKind, marks: Sequence[Mark], unit: str, link: Link | None) -> Iterator[Element]:
    """One row: y is its middle."""
    yield draw.line(frame.left, y, frame.right, y, "ic-rail")
    yield draw.text(frame.right + 8, y + 4, KINDS[kind], value=str(len(marks)))
    for together in merged(frame, marks):
        x = _place(frame, together)
        title = mark_title(kind, together, unit)
        drawn: list[Element] = [*draw.titled(title)]
        # A pointer needs more than the strokes of a shape.
        drawn.append(draw.rect(x - 8, y - 8, 16 if len(together) == 1 else _ROOM_COUNTED, 16, "ic-hit"))
        drawn.append(draw.moved(x, y, draw.path(mark_path(kind), "ic-shape")))
        if len(together) > 1:
            drawn.append(draw.text(x + 8, y + 4, str(len(together)), "ic-count"))
        whole = draw.group(drawn, "ic-mark", f"ic-{kind}")
        yield draw.link(link(together[0].cycle), title.partition("\n")[0], [whole]) if link else whole


def mark_title(kind: MarkKind, marks: Sequence[Mark], unit: str) -> str:
    """What one or several marks stand for, a line each.

    >>> print(mark_title("denial", [Mark(7, "denial", "refund"), Mark(9, "denial", "refund")], "report"))
    denied 2 times, reports 7 to 9
    7: refund
    9: refund
    """
    if len(marks) == 1:
        [mark] = marks
        return f"{KINDS[kind]}, {unit} {mark.cycle}" + (f": {_short(mark.text)}" if mark.text else "")
    lines = [f"{KINDS[kind]} {len(marks)} times, {unit}s {marks[0].cycle} to {marks[-1].cycle}"]
    lines += [f"{mark.cycle}: {_short(mark.text) or KINDS[kind]}" for mark in marks[:_LINES]]
    if len(marks) > _LINES:
        lines.append(f"and {len(marks) - _LINES} more")
    return "\n".join(lines)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONG else f"{line[: _LONG - 1]}…"


def counted(marks: Sequence[Mark]) -> str:
    """How often each kind came, in words: "denied 12, D2 1"."""
    counts = Counter(mark.kind for mark in marks)
    return ", ".join(f"{word} {counts[kind]}" for kind, word in KINDS.items() if counts[kind])
