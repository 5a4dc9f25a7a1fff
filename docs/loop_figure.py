"""Diagram of training with the hardware in the loop: python docs/loop_figure.py docs/loop.svg."""

import sys
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from pcmsim.report import svg

HARDWARE, SOFTWARE = svg.SERIES[0], svg.SERIES[1]
BOXES = (
    # x, y, colour, title and text
    (0.2, 5.6, SOFTWARE, "Batch", "sequences of the\ntraining split"),
    (3.4, 5.6, HARDWARE, "Crossbars", "y = x · (G⁺ − G⁻), measured:\nerrors, noise, drift, faults"),
    (7.4, 5.6, SOFTWARE, "Units, gains, biases", "potentials and outputs over\ntime; digital"),
    (10.9, 5.6, SOFTWARE, "Loss", "of what was\nmeasured"),
    (
        *(7.4, 2.9, SOFTWARE, "Backward pass"),
        "surrogate gradients through\ntime, with the weights that\nsoftware believes in",
    ),
    (7.4, 0.3, SOFTWARE, "Optimiser", "AdamW: wanted change ΔW,\nnew digital parameters"),
    (
        3.4,
        0.3,
        SOFTWARE,
        "Update rule",
        "keeps what is owed, decides\nwhat is pulsed or programmed",
    ),
    (0.2, 2.9, HARDWARE, "Clock", "operations take\ntime, devices drift"),
)
WIDTH, HEIGHT = 3.1, 1.6
ARROWS = (
    ((2.3, 6.4), (3.4, 6.4), SOFTWARE, "x"),
    ((6.5, 6.4), (7.4, 6.4), HARDWARE, "y"),
    ((10.5, 6.4), (10.9, 6.4), SOFTWARE, ""),
    ((11.9, 5.6), (10.5, 3.9), SOFTWARE, ""),
    ((8.95, 2.9), (8.95, 1.9), SOFTWARE, "dE/dW"),
    ((7.4, 1.1), (6.5, 1.1), SOFTWARE, "ΔG"),
    ((4.95, 1.9), (4.95, 5.6), HARDWARE, "pulses, programming,\nreads"),
    ((2.3, 4.5), (3.4, 5.7), HARDWARE, "age"),
)


def draw() -> Figure:
    """Boxes of what happens on the chip and in software, in the order of one batch."""
    figure = Figure(figsize=(10.0, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(0, 13.4)
    axes.set_ylim(0, 7.6)
    axes.set_axis_off()
    for x, y, colour, title, text in BOXES:
        _box(axes, x, y, colour, title, text)
    for start, end, colour, text in ARROWS:
        axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.6})
        level = start[1] == end[1]
        place = {"ha": "center", "va": "bottom"} if level else {"ha": "left", "va": "center"}
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        offset = (0.0, 0.1) if level else (0.15, 0.0)
        axes.text(middle[0] + offset[0], middle[1] + offset[1], text, color=colour, **place)
    axes.text(0.2, 7.35, "on the chip", color=HARDWARE, weight="bold")
    axes.text(2.2, 7.35, "in software", color=SOFTWARE, weight="bold")
    return figure


def _box(axes: Axes, x: float, y: float, colour: str, title: str, text: str) -> None:
    width = 2.1 if x in (0.2, 10.9) else WIDTH
    box = FancyBboxPatch(
        (x, y), width, HEIGHT, boxstyle="round,pad=0,rounding_size=0.15", fc="white", ec=colour
    )
    box.set_linewidth(1.6)
    axes.add_patch(box)
    axes.text(x + 0.15, y + HEIGHT - 0.15, title, va="top", weight="bold")
    axes.text(x + 0.15, y + HEIGHT - 0.6, text, va="top", fontsize=8.5)


if __name__ == "__main__":
    with svg.style():
        draw().savefig(sys.argv[1], format="svg", metadata=svg.METADATA, facecolor="white")
    path = Path(sys.argv[1])
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
