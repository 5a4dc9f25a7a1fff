"""Pulse response of gradual devices: increments against conductance and pulse number.

For devices whose ramps do not start from RESET, and of which no drift is known: each pulse adds
μ_p(G) + σ_p(G) ξ, each read σ_r ε. The read error of G is in the increment too, with the other
sign; a filter (`response_kernel`) keeps the three apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.estimate import Estimate, Exclusion
from pcmsim.calibration.records import SetStaircases
from pcmsim.calibration.response_fit import FormFit, filter_ramps, fit_form
from pcmsim.calibration.response_kernel import BEYOND
from pcmsim.calibration.response_laws import FORMS, Form
from pcmsim.calibration.response_ramps import FEWEST_CLUSTERS, Ramps, sort_ramps
from pcmsim.calibration.response_table import ResponseTable, tabulate_response
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.pulse_laws import SetPulse
from pcmsim.errors import UsageError

# Standard errors by which a form must predict better than a simpler one.
_SURE = 2.0


@dataclass(frozen=True)
class ResponseFit:
    """Response to the pulses of one branch, rising or falling.

    form            form of the mean increment, chosen by held-out likelihood
    law             mean and spread of an increment [µS] by conductance and pulse number
    estimate        parameters of the law, `read_std_us`, and `set_device_std` for ten devices
    at_limit        working parameters of the form that ended at a limit: without standard error
    unit            what standard errors rest on: devices, ramps, or blocks of pulses of few ramps
    scores          of each form: held-out log likelihood of a read less that of the form taken, and
                    the standard error of this difference
    rises           whether pulses raise the conductance on average
    innovation_std  of the standardised errors of prediction within `BEYOND`, 1 if the law holds
    jumps           errors of prediction beyond `BEYOND` standard deviations, which count less
    """

    form: str
    law: SetPulse
    estimate: Estimate
    at_limit: tuple[str, ...]
    unit: str
    scores: dict[str, tuple[float, float]]
    rises: bool
    innovation_std: float
    jumps: int
    table: ResponseTable
    ramps: Ramps

    @property
    def exclusions(self) -> tuple[Exclusion, ...]:
        """What was left out."""
        return self.ramps.exclusions


def fit_response(staircases: SetStaircases, forms: Sequence[str] = tuple(FORMS)) -> ResponseFit:
    """Fit every form of the mean increment, and take the simplest that predicts as well as any.

    As well: its held-out log likelihood lies within two standard errors (over clusters, of the
    difference) of the best. `forms`, from the simplest on, names those to try. Reads after one
    pulse are taken to differ by independent noise alone; clips at the ends of the range are not
    modelled. Raises `DataError` for too few increments, `UsageError` for an unknown form.

    >>> rng = np.random.default_rng(0)
    >>> g = np.cumsum(rng.normal(1.0, 0.3, (12, 40)), axis=1) + rng.normal(0.0, 0.2, (12, 40))
    >>> ramps = SetStaircases(np.zeros(12, int), np.arange(12), np.ones(1), 1.0, g[:, :, None])
    >>> fit = fit_response(ramps)
    >>> fit.form, round(fit.estimate["mean_offset"], 1), fit.unit
    ('constant', 1.0, 'ramps')
    """
    if not forms or not set(forms) <= set(FORMS):
        raise UsageError(f"forms {', '.join(forms) or 'none'}: known are {', '.join(FORMS)}")
    ramps = sort_ramps(staircases)
    table = tabulate_response(ramps)
    fits: dict[str, FormFit] = {}
    for name in forms:
        fits[name] = _fitted(name, ramps, table, tuple(fits.values()))
    best = max(fits, key=lambda name: float(fits[name].held_out.sum()))
    taken = next(name for name in forms if _as_good(fits[name], fits[best]))
    fit = fits[taken]
    _, off = filter_ramps(fit.form, ramps, fit.theta)
    off = off[np.isfinite(off)]
    return ResponseFit(
        taken,
        fit.form.law(fit.theta),
        _estimate(fit, ramps),
        fit.at_limit,
        ramps.unit,
        {name: _difference(other, fit, ramps) for name, other in fits.items()},
        table.mean_all > 0.0,
        float(off[np.abs(off) <= BEYOND].std()),
        int((np.abs(off) > BEYOND).sum()),
        table,
        ramps,
    )


def _fitted(name: str, ramps: Ramps, table: ResponseTable, simpler: Sequence[FormFit]) -> FormFit:
    """One form, started from the moments and from every form that it contains."""
    form = Form(name, *ramps.range_us, devices=ramps.devices >= FEWEST_CLUSTERS)
    step = np.diff(ramps.mean, axis=1)
    spread = max(float(np.nanstd(step)), 1e-6 * abs(table.mean_all), 1e-12)
    read_std = max(table.read_std, 0.05 * spread)
    scale = max(spread, abs(table.mean_all))
    # An increment holds the noise of two means of reads.
    noise = 2.0 * read_std**2 / table.reads
    true_std = np.sqrt(max(spread**2 - noise, (0.2 * spread) ** 2))
    first = form.start(table.mean_all, float(true_std), read_std, step.shape[1])
    starts = [first]
    for fit in simpler:
        if set(fit.form.working) < set(form.working):
            at = [form.working.index(parameter) for parameter in fit.form.working]
            start = np.where(np.isin(form.working, ("rise", "memory")), 0.0, first)
            start[at] = fit.theta
            starts.append(start)
    # A memory may fade within a few pulses or over the whole ramp.
    if "log_alpha" in form.working:
        brief = first.copy()
        brief[form.working.index("log_alpha")] = np.log(3.0)
        starts.append(brief)
    return fit_form(form, ramps, starts, scale)


def _as_good(fit: FormFit, best: FormFit) -> bool:
    lost = best.held_out - fit.held_out
    return bool(lost.sum() <= _SURE * np.sqrt(lost.size) * lost.std())


def _difference(fit: FormFit, taken: FormFit, ramps: Ramps) -> tuple[float, float]:
    more = fit.held_out - taken.held_out
    reads = float(np.isfinite(ramps.g).sum())
    return float(more.sum()) / reads, float(np.sqrt(more.size) * more.std()) / reads


def _estimate(fit: FormFit, ramps: Ramps) -> Estimate:
    """Natural parameters with their covariance, carried over by derivatives."""
    values = fit.form.named(fit.theta)
    jacobian: FloatArray = np.zeros((len(values), fit.theta.size))
    for a, x in enumerate(fit.theta):
        d = np.zeros(fit.theta.size)
        d[a] = 1e-5 * max(abs(x), 1e-3)
        up, down = (np.array(list(fit.form.named(fit.theta + s).values())) for s in (d, -d))
        jacobian[:, a] = (up - down) / (2.0 * d[a])
    covariance = jacobian @ fit.covariance @ jacobian.T
    return Estimate(
        tuple(values),
        np.array(list(values.values())),
        covariance,
        ramps.clusters,
        fit.converged,
        fit.message,
    )
