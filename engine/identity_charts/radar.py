"""A radar of axes from 0 to 1, such as the modes of a tested personality."""

from collections.abc import Sequence
from math import cos, isfinite, pi, sin

from svg import Element

from identity_charts import draw
from identity_charts.values import Axis

_RINGS = (0.25, 0.5, 0.75, 1.0)
#: Room for names beside and above the largest ring.
_SIDE, _ABOVE = 84, 36


def radar(axes: Sequence[Axis], *, width: int = 400, title: str = "Profile", standalone: bool = False) -> str:
    """The SVG of a profile, the first axis upwards, the others clockwise; each with its name and its figure.

    ValueError: fewer than three axes, or a value is no number.
    """
    if len(axes) < 3:
        raise ValueError(f"a radar has three axes or more, not {len(axes)}")
    for axis in axes:
        if not isfinite(axis.value):
            raise ValueError(f"{axis.name}: the value must be a number")
    radius = width / 2 - _SIDE
    height = 2 * (radius + _ABOVE)

    def at(index: int, share: float) -> tuple[float, float]:
        angle = 2 * pi * index / len(axes)
        return width / 2 + radius * share * sin(angle), height / 2 - radius * share * cos(angle)

    def outline(shares: Sequence[float]) -> str:
        corners = [" ".join(str(draw.number(value)) for value in at(index, share)) for index, share in enumerate(shares)]
        return f"M{'L'.join(corners)}Z"

    shares = [min(max(axis.value, 0.0), 1.0) for axis in axes]
    elements: list[Element] = [draw.path(outline([ring] * len(axes)), "ic-ring") for ring in _RINGS]
    elements += [draw.line(*at(index, 0), *at(index, 1), "ic-grid") for index in range(len(axes))]
    elements.append(draw.path(outline(shares), "ic-profile"))
    for index, (axis, share) in enumerate(zip(axes, shares, strict=True)):
        x, y = map(draw.number, at(index, share))
        name = f"{axis.name}: {axis.value:.2f}"
        elements.append(draw.path(f"M{x} {y}h0", "ic-line", "ic-vertex", title=name))
        elements += _label(axis, *at(index, 1), width / 2, height / 2)
    said = ", ".join(f"{axis.name} {axis.value:.2f}" for axis in axes)
    return draw.document(
        width, height, elements, title=title, description=f"{said}.", classes=["ic-radar"], standalone=standalone
    )


def _label(axis: Axis, x: float, y: float, middle_x: float, middle_y: float) -> list[Element]:
    """Name and figure beside the end of an axis, away from the middle, a word on each line."""
    side, down = x - middle_x, (y - middle_y) / middle_y
    if abs(side) < 1:
        return [draw.text(x, y - 12 if down < 0 else y + 22, axis.name, anchor="middle", value=f"{axis.value:.2f}")]
    words = axis.name.split()
    # Over the middle the lines stand on the axis' end, below it they hang, between them they are beside it.
    first = y + 6 + 8 * down - 7 * len(words)
    anchor: draw.Anchor = "start" if side > 0 else "end"
    x += 9 if side > 0 else -9
    lines = [draw.text(x, first + 14 * at, word, anchor=anchor) for at, word in enumerate(words)]
    return [*lines, draw.text(x, first + 14 * len(words), f"{axis.value:.2f}", "ic-value", anchor=anchor)]
