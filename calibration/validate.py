"""Whether a calibration is true of devices and times that it did not see.

Devices are split 80 to 20, whole devices; the pipeline runs again on the 80 %, and the set it gives
is simulated by pcmsim's own devices and compared with the 20 %. Times take turns in being left out
of that fit as well, and are predicted for the same 20 %.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from pcmsim.calibration.array_error import FEWEST_ARRAYS, MOST_DEVICES, array_errors
from pcmsim.calibration.bootstrap import bootstrap_laws
from pcmsim.calibration.calibrate import Calibration, Choices, burst_powers, calibrate
from pcmsim.calibration.distributions import Distribution, compare, held_out
from pcmsim.calibration.drift import LEAST_SPAN
from pcmsim.calibration.left_out import LeftOut, left_out_choice, predict_left_out
from pcmsim.calibration.likelihood import held_out_likelihood
from pcmsim.calibration.predictive import simulated_reads
from pcmsim.calibration.records import Campaign, DriftTraces, IntArray, RepeatedReads
from pcmsim.calibration.selection import (
    device_numbers,
    first_programmings,
    of_devices,
    without_time,
)
from pcmsim.calibration.validation import Validation
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values
from pcmsim.errors import UsageError
from pcmsim.rng import key, stream

SHARE = 0.2
_SAMPLE = 10 * MOST_DEVICES  # simulated devices of a level


def validate(
    campaign: Campaign, choices: Choices, calibration: Calibration, seed: int = 0
) -> Validation:
    """Validate `calibration`, which `campaign` and `choices` led to.

    The same seed gives the same split and the same simulated devices. Only drift traces are
    validated, with the repeated reads that bear on them; memory is that of the held-out fifth.
    What cannot be examined, because devices or times are too few, is named in `skipped`. Raises
    `DataError` if the fit to 80 % of the devices fails, `UsageError` for devices that relax, whose
    fit is validated as it is made (`pcmsim.calibration.relaxation_check`).
    """
    fits = calibration.fits
    if fits is None:
        raise UsageError("validate is for devices that drift; see relaxation_check of the others")
    choices = replace(choices, g_max=fits.g_max, t0_s=fits.drift.t0_s)
    numbers = device_numbers(campaign.drift)
    chosen = numbers[held_out(numbers, SHARE, stream(seed, "held out"))]
    values = _refitted(campaign, of_devices(campaign.drift, chosen, inside=False), choices, chosen)
    parts = tuple(of_devices(campaign.drift, chosen))
    levels = [level.g_target for level in fits.drift.levels]
    found = {g: rows for g, rows in first_programmings(parts).items() if g in levels}
    total, stderr = held_out_likelihood(parts, campaign.instrument, values)
    t_s, lowest = fits.drift.t_s, _lowest(found.values())
    simulated = {
        g: simulated_reads(values, campaign.instrument, g, _SAMPLE, t_s, seed, lowest)
        for g in found
    }
    array = array_errors(found, simulated, t_s, stream(seed, "arrays"))
    left_out = tuple(_left_out(campaign, choices, chosen, found, t_s, lowest, seed))
    laws = [*(choice.kept for choice in fits.laws.values()), fits.noise_law]
    bursts = burst_powers(fits.noise, fits.drift) if fits.noise is not None else []
    drawn = bootstrap_laws(fits.drift, laws, fits.g_max, bursts, stream(seed, "bootstrap"))
    skipped = [*_empty(levels, found, t_s), *_untold(left_out, found, t_s)]
    if not array:
        skipped.append(f"array: the held-out devices make fewer than {FEWEST_ARRAYS} arrays")
    return Validation(
        chosen.size,
        tuple(_distributions(found, simulated, t_s)),
        total,
        stderr,
        left_out,
        array,
        drawn,
        tuple(skipped),
    )


def _refitted(
    campaign: Campaign, drift: Iterable[DriftTraces], choices: Choices, without: IntArray
) -> Values:
    """The set that the pipeline makes of other drift traces, without reads of some devices."""
    reads = tuple(_reads_without(reads, without) for reads in campaign.reads)
    other = Campaign(campaign.instrument, drift=drift, reads=reads)
    return calibrate(other, choices).parameter_set.values


def _reads_without(reads: RepeatedReads, numbers: IntArray) -> RepeatedReads:
    at = np.isin(reads.device, numbers, invert=True)
    return replace(
        reads,
        device=reads.device[at],
        g_target=reads.g_target[at],
        t_s=reads.t_s[at],
        g=reads.g[at],
    )


def _lowest(levels: Iterable[FloatArray]) -> float:
    """Zero, or the lowest read [µS] where the instrument reports what noise takes below it."""
    return min([0.0, *(float(np.nanmin(rows)) for rows in levels)])


def _distributions(
    found: dict[float, FloatArray], simulated: dict[float, FloatArray], t_s: FloatArray
) -> Iterator[Distribution]:
    for g_target, rows in found.items():
        for k, time_s in enumerate(t_s):
            if not np.isnan(rows[:, k]).all():
                reads = simulated[g_target][:, k]
                yield compare(f"{g_target:g} uS", float(time_s), rows[:, k], reads)


def _empty(levels: list[float], found: dict[float, FloatArray], t_s: FloatArray) -> Iterator[str]:
    """Levels, and times of one, at which no held-out device was read."""
    for g_target in levels:
        if g_target not in found:
            yield f"{g_target:g} uS: no device with a read was held out"
            continue
        for time_s in t_s[np.isnan(found[g_target]).all(axis=0)]:
            yield f"{g_target:g} uS at {time_s:g} s: no held-out device was read"


def _untold(
    left_out: tuple[LeftOut, ...], found: dict[float, FloatArray], t_s: FloatArray
) -> Iterator[str]:
    """Left-out times at which a level could not be compared, or that there are none."""
    if not left_out:
        yield f"left-out times: {t_s.size} times; five over a factor of {LEAST_SPAN:g} are needed"
        return
    told = {(item.label, item.t_s) for item in left_out}
    for k in left_out_choice(t_s):
        for g_target in found:
            if (f"{g_target:g} uS", float(t_s[k])) not in told:
                few = "fewer than two reads of held-out devices"
                yield f"left-out times: {g_target:g} uS at {t_s[k]:g} s: {few}"


def _left_out(
    campaign: Campaign,
    choices: Choices,
    chosen: IntArray,
    found: dict[float, FloatArray],
    t_s: FloatArray,
    lowest: float,
    seed: int,
) -> Iterator[LeftOut]:
    """Each of the times that take turns, predicted from all others and from the other devices."""
    if t_s.size < 5 or t_s[-2] < LEAST_SPAN * t_s[0]:
        return
    others = of_devices(campaign.drift, chosen, inside=False)
    for k in left_out_choice(t_s):
        values = _refitted(campaign, without_time(others, k), choices, chosen)
        reads = {g: rows[:, k] for g, rows in found.items()}
        yield from predict_left_out(
            reads, float(t_s[k]), values, campaign.instrument, key(seed, "left out", k), lowest
        )
