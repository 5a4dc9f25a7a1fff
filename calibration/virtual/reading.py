"""Reads of simulated devices through an instrument: noise, integration, converter, lost samples."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.records import Instrument
from pcmsim.config.campaign import Instrument as InstrumentPlan
from pcmsim.devices import ArrayState, Follower, Values, conductance, fast_std, slow_modes
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import ParameterSet
from pcmsim.errors import UsageError


def values_as_read(parameter_set: ParameterSet, plan: InstrumentPlan) -> Values:
    """Numbers of the set for a campaign: times from the last pulse, integration as planned.

    The physics is that of the set; only the labels of time change. Raises `UsageError` if a read
    integrates longer than the slow noise of the set allows.
    """
    longest = 0.5 / parameter_set.values.noise_rate_split
    if plan.t_read_s > longest:
        raise UsageError(
            f"instrument.t_read_s = {plan.t_read_s:g} s: the set tells noise up to "
            f"{parameter_set.values.noise_rate_split:g} 1/s apart; at most {longest:g} s"
        )
    changed = parameter_set.with_values(time_origin="last_pulse", t_read_s=plan.t_read_s)
    return changed.values


def instrument_record(plan: InstrumentPlan, chip: str) -> Instrument:
    """The instrument as it is written into the file."""
    step = 0.0 if plan.adc_bits is None else plan.full_scale_us / (2**plan.adc_bits - 1)
    return Instrument(
        t_read_s=plan.t_read_s,
        g_step=step,
        g_noise_std=plan.noise_std_us,
        read_voltage_v=plan.read_voltage_v,
        temperature_k=plan.temperature_k,
        chip=chip,
        name="virtual",
    )


@dataclass
class Reader:
    """Reads one array of devices, whose slow noise it follows.

    values          numbers of the set, with the origin "last_pulse"
    plan            the instrument
    key             names the slow noise of the array (`pcmsim.rng.key`)
    rng             fast noise and lost samples
    """

    values: Values
    plan: InstrumentPlan
    key: int
    rng: np.random.Generator
    _follower: Follower | None = None

    def read(self, state: ArrayState, now_s: float) -> FloatArray:
        """One read of every device [µS] at the clock time `now_s` [s]; NaN where it was lost."""
        if self._follower is None:
            self._follower = Follower(slow_modes(self.values), state.shape, self.key)
        slow = self._follower.at(now_s, state.programmed_at_s)
        noise = slow + fast_std(self.values) * self.rng.standard_normal(state.shape)
        g = conductance(self.values, state, now_s) * np.maximum(0.0, 1.0 + state.noise * noise)
        return self.converted(g)

    def converted(self, g: FloatArray) -> FloatArray:
        """What the instrument makes of the conductances `g` [µS]."""
        step = instrument_record(self.plan, "").g_step
        if self.plan.noise_std_us > 0.0:
            g = g + self.plan.noise_std_us * self.rng.standard_normal(g.shape)
        g = np.clip(g, 0.0, self.plan.full_scale_us)
        g = np.round(g / step) * step if step else g
        lost = self.rng.random(g.shape) < self.plan.missing
        return np.where(lost, np.nan, g)
