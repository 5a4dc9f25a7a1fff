"""Operations and energy of a network as a report shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pcmsim.report import svg
from pcmsim.report.operations_records import Figure, Layer, Operations, OperationsRun, Pair, Raster
from pcmsim.report.raster_figure import raster
from pcmsim.report.svg import Chart

_UNITS_PJ = (("mJ", 1e9), ("µJ", 1e6), ("nJ", 1e3), ("pJ", 1.0), ("fJ", 1e-3))


@dataclass(frozen=True)
class CountRow:
    """Counts of a layer, or of all, per step."""

    name: str
    size: str
    sends: str
    macs: float
    acs: float
    dense_macs: float


@dataclass(frozen=True)
class EnergyRow:
    """Energy of the whole network [pJ]: per step, per sequence, and per step if it were dense."""

    name: str
    price: str
    step: str
    sequence: str
    dense: str


@dataclass(frozen=True)
class OperationsView:
    """Tables of counts and energies, sources of the prices, and a raster."""

    counts: Operations
    rows: Sequence[CountRow]
    energies: Sequence[EnergyRow]
    programming: str
    devices: str
    sources: Sequence[tuple[str, Figure]]
    raster: Chart


def operations_view(run: OperationsRun) -> OperationsView:
    """What the template needs; drawn within `svg.style`."""
    counts = run.counts
    arrays = [layer.arrays for layer in counts.layers]
    return OperationsView(
        counts=counts,
        rows=[*map(_row, counts.layers), _total(counts.layers)],
        energies=[*(_energy(counts, pair) for pair in counts.pairs), _on_arrays(counts)],
        programming=energy_text(sum(energy.program_pj for energy in arrays)),
        devices=energy_text(sum(energy.device_pj for energy in arrays)),
        sources=_sources(counts),
        raster=_chart(run.rasters),
    )


def energy_text(energy_pj: float) -> str:
    """Energy in a unit that suits its size.

    >>> energy_text(0.052), energy_text(12480.0), energy_text(0.0), energy_text(7.4e7)
    ('52 fJ', '12.5 nJ', '0 pJ', '74 µJ')
    """
    if energy_pj == 0.0:
        return "0 pJ"
    fitting = (entry for entry in _UNITS_PJ if energy_pj >= entry[1])
    unit, size = next(fitting, _UNITS_PJ[-1])
    value = energy_pj / size
    return f"{value:,.0f} {unit}" if value >= 1000.0 else f"{value:.3g} {unit}"


def _row(layer: Layer) -> CountRow:
    size = f"{layer.inputs:,} → {layer.units:,}"
    return CountRow(layer.name, size, _sends(layer), layer.macs, layer.acs, layer.dense_macs)


def _sends(layer: Layer) -> str:
    if layer.rate is None or layer.mean_output is None:
        return "logits"
    if layer.binary:
        return f"{layer.rate:.3g} spikes"
    return f"{layer.mean_output:.3g} on average"


def _total(layers: Sequence[Layer]) -> CountRow:
    sums = [sum(getattr(layer, key) for layer in layers) for key in ("macs", "acs", "dense_macs")]
    return CountRow("all", "", "", *sums)


def _energy(counts: Operations, pair: Pair) -> EnergyRow:
    total, mac_pj, ac_pj = _total(counts.layers), pair.mac_pj.value, pair.ac_pj.value
    step_pj = total.macs * mac_pj + total.acs * ac_pj
    price = f"{mac_pj:g} / {ac_pj:g} pJ"
    dense_pj = total.dense_macs * mac_pj
    return _texts(counts, pair.title, price, step_pj, energy_text(dense_pj))


def _on_arrays(counts: Operations) -> EnergyRow:
    price = f"{counts.figures.column_pj.value:g} pJ per column"
    step_pj = sum(layer.arrays.product_pj for layer in counts.layers)
    return _texts(counts, "phase-change arrays, products only", price, step_pj, "–")


def _texts(counts: Operations, name: str, price: str, step_pj: float, dense: str) -> EnergyRow:
    sequence_pj = step_pj * counts.steps / counts.sequences
    return EnergyRow(name, price, energy_text(step_pj), energy_text(sequence_pj), dense)


def _sources(counts: Operations) -> list[tuple[str, Figure]]:
    rows = []
    for pair in counts.pairs:
        rows += [(f"{pair.name}: MAC", pair.mac_pj), (f"{pair.name}: AC", pair.ac_pj)]
    figures = counts.figures
    rows += [
        ("arrays: read voltage", figures.read_voltage_v),
        ("arrays: length of a read", figures.read_s),
        ("arrays: a column of a tile", figures.column_pj),
        ("arrays: programming a device", figures.program_pj),
    ]
    return rows


def _chart(rasters: Sequence[Raster]) -> Chart:
    cut = any(layer.grey.shape != (layer.steps, layer.units) for layer in rasters)
    steps, units = (max(layer.grey.shape[axis] for layer in rasters) for axis in (0, 1))
    shown = f" The first {steps} steps and at most {units} units are shown." if cut else ""
    caption = (
        "Outputs of the hidden units in the first test sequence: a spike is a full mark, an output "
        f"of soft units between zero and one a paler one.{shown}"
    )
    return Chart(svg.inline(raster(rasters), "raster", "Raster of the hidden layers"), caption)
