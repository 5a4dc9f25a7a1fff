"""Figures as SVG inside the page: its colours and letters, and the same bytes each time."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure

# Colours of Okabe and Ito, told apart with any colour vision. The page gives each a value for light
# and for dark paper; what is written here stands for those in the figure.
INK, RULE, SOFT = "#0a0b0c", "#0a0b0d", "#0a0b0e"
SERIES = ("#d55e00", "#0072b2", "#009e73", "#cc79a7")
# For figures with more curves; matplotlib must write each as it stands here.
MORE = ("#b08900", "#56b4e9", "#5b2a86")
VARIABLES = {
    INK: "var(--ink)",
    RULE: "var(--rule)",
    SOFT: "var(--soft)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate((*SERIES, *MORE))},
}
STYLE: Any = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Chart:
    """A figure and the sentence below it."""

    svg: Markup
    caption: str


@contextmanager
def style() -> Iterator[None]:
    """Fix the settings under which all figures are drawn, whatever the user's own."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def inline(figure: Figure, name: str, description: str) -> Markup:
    """SVG element of `figure` for an HTML page.

    `name` keeps its identifiers apart from those of other figures on the page; `description` is
    read out to those who do not see it.
    """
    content = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(content, format="svg", metadata=METADATA)
    svg = content.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", svg)
    svg = re.sub(r'(\sid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font: \1 var(--sans)", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    label = f'<svg role="img" aria-label="{escape(description)}"'
    svg = re.sub(
        r'<svg( width="[^"]*"| height="[^"]*"| version="[^"]*")*', lambda _: label, svg, count=1
    )
    # Safe: it was drawn here, and matplotlib escapes the text in it.
    return Markup(svg)
