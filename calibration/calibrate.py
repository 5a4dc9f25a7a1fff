"""From a campaign to a parameter set: every fit there is data for, then one set, then its check."""

from dataclasses import dataclass, replace

import numpy as np

from pcmsim.calibration.choice import choose_laws
from pcmsim.calibration.drift import DriftFit, fit_drift
from pcmsim.calibration.drift_model import mean_decay
from pcmsim.calibration.entries import Fits, fitted_entries, unidentified
from pcmsim.calibration.estimate import Exclusion, Unidentified
from pcmsim.calibration.faults import fit_faults
from pcmsim.calibration.noise import NoiseFit, fit_noise
from pcmsim.calibration.noise_law import BurstPower, fit_noise_law
from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.calibration.placement import Placement
from pcmsim.calibration.programming import fit_programming
from pcmsim.calibration.programming_level import Known
from pcmsim.calibration.pulse_entries import fit_pulses
from pcmsim.calibration.records import Campaign, Instrument
from pcmsim.calibration.relaxation import RelaxationFit
from pcmsim.calibration.relaxation_check import RelaxationCheck
from pcmsim.calibration.reproduction import LevelCheck, check_levels
from pcmsim.calibration.response import ResponseFit
from pcmsim.calibration.response_check import ResponseCheck
from pcmsim.calibration.response_set import fit_pulses_alone
from pcmsim.calibration.response_sweeps import SweepTable
from pcmsim.calibration.stuck import fit_stuck_exponent
from pcmsim.calibration.validation import Validation
from pcmsim.devices.params import Entry, ParameterSet, load_parameter_set
from pcmsim.errors import DataError, UsageError

_LAWS = ("programming_std", "nu_mean", "nu_std")


@dataclass(frozen=True)
class Choices:
    """What a user may decide about a calibration.

    name, title     of the parameter set
    source          files with their hashes, and the date, as they shall stand in the set
    base            set that entries are kept from that the campaign does not determine
    g_max           largest conductance that is programmed [µS]; the largest target unless given
    t0_s            age at which conductances are defined [s]; the first read unless given
    t_read_s        integration time of later reads [s]; that of the campaign unless given
    exponent        γ of the read noise, decided by repeated reads unless given
    """

    name: str
    title: str = ""
    source: str = "measured"
    base: str = "pcm-gst-90nm"
    g_max: float | None = None
    t0_s: float | None = None
    t_read_s: float | None = None
    exponent: float | None = None


@dataclass(frozen=True)
class Calibration:
    """A parameter set with all that led to it.

    checks          how well the set reproduces mean and spread of every level at every time
    faults          why the set must not be used; empty if it reproduces its own data
    fits            None without drift traces, or where devices relax instead
    relaxation, relaxation_check, placement
                    of devices that relax
    validation      how well it predicts what the fit did not see, if that was asked for
    response, response_check, sweeps
                    response to pulses and programming curve, where there are no drift traces
    refusal         why the data can be no set at all; empty if they can
    """

    instrument: Instrument
    parameter_set: ParameterSet
    fits: Fits | None
    unidentified: tuple[Unidentified, ...]
    exclusions: tuple[Exclusion, ...]
    checks: tuple[LevelCheck, ...]
    faults: tuple[str, ...]
    relaxation: RelaxationFit | None = None
    relaxation_check: RelaxationCheck | None = None
    placement: Placement | None = None
    validation: Validation | None = None
    response: ResponseFit | None = None
    response_check: ResponseCheck | None = None
    sweeps: SweepTable | None = None
    refusal: str = ""


def calibrate(campaign: Campaign, choices: Choices) -> Calibration:
    """Fit everything that `campaign` allows, and assemble a parameter set.

    Repeated reads, a yield map and more are used if there are drift traces; without these, only a
    staircase or a programming curve is (`pcmsim.calibration.response_set`). Raises
    `DataError` or `UsageError` before any fit for data that cannot be used. A set that does not
    reproduce its own data is returned with the reasons in `faults`; `refuse` raises them.
    """
    base = load_parameter_set(choices.base)
    if next(iter(campaign.drift), None) is None:
        return _without_drift(campaign, choices, base)
    fits = fit_campaign(campaign, choices)
    entries = fitted_entries(fits, choices.source)
    if choices.t_read_s is not None:
        entries["t_read_s"] = replace(
            entries["t_read_s"], value=choices.t_read_s, source="integration time of later reads"
        )
    title = choices.title or f"Calibrated from {fits.drift.table().n:,} devices"
    candidate = _completed(entries, choices, base, title)
    checks = check_levels(fits.drift, candidate.values)
    noise, faults, loop = fits.noise, fits.faults, fits.programming
    exclusions = fits.drift.exclusions
    exclusions += noise.exclusions if noise is not None else ()
    exclusions += faults.exclusions if faults is not None else ()
    exclusions += fits.pulses.exclusions
    exclusions += loop.exclusions if loop is not None else ()
    reasons = tuple(reason for check in checks for reason in check.faults())
    missing = tuple(unidentified(fits, base, entries))
    missing += loop.unidentified if loop is not None else ()
    return Calibration(campaign.instrument, candidate, fits, missing, exclusions, checks, reasons)


def _without_drift(campaign: Campaign, choices: Choices, base: ParameterSet) -> Calibration:
    """A set that holds the response to pulses, and everything else of `base`."""
    t_read_s, source = choices.t_read_s, choices.source
    found = fit_pulses_alone(campaign, base, choices.g_max, t_read_s, source)
    title = choices.title or "Calibrated from pulses alone"
    return Calibration(
        campaign.instrument,
        replace(base, name=choices.name, title="No set")
        if found.refusal
        else _completed(found.entries, choices, base, title),
        None,
        found.unidentified,
        found.exclusions,
        (),
        found.check.faults() if found.check is not None else (),
        response=found.response,
        response_check=found.check,
        sweeps=found.sweeps,
        refusal=found.refusal,
    )


def _completed(
    entries: dict[str, Entry], choices: Choices, base: ParameterSet, title: str
) -> ParameterSet:
    """The set of these entries and, for what is not among them, those of `base`."""
    kept = {
        name: replace(entry, source=f"not measured, kept from {base.name}: {entry.source}")
        for name, entry in base.entries.items()
        if name not in entries
    }
    ordered = {name: (entries | kept)[name] for name in [*base.entries, *entries]}
    return made_set(ParameterSet(choices.name, title, choices.source, ordered))


def made_set(candidate: ParameterSet) -> ParameterSet:
    """The set itself; raises `DataError` if what was fitted is no law of a device."""
    try:
        return candidate.checked()
    except UsageError as error:
        raise DataError(f"the data make no parameter set: {error}") from error


def refuse(calibration: Calibration) -> None:
    """Raise `DataError` if there is no set, or it does not reproduce the data it was made from."""
    if calibration.refusal:
        raise DataError(calibration.refusal)
    if calibration.faults:
        first, *others = calibration.faults
        more = f" (and {len(others)} more)" if others else ""
        raise DataError(
            f"{calibration.parameter_set.name} does not reproduce its own data: {first}{more}; "
            f"the model does not hold for these devices, or the data mix different ones; devices "
            f"that follow no power law, such as resistive RAM, need --law relaxation"
            if calibration.relaxation is None
            else f"{calibration.parameter_set.name} does not reproduce its own data: {first}{more}"
        )


def fit_campaign(campaign: Campaign, choices: Choices) -> Fits:
    """All fits that the campaign has data for."""
    noise = fit_noise(campaign.reads, campaign.instrument, choices.exponent)
    gamma = choices.exponent or (noise.exponent if noise is not None else 1.0)
    g_max, t0_s = _scales(campaign, choices)
    drift = fit_drift(campaign.drift, campaign.instrument, g_max, t0_s, gamma)
    table = drift.table()
    bursts = burst_powers(noise, drift) if noise is not None else []
    noise_law = fit_noise_law(table, g_max, bursts)
    laws = choose_laws(drift, g_max, _LAWS)
    model = NoiseModel(noise_law.law, g_max, gamma, campaign.instrument.t_read_s)
    nu_laws = (laws["nu_mean"].kept.law, laws["nu_std"].kept.law)
    base = load_parameter_set(choices.base).values
    pulses = fit_pulses(campaign, drift, model, nu_laws, base)
    faults = None
    if campaign.yields is not None:
        relative = float(model.q(np.array(g_max)) * np.sqrt(model.variance(np.array([t0_s]))[0]))
        faults = fit_faults(campaign.yields, g_max, relative)
    stuck = fit_stuck_exponent(campaign.drift, campaign.instrument, g_max, t0_s, gamma)
    loop = None
    if campaign.levels is not None:
        known = Known(model, *nu_laws)
        loop = fit_programming(campaign.levels, campaign.instrument, t0_s, gamma, known)
    return Fits(
        campaign.instrument, g_max, drift, laws, noise_law, noise, faults, stuck, pulses, loop
    )


def burst_powers(noise: NoiseFit, drift: DriftFit) -> list[BurstPower]:
    """Noise powers of repeated reads, carried back from the age of the reads to t0."""
    powers = []
    for burst in noise.levels:
        for i, level in enumerate(drift.levels):
            if level.g_target == burst.g_target:
                x = np.array(2.0 * np.log(burst.t_s / drift.t0_s))
                nu_mean, nu_variance = level.estimate["nu_mean"], level.estimate["nu_variance"]
                decay = float(mean_decay(x, nu_mean, nu_variance))
                power = burst.fixed["noise_power"] / decay
                stderr = burst.fixed.stderr("noise_power") / decay
                powers.append(BurstPower(i, power, stderr**2))
    return powers


def _scales(campaign: Campaign, choices: Choices) -> tuple[float, float]:
    """g_max and t0: given, or the largest target and the first read."""
    g_max, t0_s = choices.g_max, choices.t0_s
    if g_max is None or t0_s is None:
        targets, first = [0.0], []
        for part in campaign.drift:
            targets.append(float(np.max(part.g_target, initial=0.0)))
            first.append(float(part.t_s[0]))
        if not first:
            raise DataError("drift: there are no traces; a calibration starts from drift traces")
        g_max, t0_s = g_max or max(targets), t0_s or min(first)
    if not (g_max > 0.0 and np.isfinite(g_max) and t0_s > 0.0 and np.isfinite(t0_s)):
        raise UsageError(f"g_max = {g_max:g} uS and t0 = {t0_s:g} s: both must be above zero")
    return g_max, t0_s
