"""Series to lines: where they break, and which of their corners can be left out."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from identity_charts.values import Point

Corner = tuple[float, float]

#: Pixels that a line may pass beside a corner that is left out.
TOLERANCE = 0.4
#: A hole is wider than so many usual steps.
_HOLE = 1.5


def stretches(points: Sequence[Point]) -> list[list[Point]]:
    """Points without a hole between them. A series may keep every tenth cycle only, so a hole is wider than what is usual.

    >>> [[point.cycle for point in part] for part in stretches([Point(c, 0, "LOW", 1, 0, "D0", 12) for c in (1, 2, 3, 9, 10)])]
    [[1, 2, 3], [9, 10]]
    """
    if len(points) < 2:
        return [list(points)]
    usual = median(after.cycle - before.cycle for before, after in pairwise(points))
    parts = [[points[0]]]
    for before, after in pairwise(points):
        if after.cycle - before.cycle > _HOLE * usual:
            parts.append([])
        parts[-1].append(after)
    return parts


def simplified(corners: Sequence[Corner], tolerance: float = TOLERANCE) -> list[Corner]:
    """The corners that matter: without the others the line is off by `tolerance` at most, measured upright.

    Ramer, Douglas and Peucker's algorithm, without recursion.

    >>> simplified([(0, 0), (1, 0.1), (2, 0), (3, 9), (4, 0)])
    [(0, 0), (2, 0), (3, 9), (4, 0)]
    """
    if len(corners) < 3:
        return list(corners)
    keep = {0, len(corners) - 1}
    spans = [(0, len(corners) - 1)]
    while spans:
        first, last = spans.pop()
        (x1, y1), (x2, y2) = corners[first], corners[last]
        slope = (y2 - y1) / (x2 - x1)
        farthest, distance = first, tolerance
        for at in range(first + 1, last):
            off = abs(corners[at][1] - y1 - slope * (corners[at][0] - x1))
            if off > distance:
                farthest, distance = at, off
        if farthest != first:
            keep.add(farthest)
            spans += [(first, farthest), (farthest, last)]
    return [corners[at] for at in sorted(keep)]


def ticks(first: int, last: int, most: int) -> list[int]:
    """Round numbers between two, at most so many: steps of 1, 2 or 5 times a power of ten.

    >>> ticks(1, 206, 6), ticks(3, 3, 6)
    ([50, 100, 150, 200], [3])
    """
    step, factor = 1, 0
    while last // step - (first - 1) // step > most:
        factor += 1
        step = (1, 2, 5)[factor % 3] * 10 ** (factor // 3)
    return list(range(-(-first // step) * step, last + 1, step)) or [first]
