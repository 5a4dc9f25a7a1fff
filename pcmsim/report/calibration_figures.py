"""Panels of a calibration as small SVGs, one for each pair of axes, that a page lays out as it can.

Small pictures of one size keep their letters readable on a phone, where a wide figure would not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib import figure as drawing
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from pcmsim.report import svg, time_axis
from pcmsim.report.calibration_records import Axis, Figure, FloatArray, Panel, Series
from pcmsim.report.calibration_text import shown
from pcmsim.report.slim import slim
from pcmsim.report.svg import INK, SERIES, SOFT, VARIABLES

WIDTH, HEIGHT = 3.5, 2.35
# Fixed, so that the axes of neighbours are in line; room for numbers of seven letters.
_PLACE = (0.165, 0.225, 0.82, 0.665)
COVERS = 1.96  # standard errors to each side that cover 95 %
MARKS = {"o": "●", "s": "■", "^": "▲", "D": "◆"}
_COLOURS = {
    "data": (INK, SERIES[0], SERIES[3], SERIES[2]),
    "fit": (SERIES[1], SERIES[2], SERIES[3], SERIES[0]),
    "other": (SERIES[0], SERIES[2], SERIES[3], SERIES[1]),
    "guide": (SOFT,),
}
_DASHES = {"fit": "-", "other": (0, (5, 2)), "guide": (0, (1, 1.5))}


@dataclass(frozen=True)
class Look:
    """Colour and mark of all series of one name."""

    kind: str
    colour: str
    mark: str

    @property
    def key(self) -> Markup:
        """What stands for the series in the key."""
        colour = VARIABLES[self.colour]
        if self.kind == "data":
            return Markup('<span class="mark" style="color:{}">{}</span>').format(
                colour, MARKS[self.mark]
            )
        return Markup('<span class="{}" style="border-color:{}"></span>').format(self.kind, colour)


def looks(figure: Figure) -> dict[str, Look]:
    """Look of each name in the figure, in order of appearance."""
    found: dict[str, Look] = {}
    for series in (series for panel in figure.panels for series in panel.series):
        if series.name not in found:
            number = sum(look.kind == series.kind for look in found.values())
            colours = _COLOURS[series.kind]
            mark = list(MARKS)[number % len(MARKS)]
            found[series.name] = Look(series.kind, colours[number % len(colours)], mark)
    return found


def draw(figure: Figure, panels: Sequence[Panel], name: str) -> list[Markup]:
    """SVG of each of `panels`, which belong to `figure`; to be called within `svg.style`."""
    known = looks(figure)
    together = _span(panels) if figure.same_y else None
    return [
        _panel(panel, known, together or _span([panel]), f"{name}-{i}")
        for i, panel in enumerate(panels)
    ]


def description(panel: Panel) -> str:
    """What is read out to those who do not see the panel."""
    parts = [_told(series) for series in panel.series if series.kind != "guide"]
    return f"{panel.y.label} against {panel.x.label}. {'; '.join(parts)}."


def _told(series: Series) -> str:
    use = np.isfinite(series.x) & np.isfinite(series.y)
    x, y = series.x[use], series.y[use]
    if not x.size:
        return f"{series.name}: nothing to show"
    ends = f"from {shown(float(y[0]))} at {shown(float(x[0]))}"
    if x.size > 1:
        ends += f" to {shown(float(y[-1]))} at {shown(float(x[-1]))}"
    return f"{series.name}: {x.size} {'points' if series.kind == 'data' else 'places'}, {ends}"


def _panel(
    panel: Panel, known: dict[str, Look], span: tuple[float, float] | None, name: str
) -> Markup:
    page = drawing.Figure(figsize=(WIDTH, HEIGHT))
    axes = page.add_axes(_PLACE)
    for series in panel.series:
        _series(axes, series, known[series.name], panel)
    _axis(axes, panel.x, "x", [series.x for series in panel.series])
    _axis(axes, panel.y, "y", [series.y for series in panel.series])
    if span is not None and panel.y.scale == "linear":
        axes.set_ylim(*span)
    axes.tick_params(left=False, bottom=False)
    axes.set_xlabel(panel.x.label)
    axes.set_title(panel.y.label, loc="left", x=0.0)
    found = svg.inline(page, name, panel.title)
    return slim(found, panel.title, description(panel))


def _series(axes: Axes, series: Series, look: Look, panel: Panel) -> None:
    """Draw what is finite, and above zero on a logarithmic axis."""
    low, high = series.low, series.high
    use = np.isfinite(series.x) & np.isfinite(series.y)
    for axis, values in ((panel.x, series.x), (panel.y, series.y)):
        if axis.scale in ("log", "time"):
            use &= values > 0.0
    x, y = series.x[use], series.y[use]
    if low is not None and high is not None:
        axes.fill_between(x, low[use], high[use], color=look.colour, alpha=0.2, linewidth=0)
    if series.kind != "data":
        width = 1.0 if series.kind == "guide" else 1.5
        axes.plot(x, y, color=look.colour, ls=_DASHES[series.kind], lw=width)
        return
    if series.stderr is not None:
        half = COVERS * np.where(np.isfinite(series.stderr[use]), series.stderr[use], 0.0)
        down = np.minimum(half, 0.99 * y) if panel.y.scale in ("log", "time") else half
        ends = np.stack([y - down, y + half, np.full_like(y, np.nan)], axis=-1)
        axes.plot(np.repeat(x, 3), ends.ravel(), color=look.colour, lw=1.0)
    axes.plot(x, y, color=look.colour, marker=look.mark, ls="", ms=3.2, mew=0.0)


def _axis(axes: Axes, axis: Axis, which: str, values: Sequence[FloatArray]) -> None:
    together = _finite(values)
    place = axes.xaxis if which == "x" else axes.yaxis
    scale = axes.set_xscale if which == "x" else axes.set_yscale
    above = together[together > 0.0]
    if axis.scale == "zero" and above.size:
        scale("symlog", linthresh=float(above.min()), linscale=0.6)
        ticks = [0.0, *_decades(float(above.min()), float(above.max()))]
        place.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    elif axis.scale == "time" and above.size and which == "x":
        time_axis.draw(axes, above.tolist(), axis.label)
    elif axis.scale == "log" and above.size:
        scale("log")
        ratio = float(above.max() / above.min())
        few = ratio < 10.0
        steps = (1.0, 2.0, 5.0) if ratio < 200.0 else (1.0,)
        place.set_major_locator(MaxNLocator(4) if few else LogLocator(subs=steps, numticks=6))
        place.set_major_formatter(_plain_numbers)
    elif not axis.ticks:
        place.set_major_locator(MaxNLocator(5))
        place.set_major_formatter(_plain_numbers)
    if axis.ticks:
        place.set_ticks([at for at, _ in axis.ticks], [name for _, name in axis.ticks])
    place.set_minor_locator(NullLocator())


def _plain_numbers(x: float, _: float) -> str:
    return f"{x:.4g}".replace("-", "−", 1) if x < 0.0 else f"{x:.4g}"


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten from `low` to `high`, or both ends if there are fewer than two."""
    first, last = int(np.ceil(np.log10(low))), int(np.floor(np.log10(high)))
    ticks = [10.0**k for k in range(first, last + 1)]
    return ticks if len(ticks) > 1 else [low, high]


def _span(panels: Sequence[Panel]) -> tuple[float, float] | None:
    """Vertical axis on which all panels fit.

    Bars and bands count up to the height of what is drawn: one point of which nothing is known
    would flatten the others.
    """
    every = [series for panel in panels for series in panel.series]
    middle = _finite([series.y for series in every])
    if not middle.size:
        return None
    low, high = float(middle.min()), float(middle.max())
    ends = [end for series in every for end in _ends(series)]
    around = np.clip(_finite(ends), 2.0 * low - high, 2.0 * high - low) if high > low else middle
    low, high = min(low, *around, high), max(high, *around, low)
    margin = 0.05 * (high - low) or 0.05 * abs(low) or 1.0
    return low - margin, high + margin


def _ends(series: Series) -> list[FloatArray]:
    """Ends of the bars and of the band."""
    ends = [end for end in (series.low, series.high) if end is not None]
    if series.stderr is not None:
        half = COVERS * np.nan_to_num(series.stderr, posinf=0.0)
        ends += [series.y - half, series.y + half]
    return ends


def _finite(parts: Sequence[FloatArray]) -> FloatArray:
    together = np.concatenate([np.empty(0), *parts])
    return np.asarray(together[np.isfinite(together)])
