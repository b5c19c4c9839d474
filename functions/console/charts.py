"""The charts of the pages. They are imported when one is drawn, so that other pages do not load svg.py."""

from markupsafe import Markup

from identity_engine import MODE_TITLES, Vector


def modes(strengths: Vector, title: str) -> Markup:
    """A radar of the seven modes."""
    from identity_charts import Axis, radar

    axes = [Axis(name, strength) for name, strength in zip(MODE_TITLES, strengths, strict=True)]
    return Markup(radar(axes, title=title))  # noqa: S704  identity_charts escapes every text
