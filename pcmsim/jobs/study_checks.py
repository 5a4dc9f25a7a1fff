"""Why a study could not run, found out before any of its cells starts."""

from collections.abc import Iterator, Mapping

from pcmsim.config import Config, Hardware, Study
from pcmsim.datasets import FACTS
from pcmsim.devices import Ambient, ParameterSet, reference_c, temperature_law
from pcmsim.errors import UsageError
from pcmsim.jobs.study_sensitivity import cell_of, reasons_against_variants
from pcmsim.mitigations import check_readout
from pcmsim.studies import Cell, cells_of
from pcmsim.units import DAY_S

MOST_NUMBERS = 50_000_000
MOST_REFRESHES = 10_000


def reasons_against(
    study: Study,
    devices: Mapping[str, ParameterSet],
    configs: Mapping[str, Config],
    hardware: Mapping[str, Hardware],
    ambients: Mapping[str, Ambient],
) -> list[str]:
    """One line for each thing that stands in the way; names that are missing were told before."""
    cells = cells_of(study)
    found = [*_sizes(study, len(cells)), *_drivers(hardware), *_metrics(configs)]
    for name in {cell.refresh: None for cell in cells} if study.refreshes else ():
        found += _too_often(study, name)
    found += reasons_against_variants(study, devices)
    for cell in (*cells, *cell_of(study)):
        if cell.network in hardware and cell.devices in devices:
            found += _cell(cell, hardware[cell.network], devices[cell.devices])
        if cell.compensation == "bias" and cell.network in configs:
            found += _bias(cell, configs[cell.network])
        if cell.devices in devices and cell.temperature in ambients:
            verify = cell.network in hardware and hardware[cell.network].programming == "verify"
            place = (devices[cell.devices], ambients[cell.temperature])
            found += _temperature(cell, *place, verify)
            found += _worst(study, cell, *place)
    return list(dict.fromkeys(found))


def _sizes(study: Study, cells: int) -> Iterator[str]:
    numbers = cells * study.chips * study.points
    if numbers > MOST_NUMBERS:
        yield (
            f"{cells} cells x {study.chips} chips x {study.points} times are {numbers:,} "
            f"measurements; {MOST_NUMBERS:,} fit into one table: split the study"
        )


def _metrics(configs: Mapping[str, Config]) -> Iterator[str]:
    metrics = {name: FACTS[config.data.name].metric for name, config in configs.items()}
    if len(set(metrics.values())) > 1:
        told = ", ".join(f"{name} by the {metric.name}" for name, metric in metrics.items())
        yield f"networks are measured differently ({told}); put them into studies of their own"


def _drivers(hardware: Mapping[str, Hardware]) -> Iterator[str]:
    for name, section in hardware.items():
        if section.driver is not None:
            yield (
                f"hardware.driver of {name}: a study draws its chips by simulation; leave the "
                f"driver out"
            )


def _too_often(study: Study, name: str) -> Iterator[str]:
    if name not in study.refreshes:
        return
    every_s = study.refreshes[name].every_s
    if study.days * DAY_S / every_s > MOST_REFRESHES:
        yield (
            f"refreshes.{name}.every_s = {every_s:g}: more than {MOST_REFRESHES:,} times in "
            f"{study.days:g} days; refresh less often"
        )


def _cell(cell: Cell, hardware: Hardware, devices: ParameterSet) -> Iterator[str]:
    if hardware.programming == "verify" and devices.values.set_pulse is None:
        yield (
            f"{cell.network} on {cell.devices}: this parameter set has no pulses to verify with; "
            f"write hardware.programming: statistical"
        )


def _bias(cell: Cell, config: Config) -> Iterator[str]:
    try:
        check_readout(config.network)
    except UsageError as error:
        yield f"{cell.network}: {error}"


def _temperature(
    cell: Cell, devices: ParameterSet, ambient: Ambient, verify: bool
) -> Iterator[str]:
    try:
        if temperature_law(devices.values, ambient) is not None and verify:
            yield (
                f"{cell.network} at {cell.temperature}: the closed loop of hardware.programming: "
                f"verify is described at {reference_c(devices.values):g} °C only; write statistical"
            )
    except UsageError as error:
        yield f"{cell.devices} at {cell.temperature}: {error}"


def _worst(study: Study, cell: Cell, devices: ParameterSet, ambient: Ambient) -> Iterator[str]:
    renewal = study.refreshes.get(cell.refresh)
    reference = reference_c(devices.values)
    if renewal is not None and renewal.what == "worst" and not ambient.only(reference):
        yield (
            f"refresh {cell.refresh} at {cell.temperature}: the worst devices are found by reads "
            f"that are compared with targets at {reference:g} °C; a warm device reads more: leave "
            f"the temperature there or refresh all"
        )
