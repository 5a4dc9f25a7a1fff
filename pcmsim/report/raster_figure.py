"""Which unit of a hidden layer sends what at which step."""

from collections.abc import Sequence

from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pcmsim.report.figures import WIDTH
from pcmsim.report.operations_records import Raster
from pcmsim.report.svg import SERIES

HEIGHT = 2.6


def raster(layers: Sequence[Raster]) -> Figure:
    """Units over steps, a panel for each layer: the stronger the colour, the larger the output."""
    figure = Figure(figsize=(WIDTH, 0.4 + HEIGHT * len(layers)), layout="constrained")
    column = figure.subplots(len(layers), 1, squeeze=False, sharex=True)[:, 0]
    # From clear to a colour that stands out on light and on dark paper.
    clear = [(*to_rgb(SERIES[1]), 0.0), (*to_rgb(SERIES[1]), 1.0)]
    shades = LinearSegmentedColormap.from_list("outputs", clear)
    for axes, layer in zip(column, layers, strict=True):
        axes.imshow(
            layer.grey.T,
            cmap=shades,
            vmin=0,
            vmax=255,
            aspect="auto",
            interpolation="none",
            origin="lower",
        )
        axes.grid(False)
        axes.set_ylabel(f"unit of {layer.name}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    column[-1].set_xlabel("step")
    return figure
