"""The charts of the pages. They are imported when one is drawn, so that other pages do not load svg.py."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from markupsafe import Markup

from identity_engine import MODE_TITLES, Vector

_WIDE: Final = 1036
_COMPACT: Final = 340


def wide_and_compact(draw: Callable[[int, bool], str]) -> tuple[Markup, Markup]:
    """A chart for a desk and one for a phone; the style sheet shows the one that fits. `draw`: width and whether compact."""
    wide, compact = draw(_WIDE, False), draw(_COMPACT, True)
    return Markup(wide), Markup(compact)  # noqa: S704  identity_charts escapes every text


def modes(strengths: Vector, title: str) -> Markup:
    """A radar of the seven modes."""
    from identity_charts import Axis, radar

    axes = [Axis(name, strength) for name, strength in zip(MODE_TITLES, strengths, strict=True)]
    return Markup(radar(axes, title=title))  # noqa: S704  identity_charts escapes every text


def days(counts: Mapping[date, int], pace: float) -> tuple[Markup, Markup]:
    """Bars of the cycles of each day, wide and compact. `pace`: an even one, drawn where the bars come near it."""
    from identity_charts import Day, bars

    rows = [Day(day, max(count, 0)) for day, count in counts.items()]
    near = pace if max(counts.values()) > pace / 4 else None
    return wide_and_compact(lambda width, compact: bars(rows, width=width, compact=compact, pace=near))
