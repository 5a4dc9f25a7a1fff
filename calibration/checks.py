"""What is wrong with a campaign, by data set and row; nothing is corrected or left out here."""

from collections.abc import Iterator

import numpy as np

from pcmsim.calibration.checks_drift import drift_findings
from pcmsim.calibration.checks_levels import programmed_findings
from pcmsim.calibration.checks_records import (
    curve_findings,
    reads_findings,
    staircase_findings,
    yield_findings,
)
from pcmsim.calibration.findings import FAULT, WARNING, Finding
from pcmsim.calibration.records import Campaign, Instrument
from pcmsim.errors import DataError

# What an instrument can be: attribute, unit, largest value.
_LARGEST = {"t_read_s": ("s", 1e4), "g_step": ("uS", 1e4), "g_noise_std": ("uS", 1e4)}


def check_campaign(campaign: Campaign, source: str = "") -> None:
    """Raise `DataError` with the first fault and the number of others; warnings pass.

    `source`, such as the name of a file, stands before the line. Drift is iterated once, in memory
    of one part and a few numbers for each row.
    """
    faults = campaign_faults(campaign)
    first = next(faults, None)
    if first is not None:
        others = sum(1 for _ in faults)
        more = f" (and {others} more)" if others else ""
        raise DataError(f"{source}{': ' if source else ''}{first}{more}")


def campaign_faults(campaign: Campaign) -> Iterator[str]:
    """Every fault of a campaign as a line: data set, row, value, and what is allowed."""
    found = campaign_findings(campaign)
    return (finding.text() for finding in found if finding.severity == FAULT)


def campaign_findings(campaign: Campaign) -> Iterator[Finding]:
    """Every fault and warning of a campaign, found one after another; drift is iterated once.

    Rows count through all parts of the traces, as they do in the file.

    >>> from pcmsim.calibration.records import Campaign, Instrument
    >>> [finding.text() for finding in campaign_findings(Campaign(Instrument(t_read_s=-1.0)))]
    ['instrument: t_read_s = -1 s must be above 0 and at most 10000']
    """
    instrument = campaign.instrument
    yield from instrument_findings(instrument)
    yield from drift_findings(campaign.drift, instrument)
    if campaign.set_drift is not None:
        yield from drift_findings((campaign.set_drift,), instrument, "set_drift")
    for i, reads in enumerate(campaign.reads):
        yield from reads_findings(reads, instrument, "reads" if i == 0 else f"reads_{i + 1}")
    if campaign.staircases is not None:
        yield from staircase_findings(campaign.staircases, instrument)
    if campaign.curve is not None:
        yield from curve_findings(campaign.curve, instrument)
    if campaign.yields is not None:
        yield from yield_findings(campaign.yields, instrument)
    if campaign.levels is not None:
        yield from programmed_findings(campaign.levels, instrument)


def instrument_findings(instrument: Instrument) -> Iterator[Finding]:
    """Numbers of the instrument that cannot be, or that another unit would explain."""
    for name, (unit, largest) in _LARGEST.items():
        value = getattr(instrument, name)
        lowest = "above 0" if name == "t_read_s" else "0 or more"
        if not (0.0 < value <= largest or (value == 0.0 and name != "t_read_s")):
            what = f"{name} = {value:g} {unit} must be {lowest} and at most {largest:g}"
            yield Finding("instrument", None, what, kind="number")
    temperature_k, read_voltage_v = instrument.temperature_k, instrument.read_voltage_v
    if temperature_k <= 0.0 or np.isinf(temperature_k):
        what = f"temperature_k = {temperature_k:g} K must be above 0; leave it out if unknown"
        yield Finding("instrument", None, what, kind="number")
    elif temperature_k < 150.0:
        what = f"temperature_k = {temperature_k:g} K is cold; was it in degrees Celsius?"
        yield Finding("instrument", None, what, WARNING, "unit")
    if np.isinf(read_voltage_v) or abs(read_voltage_v) > 10.0:
        what = f"read_voltage_v = {read_voltage_v:g} V is high; was it in mV?"
        yield Finding("instrument", None, what, WARNING, "unit")
