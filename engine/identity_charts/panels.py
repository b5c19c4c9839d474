"""The panels of a timeline, one function each: stress over its bands, energy, drift over its levels, allowed actions."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise

from svg import Element

from identity_charts import draw
from identity_charts.frame import Frame
from identity_charts.lines import simplified
from identity_charts.shapes import state_path
from identity_charts.values import STATES, Point, Scale

#: Least distance between two names of one column, and least width of a column of allowed actions.
_NAME, _SLOT = 12, 2

Stretches = Sequence[Sequence[Point]]


def stress(frame: Frame, y: float, stretches: Stretches, scale: Scale) -> Iterator[Element]:
    """Stress strength over the bands of its states."""
    height, last = frame.sizes.stress, stretches[-1][-1]
    yield _heading(frame, y, "stress strength", f"{last.stress:.2f} {last.stress_state}")
    for state, (low, high) in zip(STATES, pairwise((0.0, scale.med, scale.high, scale.over, 1.0)), strict=True):
        top, bottom = y + height * (1 - high), y + height * (1 - low)
        yield draw.rect(frame.left, top, frame.right - frame.left, bottom - top, "ic-band", f"ic-{state.lower()}")
        middle = (top + bottom) / 2
        yield draw.moved(frame.right + 14, middle, draw.path(state_path(state), "ic-solid", f"ic-{state.lower()}"))
        yield draw.text(frame.right + 24, middle + 4, state, title=f"{state}: from {low:.2f}")
    yield from _series(frame, stretches, lambda point: y + height * (1 - _share(point.stress)), "ic-stress")


def energy(frame: Frame, y: float, stretches: Stretches, _scale: Scale) -> Iterator[Element]:
    """Energy, from empty to full."""
    height = frame.sizes.energy
    yield _heading(frame, y, "energy", f"{stretches[-1][-1].energy:.2f}")
    for share, word in ((1.0, "full"), (0.0, "empty")):
        level = y + height * (1 - share)
        yield draw.line(frame.left, level, frame.right, level, "ic-grid")
        yield draw.text(frame.right + 8, level + 4, word, "ic-muted")
    yield from _series(frame, stretches, lambda point: y + height * (1 - _share(point.energy)), "ic-energy")


def drift(frame: Frame, y: float, stretches: Stretches, scale: Scale) -> Iterator[Element]:
    """Distance from the anchor, with the levels' lines. It begins where there is an anchor; without one it is a heading."""
    height, last = frame.sizes.drift, stretches[-1][-1]
    known = [point.drift for stretch in stretches for point in stretch if point.drift is not None]
    value = "no anchor yet" if last.drift is None else f"{last.drift:.2f} {last.drift_level or ''}".rstrip()
    yield _heading(frame, y, "drift distance", value)
    if not known:
        return
    top = max([scale.d3 * 1.2, *(distance * 1.05 for distance in known)])
    yield draw.line(frame.left, y + height, frame.right, y + height, "ic-grid")
    below = y + height + _NAME
    for name, distance in (("D1", scale.d1), ("D2", scale.d2), ("D3", scale.d3)):
        level = y + height * (1 - distance / top)
        yield draw.line(frame.left, level, frame.right, level, "ic-grid", "ic-level")
        # Under a far drift the lines lie close together; their names must not.
        below = min(level, below - _NAME)
        yield draw.text(frame.right + 8, below + 4, name, "ic-muted", title=f"{name}: from {distance:.2f}")
    yield from _series(
        frame, stretches, lambda point: None if point.drift is None else y + height * (1 - point.drift / top), "ic-drift"
    )


def allowed(frame: Frame, y: float, stretches: Stretches, scale: Scale) -> Iterator[Element]:
    """How many actions are allowed, in the colour of the stress state."""
    height = frame.sizes.allowed
    bottom = draw.number(y + height)
    yield _heading(frame, y, "allowed actions", f"{stretches[-1][-1].allowed} of {scale.actions}")
    yield draw.line(frame.left, y, frame.right, y, "ic-grid")
    yield draw.text(frame.right + 8, y + 4, str(scale.actions), "ic-muted")
    areas: dict[str, list[str]] = {state: [] for state in STATES}
    edges: dict[str, list[str]] = {state: [] for state in STATES}
    for stretch in stretches:
        for state, count, left, right in _columns(frame, stretch):
            x, end, top = (draw.number(value) for value in (left, right, y + height * (1 - _share(count / scale.actions))))
            areas[state].append(f"M{x} {top}H{end}V{bottom}H{x}Z")
            edges[state].append(f"M{x} {top}H{end}")
    for state in STATES:
        if areas[state]:
            yield draw.path("".join(areas[state]), "ic-band", f"ic-{state.lower()}")
            yield draw.path("".join(edges[state]), "ic-edge", f"ic-{state.lower()}")
    yield draw.line(frame.left, y + height, frame.right, y + height, "ic-grid")


def _heading(frame: Frame, y: float, name: str, value: str) -> Element:
    """A panel's name, and what the series has come to."""
    return draw.text(frame.left, y - 6, name, "ic-muted", value=value)


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _series(frame: Frame, stretches: Stretches, height: Callable[[Point], float | None], name: str) -> Iterator[Element]:
    """A line for each stretch of known values; a dot where there is one value alone."""
    for stretch in stretches:
        for known, members in groupby(stretch, lambda point: height(point) is not None):
            if not known:
                continue
            corners = [(frame.x(point.cycle), y) for point in members if (y := height(point)) is not None]
            if len(corners) > 1:
                yield draw.polyline(simplified(corners), "ic-line", name)
            else:
                x, y = map(draw.number, corners[0])
                yield draw.path(f"M{x} {y}h0", "ic-line", "ic-dot", name)


def _columns(frame: Frame, stretch: Sequence[Point]) -> Iterator[tuple[str, int, float, float]]:
    """State, count, left and right edge of what follows each other with the same state and count.

    In a long series a slot of two pixels stands for all of its cycles, by the worst state and the fewest actions.
    """
    slots: list[tuple[int, str, int]] = []
    for _, members in groupby(stretch, lambda point: int(frame.edge(point.cycle) / _SLOT)):
        group = list(members)
        state = STATES[max(map(_rank, group))]
        slots.append((group[0].cycle, state, min(point.allowed for point in group)))
    runs = [(same, next(members)[0]) for same, members in groupby(slots, lambda slot: slot[1:])]
    ends = [start for _, start in runs[1:]] + [stretch[-1].cycle + 1]
    for ((state, count), start), end in zip(runs, ends, strict=True):
        yield state, count, frame.edge(start), frame.edge(end)


def _rank(point: Point) -> int:
    return next(rank for rank, state in enumerate(STATES) if state == point.stress_state)
