"""A whole virtual campaign."""

from collections.abc import Iterator

from pcmsim.calibration.records import Campaign, DriftTraces
from pcmsim.calibration.virtual.curves import programming_curve
from pcmsim.calibration.virtual.drift import drift_parts
from pcmsim.calibration.virtual.levels import programmed_levels
from pcmsim.calibration.virtual.reading import instrument_record, values_as_read
from pcmsim.calibration.virtual.reads import repeated_reads
from pcmsim.calibration.virtual.staircases import set_drift, set_staircases
from pcmsim.calibration.virtual.yields import yield_map
from pcmsim.config.campaign import CampaignPlan
from pcmsim.devices import ParameterSet, Values, pulse_model
from pcmsim.errors import UsageError


def measure_campaign(parameter_set: ParameterSet, plan: CampaignPlan, seed: int) -> Campaign:
    """Measure a simulated chip of the set; the same seed gives the same campaign.

    Every section draws from streams of its own, so changing one leaves the others as they are.
    Raises `UsageError` before any work for targets or currents that the set does not have, a
    full scale below g_max, or a read that integrates too long.

    >>> from pcmsim.config import build_plan
    >>> from pcmsim.devices import load_parameter_set
    >>> plan = build_plan({"drift": {"targets": [5.0], "devices_per_level": 3}, "reads": None,
    ...                    "staircase": None, "set_drift": None, "curve": None, "yields": None,
    ...                    "levels": None})
    >>> campaign = measure_campaign(load_parameter_set("pcm-gst-90nm"), plan, seed=1)
    >>> campaign.drift[0].g.shape  # three devices, programmed twice, read 25 times
    (6, 25)
    """
    values = _checked(parameter_set, plan)
    reads = plan.reads
    bursts = (repeated_reads(values, reads, plan.instrument, seed),) if reads else ()
    pulses, after, loop = plan.staircase, plan.set_drift, plan.levels
    yields = yield_map(values, plan.yields, plan.instrument, seed) if plan.yields else None
    return Campaign(
        instrument_record(plan.instrument, f"virtual {parameter_set.name}, seed {seed}"),
        drift=tuple(campaign_parts(parameter_set, plan, seed)),
        set_drift=set_drift(values, after, plan.instrument, seed) if after else None,
        reads=bursts,
        staircases=set_staircases(values, pulses, plan.instrument, seed) if pulses else None,
        curve=programming_curve(values, plan.curve, plan.instrument, seed) if plan.curve else None,
        yields=yields,
        law="drift" if values.relaxation is None else "relaxation",
        levels=programmed_levels(values, loop, plan.instrument, seed) if loop else None,
    )


def campaign_parts(
    parameter_set: ParameterSet, plan: CampaignPlan, seed: int
) -> Iterator[DriftTraces]:
    """Drift traces level by level, measured as they are asked for and never held together.

    Raises `UsageError` at once for a plan that cannot be measured, as `measure_campaign` does.
    """
    values = _checked(parameter_set, plan)
    if plan.drift is None:
        return iter(())
    return drift_parts(values, plan.drift, plan.instrument, seed)


def _checked(parameter_set: ParameterSet, plan: CampaignPlan) -> Values:
    values = values_as_read(parameter_set, plan.instrument)
    for fault in (*_beyond_g_max(plan, values), *_beyond_pulses(plan, values)):
        raise UsageError(f"{fault} of {parameter_set.name}")
    return values


def _beyond_g_max(plan: CampaignPlan, values: Values) -> Iterator[str]:
    """Conductances of the plan that the chip does not have, or the instrument cannot read."""
    for name in ("drift", "reads", "levels"):
        section = getattr(plan, name)
        highest = max(section.targets) if section else 0.0
        if highest > values.g_max:
            yield f"{name}.targets reach {highest:g} uS, above g_max = {values.g_max:g} uS"
    full_scale = plan.instrument.full_scale_us
    if full_scale < values.g_max:
        yield (
            f"instrument.full_scale_us = {full_scale:g} uS cuts off reads below g_max = "
            f"{values.g_max:g} uS"
        )


def _beyond_pulses(plan: CampaignPlan, values: Values) -> Iterator[str]:
    """Currents of the plan outside the melting branch; raises `UsageError` without pulse model."""
    if not (plan.staircase or plan.set_drift or plan.curve or plan.levels):
        return
    melt = pulse_model(values).melt_curve
    curve, low, high = plan.curve, melt.min_current_ua, melt.max_current_ua
    if curve is not None and not low <= curve.first_ua < curve.last_ua <= high:
        yield (
            f"curve.first_ua = {curve.first_ua:g} and curve.last_ua = {curve.last_ua:g} uA must "
            f"lie within {low:g} ... {high:g} uA, the melting curve"
        )
