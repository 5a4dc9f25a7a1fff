"""Reads that a parameter set predicts: simulated devices, read as a campaign reads its own."""

from dataclasses import replace

import numpy as np

from pcmsim.calibration.records import Instrument
from pcmsim.devices import (
    Follower,
    Values,
    conductance,
    fast_std,
    manufacture,
    program,
    slow_modes,
)
from pcmsim.devices.laws import FloatArray
from pcmsim.rng import key, stream


def simulated_reads(
    values: Values,
    instrument: Instrument,
    g_target: float,
    devices: int,
    t_s: FloatArray,
    seed: int,
    lowest: float = 0.0,
) -> FloatArray:
    """Conductances [µS] of working devices of the set `values`, programmed once (devices, k).

    `t_s` (k,) counts from the last pulse [s] and increases, which the origin "reference" with the
    age t0 at its zero amounts to. Every read has the noise of the set, integrated as `instrument`
    does, and the instrument's own noise and rounding; what falls below `lowest` [µS] reads as that.
    Raises `UsageError` for a target that the set does not have.

    >>> from pcmsim.devices import load_parameter_set
    >>> values = load_parameter_set("pcm-gst-90nm").values
    >>> g = simulated_reads(values, Instrument(2.5e-7), 5.0, 4000, np.array([20.0, 3600.0]), 1)
    >>> g.mean(axis=0).round(1)  # 5 uS, and 5 uS E[(3600 / 20)^-nu]
    array([5. , 3.9])
    """
    # Faulty devices fail the tuning test of a campaign, and its fits leave them out.
    values = replace(
        values,
        time_origin="last_pulse",
        t_read_s=instrument.t_read_s,
        p_stuck_reset=0.0,
        p_stuck_set=0.0,
        p_untunable=0.0,
    )
    name = f"{g_target:g}"
    rng, reads = stream(seed, "predicted", name), stream(seed, "predicted reads", name)
    state = manufacture(values, (devices,), rng, np.float64)
    state = program(values, state, np.full(devices, g_target), 0.0, rng)
    follower = Follower(slow_modes(values), state.shape, key(seed, "predicted noise", name))
    g = np.empty((devices, len(t_s)))
    for k, time_s in enumerate(np.asarray(t_s, dtype=np.float64).tolist()):
        slow = follower.at(time_s, state.programmed_at_s)
        noise = slow + fast_std(values) * reads.standard_normal(devices)
        g[:, k] = conductance(values, state, time_s) * np.maximum(0.0, 1.0 + state.noise * noise)
    return _converted(g, instrument, lowest, reads)


def _converted(
    g: FloatArray, instrument: Instrument, lowest: float, rng: np.random.Generator
) -> FloatArray:
    """What the instrument makes of the conductances `g` [µS]."""
    if instrument.g_noise_std > 0.0:
        g = g + instrument.g_noise_std * rng.standard_normal(g.shape)
    step = instrument.g_step
    g = np.round(g / step) * step if step else g
    return np.asarray(np.maximum(g, lowest))
