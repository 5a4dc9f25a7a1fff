"""Figure of a drift run as one SVG file: python docs/drift_figure.py RUN/drift docs/drift.svg."""

import sys
from pathlib import Path

from pcmsim.report import figures, svg
from pcmsim.report.folder import read_run

LIGHT = {
    "--ink": "#1b1f24",
    "--rule": "#e3e6ea",
    "--soft": "#8a929c",
    "--sans": "sans-serif",
    **{f"--series-{i}": colour for i, colour in enumerate(svg.SERIES)},
}


def draw(run: Path) -> str:
    """SVG text of the metric against time, on white, with nothing outside itself."""
    drift = read_run(run).drifts[0]
    with svg.style():
        picture = str(svg.inline(figures.metric_over_time(drift.results), "drift", "Drift"))
    for name, value in LIGHT.items():
        picture = picture.replace(f"var({name})", value)
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return picture.replace("<svg ", f'<svg {names} style="background: white" ', 1)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(Path(sys.argv[1])), encoding="utf-8")
