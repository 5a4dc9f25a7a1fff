"""Entries of a parameter set from fits, each with its source and standard errors."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pcmsim.calibration.choice import Choice
from pcmsim.calibration.drift import DriftFit
from pcmsim.calibration.estimate import Estimate, Unidentified
from pcmsim.calibration.faults import FaultFit
from pcmsim.calibration.law_fits import LawFit
from pcmsim.calibration.noise import NoiseFit
from pcmsim.calibration.noise_model import RATE_MIN, rate_split
from pcmsim.calibration.programming import ProgrammingFit
from pcmsim.calibration.pulse_entries import PulseFits, pulse_entries
from pcmsim.calibration.records import Instrument
from pcmsim.devices.params import Entry, ParameterSet

_MEASUREMENT = {
    **dict.fromkeys(
        ("programming_std", "nu_mean", "nu_std", "read_noise"),
        "drift traces of twenty or more devices at several targets",
    ),
    "reset_median": "drift traces of devices left in RESET (target 0)",
    "nu_device_share": "drift traces of the same devices, programmed at least twice",
    "read_noise_exponent": "repeated reads, thirty or more in a row on twenty or more devices",
    "p_stuck_reset": "a yield map: every device after RESET and after the strongest SET",
    "stuck_set_mean": "a yield map of an array with five or more devices stuck in SET",
    "stuck_set_nu": "drift traces of arrays with twenty or more devices stuck in SET",
    "onset_s": "reads from microseconds after the pulse on",
    "set_pulse": "SET staircases: RESET, then pulses with a read after each, on many devices",
    "rejuvenation": "traces of SET, wait, SET, watch",
    "melt_curve": "a programming curve: one melting pulse at each current, on many devices",
    "wear_scale": "cycling until devices fail",
}
_TOGETHER = {
    "reset_log_std": "reset_median",
    "p_stuck_set": "p_stuck_reset",
    "p_untunable": "p_stuck_reset",
    "stuck_set_std": "stuck_set_mean",
    **dict.fromkeys(("set_g_min", "set_g_max", "set_device_std"), "set_pulse"),
    **dict.fromkeys(("set_nu_mean", "set_nu_std"), "set_pulse"),
    "wear_shape": "wear_scale",
}
_UNITS = {"reset_median": "uS", "stuck_set_mean": "g_max", "stuck_set_std": "g_max"}


@dataclass(frozen=True)
class Fits:
    """All that was fitted to a campaign.

    laws            choices for `programming_std`, `nu_mean`, `nu_std`
    noise_law       amplitude of the read noise
    programming     closed-loop programming, for comparison with what the drift traces say
    """

    instrument: Instrument
    g_max: float
    drift: DriftFit
    laws: dict[str, Choice]
    noise_law: LawFit
    noise: NoiseFit | None = None
    faults: FaultFit | None = None
    stuck: Estimate | None = None
    pulses: PulseFits = field(default_factory=PulseFits)
    programming: ProgrammingFit | None = None


def fitted_entries(fits: Fits, source: str) -> dict[str, Entry]:
    """Entries that the campaign determines; `source` names the files and the date."""
    drift, exponent = fits.drift, fits.drift.exponent
    convention = f"convention of this calibration; {source}"
    entries = {
        "g_max": Entry(fits.g_max, "uS", f"largest target of the campaign; {source}"),
        "g_max_of_fit": Entry(fits.g_max, "uS", f"scale of programming_std; {source}"),
        "programming_std_includes_read_noise": Entry(
            False, "1", f"read noise was separated in the fit; {source}"
        ),
        "zero_target": Entry("reset", "1", convention),
        "t0_s": Entry(float(drift.t0_s), "s", convention),
        "time_origin": Entry("reference", "1", f"age = t + t0; {convention}"),
        "projection": Entry(1.0, "1", f"nu_mean, nu_std and read_noise were measured; {source}"),
        "read_noise_exponent": Entry(float(exponent), "1", _exponent_source(fits, source)),
        "t_read_s": Entry(
            float(fits.instrument.t_read_s), "s", f"integration time of the campaign; {source}"
        ),
        "noise_rate_min": Entry(RATE_MIN, "1/s", "slower than any campaign; convention"),
        "noise_rate_split": Entry(rate_split(fits.instrument.t_read_s), "1/s", "convention"),
    }
    if fits.noise is not None and exponent != 1.0:
        stderr = fits.noise.estimate.stderr("exponent")
        entries["read_noise_exponent"] = Entry(
            float(exponent), "1", _exponent_source(fits, source), stderr
        )
    entries |= {name: _law_entry(choice.kept, source) for name, choice in fits.laws.items()}
    entries["read_noise"] = _law_entry(fits.noise_law, source)
    entries |= dict(_number_entries(fits, source))
    ends = (0.0, 0.0)
    if fits.pulses.curve is not None:
        ends = (float(fits.pulses.curve.current_ua[0]), float(fits.pulses.curve.current_ua[-1]))
    return entries | pulse_entries(fits.pulses, ends, source)


def unidentified(fits: Fits, base: ParameterSet, found: dict[str, Entry]) -> list[Unidentified]:
    """Entries that are kept from `base`, and parameters of laws that nothing depends on."""
    missing = list(not_measured(base, found))
    laws = [choice.kept for choice in fits.laws.values()] + [fits.noise_law]
    for law in laws:
        for part in law.regression.unidentified:
            where = "lower" if part == "high" else "higher"
            missing.append(
                Unidentified(
                    f"{law.entry}.{part}",
                    "no level lies where the law is flat",
                    f"drift traces at {where} targets",
                    f"{law.value[part]:.4g}, the law at the last level",
                )
            )
    if fits.noise is None:
        why = "there were no repeated reads that can be fitted; 1/f noise was assumed"
        measurement = _MEASUREMENT["read_noise_exponent"]
        missing.append(Unidentified("read_noise_exponent", why, measurement, "1"))
    return missing


def not_measured(base: ParameterSet, found: dict[str, Entry]) -> Iterator[Unidentified]:
    """Entries of `base` that are not among those `found`, each with the measurement it needs."""
    for name, entry in base.entries.items():
        if name not in found:
            measurement = _MEASUREMENT.get(_TOGETHER.get(name, name), "another campaign")
            kept = f"{entry.value} of {base.name}"
            yield Unidentified(name, "not measured in this campaign", measurement, kept)


def _exponent_source(fits: Fits, source: str) -> str:
    if fits.noise is None:
        return f"assumed; {source}"
    estimate = fits.noise.estimate
    found = f"{estimate['exponent']:.4g} +- {estimate.stderr('exponent'):.2g} where it is free"
    return f"Whittle likelihood of repeated reads, {found}; {source}"


def _law_entry(law: LawFit, source: str) -> Entry:
    unit = "uS" if law.entry == "programming_std" else "1"
    regression = law.regression
    text = f"{law.form} through {law.g.size} levels"
    if regression.freedom:
        text += (
            f", chi2 {regression.chi_square:.1f} for {regression.freedom} degrees of freedom "
            f"(p = {regression.p_value:.2g})"
        )
    stderrs = [float(x) for x in regression.estimate.stderrs]
    named: object = dict(zip(regression.estimate.names, stderrs, strict=True))
    if "polynomial" in law.value or "x" in law.value:
        named = stderrs
    elif law.form == "constant":
        named = stderrs[0]
    return Entry(law.value, unit, f"{text}; {source}", named)


def _number_entries(fits: Fits, source: str) -> Iterator[tuple[str, Entry]]:
    first = fits.drift.levels[0]
    if first.g_target == 0.0:
        median, variance = first.estimate["g_location"], first.estimate["g_spread"]
        text = f"drift traces of {first.estimate.n} devices in RESET; {source}"
        yield (
            "reset_median",
            Entry(median, "uS", text, first.estimate.stderr("g_location")),
        )
        log_std = float(np.sqrt(max(variance, 0.0)))
        stderr = first.estimate.stderr("g_spread") / (2.0 * max(log_std, 1e-6))
        yield "reset_log_std", Entry(log_std, "1", text, stderr)
    if fits.drift.share is not None:
        share = fits.drift.share
        value = float(np.clip(share["nu_device_share"], 0.0, 1.0))
        text = f"{share.n} devices programmed again; {source}"
        yield "nu_device_share", Entry(value, "1", text, share.stderr("nu_device_share"))
    if fits.stuck is not None:
        value, stderr = fits.stuck["stuck_set_nu"], fits.stuck.stderr("stuck_set_nu")
        text = f"{fits.stuck.n} traces of devices stuck in SET; {source}"
        yield "stuck_set_nu", Entry(max(value, 0.0), "1", text, stderr)
    if fits.faults is not None:
        estimate = fits.faults.estimate
        for name in estimate:
            text = f"yield map of {estimate.n} devices; {source}"
            unit = _UNITS.get(name, "1")
            yield name, Entry(float(estimate[name]), unit, text, estimate.stderr(name))
