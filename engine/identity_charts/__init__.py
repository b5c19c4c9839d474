"""Charts as SVG, drawn on the server: plain values in, one string out, the same bytes each time.

    timeline(points, marks, scale)     radar(axes)     bars(days)     icon(name)     stylesheet()

Classes and presentation attributes only, no script and no style attribute, so that a page with a strict CSP can hold them; the
page has `stylesheet()` once. It knows nothing of the engine: values and thresholds are the caller's. Needs svg.py, the extra
`charts` of identity-os-engine.
"""

from identity_charts.bars import bars
from identity_charts.radar import radar
from identity_charts.shapes import icon
from identity_charts.style import DARK, LIGHT, stylesheet
from identity_charts.timeline import timeline
from identity_charts.values import Axis, Day, Mark, MarkKind, Point, Scale, drift_marks

__all__ = [
    "DARK",
    "LIGHT",
    "Axis",
    "Day",
    "Mark",
    "MarkKind",
    "Point",
    "Scale",
    "bars",
    "drift_marks",
    "icon",
    "radar",
    "stylesheet",
    "timeline",
]
