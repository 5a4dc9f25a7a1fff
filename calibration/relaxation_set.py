"""From traces of relaxing devices to a parameter set."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from pcmsim.calibration.calibrate import Calibration, Choices, made_set
from pcmsim.calibration.estimate import Exclusion, Unidentified
from pcmsim.calibration.noise_model import RATE_MIN, rate_split
from pcmsim.calibration.placement import Placement, fit_placement
from pcmsim.calibration.records import Campaign
from pcmsim.calibration.relaxation import LOOSE, UNITS, RelaxationFit, fit_relaxation
from pcmsim.calibration.relaxation_check import RelaxationCheck, check_relaxation
from pcmsim.calibration.relaxation_model import BLOCKS, SCALES
from pcmsim.devices.params import PULSE_ENTRIES, Entry, ParameterSet, load_parameter_set
from pcmsim.errors import DataError

# Of level and time, that held-out devices may reject at 1 %.
_MOST_REJECTED = 0.2


# Laws far from the data, which a search passes through, overflow.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def calibrate_relaxation(campaign: Campaign, choices: Choices) -> Calibration:
    """Fit a relaxation law in place of drift, and assemble a parameter set with it.

    Read noise cannot be told from relaxation by single reads at far times, so it is part of the
    law, and the set has none besides. Pulses need a drift law, so it has none of these either.
    Raises `DataError` if the fit does not converge; other errors and `faults` are those of
    `pcmsim.calibration.calibrate.calibrate`.
    """
    base = load_parameter_set(choices.base)
    fit = fit_relaxation(campaign.drift, campaign.instrument, choices.g_max)
    if not fit.estimate.converged:
        raise DataError(f"drift: the law of relaxation does not fit: {fit.estimate.message}")
    placement = fit_placement(fit.traces)
    check = check_relaxation(fit, placement)
    t_read_s = choices.t_read_s or campaign.instrument.t_read_s
    entries = _entries(fit, placement, t_read_s, choices)
    kept = {
        name: Entry(entry.value, entry.unit, f"not measured, kept from {base.name}: {entry.source}")
        for name, entry in base.entries.items()
        if name not in entries and name not in PULSE_ENTRIES and name != "set_acts_on"
    }
    missing = [
        Unidentified(name, "not measured in this campaign", _TELLS.get(name, "another campaign"),
                     f"{kept[name].value} of {base.name}")
        for name in kept
    ]  # fmt: skip
    title = choices.title or f"Calibrated from {fit.estimate.n:,} devices that relax"
    together = {**entries, **kept}
    ordered = {name: together.pop(name) for name in base.entries if name in together} | together
    candidate = made_set(ParameterSet(choices.name, title, choices.source, ordered))
    return Calibration(
        campaign.instrument,
        candidate,
        None,
        (*fit.unidentified, *missing),
        (*fit.exclusions, *_unused(campaign)),
        check.moments,
        tuple(_faults(placement, check)),
        relaxation=fit,
        relaxation_check=check,
        placement=placement,
    )


_TELLS = {
    "reset_median": "traces of devices left in RESET",
    "reset_log_std": "traces of devices left in RESET",
    **dict.fromkeys(("p_stuck_reset", "p_stuck_set", "p_untunable"), "a yield map"),
}


def _entries(
    fit: RelaxationFit, placement: Placement, t_read_s: float, choices: Choices
) -> dict[str, Entry]:
    source = choices.source
    largest = "given" if choices.g_max else "largest target that twenty devices had"
    convention = f"convention of this calibration; {source}"
    single = f"single reads at far times: noise is part of relaxation; {source}"
    shared = f"{fit.form.name}, {fit.estimate.n:,} devices at {fit.traces.t_s.size} later times"
    spread = list(placement.law.polynomial), list(placement.stderr)
    return {
        "g_max": Entry(fit.g_max, "uS", f"{largest}; {source}"),
        "g_max_of_fit": Entry(fit.g_max, "uS", f"scale of programming_std; {source}"),
        "programming_std": Entry(
            {"polynomial": spread[0]},
            "uS",
            f"first reads about {placement.g_target.size} targets, with their noise; {source}",
            {f"c{k}": error for k, error in enumerate(spread[1])},
        ),
        "programming_std_includes_read_noise": Entry(False, "1", single),
        "zero_target": Entry("law", "1", convention),
        "t0_s": Entry(fit.traces.t_first_s, "s", f"first read; {source}"),
        "time_origin": Entry("reference", "1", f"age = t + t0; {convention}"),
        "nu_mean": Entry({"constant": 0.0}, "1", f"relaxation in place of drift; {source}"),
        "nu_std": Entry({"constant": 0.0}, "1", f"relaxation in place of drift; {source}"),
        "nu_device_share": Entry(0.0, "1", convention),
        "projection": Entry(1.0, "1", convention),
        "read_noise": Entry({"constant": 0.0}, "1", single),
        "read_noise_exponent": Entry(1.0, "1", single),
        "t_read_s": Entry(float(t_read_s), "s", f"integration time of the campaign; {source}"),
        "noise_rate_min": Entry(RATE_MIN, "1/s", convention),
        "noise_rate_split": Entry(rate_split(t_read_s), "1/s", convention),
        "relaxation": Entry(_plain(asdict(fit.law)), "uS", f"{shared}; {source}", _errors(fit)),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _errors(fit: RelaxationFit) -> dict[str, Any]:
    """Standard errors of the coefficients; those of logarithms become relative ones."""
    estimate = fit.estimate
    found: dict[str, Any] = {
        UNITS[name]: getattr(fit.law, UNITS[name]) * estimate.stderr(f"ln {name}")
        for name in SCALES
        if estimate.stderr(f"ln {name}") <= LOOSE
    }
    for block in BLOCKS:
        names = [name for name in estimate.names if name.startswith(f"{block}[")]
        if names:
            found[block] = [estimate.stderr(name) for name in names]
    if fit.memory is not None:
        found["persistence"] = fit.memory.estimate.stderr("persistence")
    if fit.memory is not None and "ln memory" in fit.memory.estimate:
        found["memory_s"] = fit.law.memory_s * fit.memory.estimate.stderr("ln memory")
    return found


def _faults(placement: Placement, check: RelaxationCheck) -> Iterator[str]:
    """Why the set must not be used: nothing to test it on, or data that reject it."""
    if not placement.g_target.size:
        yield "no target has twenty converged devices, so where programming ends is not known"
    tested = check.levels or check.groups
    if not tested or not check.moments:
        yield "no group of targets has twenty devices to test it on; measure more devices"
    for level in check.moments:
        yield from level.faults()
    rejected = [found for found in tested if found.rejected()]
    if len(rejected) > _MOST_REJECTED * len(tested):
        worst = min(rejected, key=lambda found: found.p_value)
        yield (
            f"held-out devices reject {len(rejected)} of {len(tested)} levels and times at 1 %, "
            f"most clearly {worst.label} at {worst.t_s:g} s (D = {worst.statistic:.3f})"
        )


def _unused(campaign: Campaign) -> Iterator[Exclusion]:
    """What else was measured, which no fit of devices that relax uses."""
    others: dict[str, Any] = {
        "set_drift": campaign.set_drift,
        "staircase": campaign.staircases,
        "curve": campaign.curve,
        "yields": campaign.yields,
        "levels": campaign.levels,
        **{f"reads {k + 1}": reads for k, reads in enumerate(campaign.reads)},
    }
    for dataset, record in others.items():
        if record is not None:
            why = "it is not used for devices that relax"
            yield Exclusion(dataset, why, record.device.size, "rows")
