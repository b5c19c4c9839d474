"""Bars over days, such as the cycles that an account used on each."""

from collections.abc import Sequence
from itertools import pairwise

from svg import Element

from identity_charts import draw
from identity_charts.frame import COMPACT, WIDE
from identity_charts.values import Day

_HEIGHT, _TOP, _ASIDE = 132, 14, 56
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def bars(
    days: Sequence[Day],
    *,
    width: int,
    compact: bool = False,
    pace: float | None = None,
    title: str = "Cycles a day",
    unit: str = "cycle",
    standalone: bool = False,
) -> str:
    """The SVG of a count for each day; days that are missing stay empty. `pace`: a day's count to compare with, as a line.

    ValueError: days do not rise, or a count is below 0.
    """
    for before, after in pairwise(days):
        if after.day <= before.day:
            raise ValueError(f"{after.day} comes after {before.day}: days must rise")
    for day in days:
        if day.count < 0:
            raise ValueError(f"{day.day}: a count is 0 or more, not {day.count}")
    if not days:
        words = draw.text(width / 2, 44, f"No {unit}s yet.", "ic-muted", anchor="middle")
        return draw.document(width, 80, [words], title=title, description=f"No {unit}s yet.", standalone=standalone)
    first, right, bottom = days[0].day, width - _ASIDE, _TOP + _HEIGHT
    number = (days[-1].day - first).days + 1
    top = _round_up(max(1, *(day.count for day in days), pace or 0))
    step = min((right - 1) / number, 48)
    elements: list[Element] = []
    for share in (0, 0.5, 1):
        y = bottom - _HEIGHT * share
        elements.append(draw.line(1, y, right, y, "ic-grid"))
        near_pace = pace is not None and abs(share - pace / top) * _HEIGHT < 12
        if share * top == int(share * top) and not near_pace:
            elements.append(draw.text(right + 8, y + 4, f"{int(share * top):,}", "ic-muted"))
    most = max(1, int(right / (COMPACT if compact else WIDE).tick))
    every = -(-number // most)
    for day in days:
        x, high = 1 + (day.day - first).days * step, _HEIGHT * day.count / top
        said = f"{_date(day)}: {day.count:,} {unit}{'' if day.count == 1 else 's'}"
        gap = step * 0.2
        elements.append(draw.rect(x + gap / 2, bottom - high, step - gap, high, "ic-bar", title=said))
        if (day.day - first).days % every == 0:
            elements.append(draw.text(x, bottom + 17, _date(day), "ic-muted"))
    if pace is not None:
        y = bottom - _HEIGHT * pace / top
        elements.append(draw.line(1, y, right, y, "ic-grid", "ic-pace"))
        elements.append(draw.text(right + 8, y + 4, "pace", title=f"the plan's pace: {pace:,.0f} {unit}s a day"))
    largest = max(days, key=lambda day: day.count)
    total = sum(day.count for day in days)
    said = f"{_date(days[0])} to {_date(days[-1])}: {total:,} {unit}s, most on {_date(largest)}: {largest.count:,}."
    return draw.document(
        width, bottom + 22, elements, title=title, description=said, classes=["ic-bars"], standalone=standalone
    )


def _date(day: Day) -> str:
    return f"{day.day.day} {_MONTHS[day.day.month - 1]}"


def _round_up(value: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ...

    >>> _round_up(3), _round_up(87.5), _round_up(100)
    (5, 100, 100)
    """
    size = 1
    while True:
        for factor in (1, 2, 5):
            if value <= factor * size:
                return factor * size
        size *= 10
