"""Figure of a study as one SVG file: python docs/study_figure.py STUDY docs/study.svg.

Median and 5 to 95 % band over chips against time, a panel for each network and temperature.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pcmsim.report import svg, time_axis

COLOURS = ("#6b7480", *svg.SERIES)
TOP = 1.15  # nat/step above the software; what lies higher leaves the panel


def figure_of(results: dict[str, Any]) -> Figure:
    """A row for each network, a column for each temperature."""
    cells = results["cells"]
    networks = list(dict.fromkeys(cell["network"] for cell in cells))
    temperatures = list(dict.fromkeys(cell["temperature"] for cell in cells))
    size = (3.2 * len(temperatures), 2.5 * len(networks) + 0.5)
    page = Figure(figsize=size, layout="constrained")
    grid = page.subplots(len(networks), len(temperatures), squeeze=False, sharex=True, sharey="row")
    for row, network in zip(grid, networks, strict=True):
        for axes, temperature in zip(row, temperatures, strict=True):
            here = (network, temperature)
            panel(axes, results, [c for c in cells if (c["network"], c["temperature"]) == here])
            axes.set_title(f"{network}, {temperature}", loc="left", fontsize=10)
        row[0].set_ylabel("NLL [nat/step]")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    page.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return page


def panel(axes: Axes, results: dict[str, Any], cells: list[dict[str, Any]]) -> None:
    """Curves of one network at one temperature."""
    times_s, software = results["times_s"], results["software"][cells[0]["network"]]
    for cell, colour in zip(cells, COLOURS, strict=False):
        low, middle, high = (np.array(cell["quantiles"][q], float) for q in ("q05", "q50", "q95"))
        axes.fill_between(times_s, low, high, color=colour, alpha=0.15, linewidth=0)
        parts = [cell["compensation"], "" if cell["refresh"] == "none" else cell["refresh"]]
        axes.plot(times_s, middle, color=colour, lw=1.4, label=" + ".join(filter(None, parts)))
    axes.axhline(software, color="#1b1f24", lw=0.8, ls=":")
    axes.set_ylim(software - 0.05, software + TOP)
    time_axis.draw(axes, times_s, "time after programming")
    axes.label_outer()


if __name__ == "__main__":
    found = json.loads((Path(sys.argv[1]) / "results.json").read_text(encoding="utf-8"))
    figure_of(found).savefig(sys.argv[2], metadata={"Date": None}, facecolor="white")
