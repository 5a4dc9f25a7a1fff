"""A drawing in half the letters: a page of many panels is sent by mail."""

import re

from markupsafe import Markup, escape

_LONG_NUMBER = re.compile(r"(\.\d\d)\d+")
# The page has a font of its own, nobody refers to groups, and text is not turned by zero degrees.
_USELESS = tuple(
    re.compile(pattern)
    for pattern in (
        r" font-family: [^;\"]*;?",
        r' transform="rotate\(-0 [^)]*\)"',
        r'(?<=<g) id="[^"]*"',
        r"(?<=>)\n",
    )
)
_POINTS = re.compile(r'(<g clip-path="[^"]*")>((?:<use [^>]*/>)+)')


def slim(found: Markup, title: str, told: str) -> Markup:
    """The SVG `found` made small, with a title and a description `told` inside."""
    text = re.sub(r' (d|x|y)="[^"]*"', lambda place: _LONG_NUMBER.sub(r"\1", place[0]), str(found))
    for useless in _USELESS:
        text = useless.sub("", text)
    text = _POINTS.sub(_one_style, text)
    words = f"<title>{escape(title)}</title><desc>{escape(told)}</desc>"
    start = text.index(">") + 1
    # Safe: the drawing was, and what was added is escaped.
    return Markup(text[:start] + words + text[start:])


def _one_style(points: re.Match[str]) -> str:
    """Points of one look, which is said once."""
    style = re.search(r' style="[^"]*"', points[2])
    bare = re.sub(r' style="[^"]*"', "", points[2])
    return f"{points[1]}{style[0] if style else ''}>{bare}"
