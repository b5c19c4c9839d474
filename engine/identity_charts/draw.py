"""Elements of an SVG, over svg.py, which escapes nothing: text and addresses come in here and nowhere else.

Colours, fonts and strokes are the stylesheet's, by class. No element has a style attribute: the console's CSP forbids it.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

import svg

from identity_charts.style import stylesheet

#: Around an image that stands alone, and above it for its title.
_MARGIN, _HEAD = 20, 26
#: What XML 1.0 cannot hold, escaped or not.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Anchor = Literal["start", "middle", "end"]


def number(value: float) -> float:
    """To a tenth of a pixel, and whole where it can be: fewer bytes, the same ones everywhere.

    >>> number(12.04), number(0.26)
    (12, 0.3)
    """
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded


def escaped(text: str) -> str:
    """Text as it may stand between tags and in an attribute.

    >>> escaped('<b a="1">' + chr(27))
    '&lt;b a=&quot;1&quot;&gt;\\ufffd'
    """
    return escape(_UNFIT.sub("\ufffd", text))


def titled(text: str) -> list[svg.Element]:
    """The title of a mark, which browsers show on hover, as the first of its elements."""
    return [svg.Title(text=escaped(text))]


def text(
    x: float, y: float, words: str, *classes: str, anchor: Anchor = "start", title: str = "", value: str = ""
) -> svg.Element:
    """A line of text, and a value after it that stands out."""
    content = escaped(words)
    # svg.py writes text or elements, never both.
    if title:
        content = f"{svg.Title(text=escaped(title))}{content}"
    if value:
        content = f"{content} {svg.TSpan(class_=['ic-value'], text=escaped(value))}"
    return svg.Text(
        x=number(x),
        y=number(y),
        class_=["ic-text", *classes],
        text_anchor=None if anchor == "start" else anchor,
        text=content,
    )


def rect(x: float, y: float, width: float, height: float, *classes: str, title: str = "") -> svg.Element:
    """A rectangle."""
    return svg.Rect(
        x=number(x),
        y=number(y),
        width=number(width),
        height=number(height),
        class_=list(classes),
        elements=titled(title) if title else None,
    )


def line(x1: float, y1: float, x2: float, y2: float, *classes: str) -> svg.Element:
    """A straight line."""
    return svg.Line(x1=number(x1), y1=number(y1), x2=number(x2), y2=number(y2), class_=list(classes))


def polyline(corners: Iterable[tuple[float, float]], *classes: str) -> svg.Element:
    """A line through corners. Written out, as paths are: an object for each corner takes ten times as long."""
    points = " ".join(f"{number(x)},{number(y)}" for x, y in corners)
    return svg.Polyline(class_=list(classes), extra={"points": points})


def path(d: str, *classes: str, title: str = "") -> svg.Element:
    """A path, filled or drawn as its classes say."""
    return svg.Path(class_=list(classes), extra={"d": d}, elements=titled(title) if title else None)


def moved(x: float, y: float, element: svg.Element) -> svg.Element:
    """An element that is drawn about (0, 0), somewhere else."""
    return svg.G(transform=[svg.Translate(number(x), number(y))], elements=[element])


def group(elements: Sequence[svg.Element], *classes: str) -> svg.Element:
    """Elements that belong together."""
    return svg.G(class_=list(classes), elements=list(elements))


def link(href: str, name: str, elements: Sequence[svg.Element]) -> svg.Element:
    """A link around elements: reached by the keyboard too, and with a name, since its title is no text."""
    return svg.A(href=escaped(href), class_=["ic-link"], extra={"aria-label": escaped(name)}, elements=list(elements))


def document(
    width: float,
    height: float,
    elements: Sequence[svg.Element],
    *,
    title: str,
    description: str,
    classes: Sequence[str] = (),
    links: bool = False,
    standalone: bool = False,
) -> str:
    """The whole SVG.

    An image to assistive technology: a name, a description and nothing inside. With links inside it is a group, since an image
    would hide them. `standalone`: a file of its own, with the stylesheet, a ground and its title to be seen.
    """
    head: list[svg.Element] = [svg.Title(text=escaped(title)), svg.Desc(text=escaped(description))]
    x, y, across, down = 0.0, 0.0, width, height
    if standalone:
        x, y, across, down = -_MARGIN, -_MARGIN - _HEAD, width + 2 * _MARGIN, height + _HEAD + 2 * _MARGIN
        ground = svg.Rect(x=number(x), y=number(y), width=number(across), height=number(down), rx=12, class_=["ic-ground"])
        head += [svg.Style(text=escaped(stylesheet())), ground, text(1, -_HEAD + 6, title, "ic-title")]
    whole = svg.SVG(
        viewBox=svg.ViewBoxSpec(number(x), number(y), number(across), number(down)),
        width=number(across),
        height=number(down),
        class_=["ic", *classes],
        extra={"role": "group" if links else "img", "aria-label": escaped(title)},
        elements=[*head, *elements],
    )
    return str(whole)
