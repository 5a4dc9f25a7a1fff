"""Entries of the pulse model: SET increments, drift after SET, and the melting branch."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.curve import CurveFit, fit_curve
from pcmsim.calibration.drift import DriftFit
from pcmsim.calibration.estimate import Estimate, Exclusion
from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.calibration.records import Campaign
from pcmsim.calibration.set_drift import SetDriftFit, fit_set_drift
from pcmsim.calibration.staircase import KnownDevices, StaircaseFit, fit_staircase
from pcmsim.devices.laws import Law
from pcmsim.devices.params import Entry, Values

_LAW = 7  # the first parameters of a staircase fit are those of the law


@dataclass(frozen=True)
class PulseFits:
    """What was fitted of pulses; None for what was not measured."""

    exponent: Estimate | None = None
    staircase: StaircaseFit | None = None
    curve: CurveFit | None = None
    set_drift: SetDriftFit | None = None

    @property
    def exclusions(self) -> tuple[Exclusion, ...]:
        """What the fits left out."""
        fits = (self.staircase, self.curve)
        return tuple(x for fit in fits if fit is not None for x in fit.exclusions)


def fit_pulses(
    campaign: Campaign,
    drift: DriftFit,
    noise: NoiseModel,
    nu_laws: tuple[Law, Law],
    base: Values,
) -> PulseFits:
    """Fit what was measured of pulses; what staircases need beyond it is that of `base`."""
    exponent, staircase, curve, set_drift = None, None, None, None
    if campaign.set_drift is not None:
        set_drift = fit_set_drift(
            campaign.set_drift, campaign.instrument, drift.t0_s, drift.exponent
        )
        exponent = set_drift.estimate
    if campaign.staircases is not None:
        known = _known(drift, noise, exponent, base)
        staircase = fit_staircase(campaign.staircases, campaign.instrument, known)
    if campaign.curve is not None:
        curve = fit_curve(
            campaign.curve, campaign.instrument, noise, nu_laws, noise.g_max, drift.t0_s
        )
    return PulseFits(exponent, staircase, curve, set_drift)


def pulse_entries(
    fits: PulseFits, current_ua: tuple[float, float], source: str
) -> dict[str, Entry]:
    """Entries of a parameter set; `current_ua` are the ends of the sweep [µA]."""
    entries: dict[str, Entry] = {}
    if fits.exponent is not None:
        mean, variance = fits.exponent.values
        mean_stderr, variance_stderr = (float(x) for x in fits.exponent.stderrs)
        std = float(np.sqrt(max(variance, 1e-12)))
        text = f"traces of {fits.exponent.n} devices after SET pulses; {source}"
        entries["set_nu_mean"] = Entry(float(mean), "1", text, mean_stderr)
        entries["set_nu_std"] = Entry(std, "1", text, variance_stderr / (2.0 * std))
    if fits.staircase is not None:
        found = fits.staircase.estimate
        values, stderrs = found.values.tolist(), found.stderrs.tolist()
        law = dict(zip(found.names[:_LAW], values[:_LAW], strict=True))
        errors = dict(zip(found.names[:_LAW], stderrs[:_LAW], strict=True))
        text = f"SET staircases of {found.n} devices; {source}"
        raised = _least_offset(law, fits.staircase.protocol.g_min, fits.staircase.protocol.g_max)
        if law["std_offset"] < raised:
            text = f"std_offset {law['std_offset']:.3g} raised, a spread is not negative; {text}"
            law["std_offset"] = raised
        entries["set_pulse"] = Entry(law, "uS", text, errors)
        entries["set_device_std"] = Entry(values[_LAW], "1", text, stderrs[_LAW])
    if fits.curve is not None:
        found = fits.curve.estimate
        law = dict(zip(found.names, found.values.tolist(), strict=True))
        law |= {"min_current_ua": current_ua[0], "max_current_ua": current_ua[1]}
        errors = dict(zip(found.names, found.stderrs.tolist(), strict=True))
        text = f"programming curves of {found.n} devices; {source}"
        entries["melt_curve"] = Entry(law, "uA", text, errors)
    return entries


def _least_offset(law: dict[str, float], g_min: float, g_max: float) -> float:
    """Least `std_offset` [µS] for which no spread between the clips is negative."""
    memory = min(0.0, law["std_memory"])
    return max(-law["std_slope"] * g for g in (g_min, g_max)) - memory


def _known(
    drift: DriftFit, noise: NoiseModel, exponent: Estimate | None, base: Values
) -> KnownDevices:
    reset = next((level.estimate for level in drift.levels if level.g_target == 0.0), None)
    median = reset["g_location"] if reset is not None else base.reset_median
    variance = reset["g_spread"] if reset is not None else base.reset_log_std**2
    nu_reset = reset["nu_mean"] if reset is not None else float(base.nu_mean(np.array(0.0)))
    nu_set = exponent["set_nu_mean"] if exponent is not None else base.set_nu_mean or 0.0
    return KnownDevices(
        t0_s=drift.t0_s,
        nu_reset=nu_reset,
        nu_set=nu_set,
        reset_median=median,
        reset_log_std=float(np.sqrt(max(variance, 0.0))),
        g_min=base.set_g_min if base.set_g_min is not None else median,
        g_max=base.set_g_max if base.set_g_max is not None else noise.g_max,
        noise=noise,
    )
