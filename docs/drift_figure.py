"""Figure of a run over time as one SVG file: python docs/drift_figure.py RUN docs/drift.svg.

RUN is the folder of a drift run, or of a training run with the hardware in the loop.
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

from pcmsim.report import figures, loop_figures, svg
from pcmsim.report.folder import read_run

LIGHT = {
    "--ink": "#1b1f24",
    "--rule": "#e3e6ea",
    "--soft": "#8a929c",
    "--sans": "sans-serif",
    **{f"--series-{i}": colour for i, colour in enumerate(svg.SERIES)},
}


def figure_of(folder: Path) -> Figure:
    """The metric against time."""
    run = read_run(folder)
    training = run.training
    if training is None or training.in_loop is None:
        return figures.metric_over_time(run.drifts[0].results)
    software_metric = training.results.software_metric
    return loop_figures.metric_over_time(training.in_loop.results, software_metric)


def draw(folder: Path) -> str:
    """SVG text of the figure, on white, with nothing outside itself."""
    with svg.style():
        picture = str(svg.inline(figure_of(folder), "drift", "Metric against time"))
    for name, value in LIGHT.items():
        picture = picture.replace(f"var({name})", value)
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return picture.replace("<svg ", f'<svg {names} style="background: white" ', 1)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(Path(sys.argv[1])), encoding="utf-8")
