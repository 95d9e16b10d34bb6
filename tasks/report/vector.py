"""Figures as SVG within a page: sharp at any size, searchable, in the reader's own fonts."""

import re
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib.figure import Figure

from foldproof.tasks.report.style import render

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold."""
POINT = re.compile(r"(?<![\w.#-])-?\d+\.\d{3,}(?![\w.])")
"""Coordinates with more decimals than a screen shows."""
DRAWN = ("d", "x", "y", "width", "height", "points")
"""Attributes that hold coordinates."""
LINK = re.compile(r"url\(#([\w-]+)\)")
"""A reference to an id, other than an ``href``, within an attribute."""
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
LOOK = "stroke-linejoin:round;stroke-linecap:butt;white-space:pre"
"""Matplotlib's rule for all elements, here for this picture only; spaces as they are written."""


def vector(figure: Figure, key: str) -> bytes:
    """The figure as an SVG document that also works within a page of HTML.

    Text stays text. Metadata, the style sheet and ids that nothing refers to are left out, and
    coordinates have two decimals, a fiftieth of a pixel.

    Args:
        figure: What to draw.
        key: Makes the ids differ from those of the page's other figures.
    """
    root = ElementTree.fromstring(NO_XML.sub(UNKNOWN, render(figure, "svg").decode()))
    for child in root.findall(f"{SVG}metadata"):
        root.remove(child)
    used = {name for one in root.iter() for entry in one.attrib.items() for name in links(*entry)}
    own = re.sub(r"\W", "_", key)
    for parent in root.iter():
        for sheet in parent.findall(f"{SVG}style"):
            parent.remove(sheet)
        parent.tag = parent.tag.removeprefix(SVG)
        parent.attrib = {
            name.replace(HREF, "href"): value_of(name, value, own)
            for name, value in parent.attrib.items()
            if name != "id" or value in used
        }
    size = {name: value for name, value in root.attrib.items() if name in ("viewBox", "version")}
    root.attrib = {"xmlns": SVG[1:-1], "role": "img", **size, "style": LOOK}
    return ElementTree.tostring(root, encoding="unicode").encode()


def value_of(name: str, value: str, own: str) -> str:
    """An attribute's value: an id and a link to one with ``own`` in front, numbers rounded."""
    if name in DRAWN:
        return POINT.sub(lambda found: f"{float(found.group()):.2f}".rstrip("0").rstrip("."), value)
    if name == "id":
        return f"{own}-{value}"
    if name == HREF and value.startswith("#"):
        return f"#{own}-{value[1:]}"
    return LINK.sub(rf"url(#{own}-\1)", value)


def links(name: str, value: str) -> list[str]:
    """The ids that an attribute refers to."""
    return [value[1:]] if name == HREF and value.startswith("#") else LINK.findall(value)


def embedded(title: str, svg: bytes) -> Markup:
    """An SVG of :func:`vector` within a page, with ``title`` as its alternative text."""
    named = Markup('role="img" aria-label="{}" ').format(title)
    return Markup(svg.decode().replace('role="img" ', named, 1))
