"""A logarithmic axis of time on which "right after" has a place of its own."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from pcmsim.report.svg import SOFT
from pcmsim.units import LANDMARKS_S, format_duration


def time_ticks(times_s: Sequence[float]) -> list[float]:
    """Ticks at 1 s, 1 min, 1 h, 1 d and 4 d as far as the data reach, and at a later end.

    >>> time_ticks([1.0, 345600.0])
    [1.0, 60.0, 3600.0, 86400.0, 345600.0]
    """
    first_s, last_s = min(times_s), max(times_s)
    ticks_s = [t_s for t_s in LANDMARKS_S if first_s * 0.999 <= t_s <= last_s * 1.001]
    for end_s in (first_s, last_s):
        if all(abs(np.log10(end_s) - np.log10(t_s)) > 0.5 for t_s in ticks_s):
            ticks_s.append(end_s)
    return sorted(ticks_s)


def places_s(times_s: Sequence[float], shown_s: Sequence[float]) -> list[float]:
    """Where `times_s` stand on the axis on which all of `shown_s` are: 0 before the least of them.

    >>> [round(place_s) for place_s in places_s([0.0, 3600.0], [0.0, 3600.0, 360000.0])]
    [1138, 3600]
    """
    later_s = [t_s for t_s in shown_s if t_s > 0.0]
    if not later_s:
        return [1.0 for _ in times_s]
    decades = float(np.log10(max(later_s)) - np.log10(min(later_s)))
    zero_s = min(later_s) * 10.0 ** -float(np.clip(0.25 * decades, 0.4, 1.0))
    return [t_s if t_s > 0.0 else zero_s for t_s in times_s]


def draw(axes: Axes, times_s: Sequence[float], label: str) -> None:
    """Make the axis of `axes` for curves at the places of `times_s`."""
    axes.set_xscale("log")
    later_s = [t_s for t_s in times_s if t_s > 0.0]
    ticks_s = time_ticks(later_s) if later_s else []
    names = [format_duration(t_s) for t_s in ticks_s]
    if len(later_s) < len(times_s):
        (zero_s,) = places_s([0.0], times_s)
        if later_s:
            _break(axes, float(np.sqrt(zero_s) * np.sqrt(min(later_s))))
        ticks_s, names = [zero_s, *ticks_s], ["0", *names]
    axes.set_xticks(ticks_s, names)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label)


def _break(axes: Axes, place_s: float) -> None:
    """Two strokes across the axis at `place_s`."""
    axes.annotate(
        "//",
        (place_s, 0.0),
        xycoords=axes.get_xaxis_transform(),
        ha="center",
        va="center",
        color=SOFT,
        weight="bold",
        annotation_clip=False,
    )
