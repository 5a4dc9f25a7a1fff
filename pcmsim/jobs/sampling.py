"""Draw many devices of a parameter set and say what their conductances do over time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration import Moments, moments
from pcmsim.devices import (
    ArrayState,
    ParameterSet,
    age_s,
    conductance,
    manufacture,
    marginal_read,
    program,
)
from pcmsim.errors import UsageError
from pcmsim.rng import stream

MOST = 100_000_000


@dataclass(frozen=True)
class Sample:
    """Conductance [µS] of devices programmed to `g_target` [µS], at `t_s` after programming [s]."""

    g_target: float
    t_s: float
    g: Moments


def sample(
    parameter_set: ParameterSet,
    g_targets: Sequence[float],
    times_s: Sequence[float],
    n: int = 1_000_000,
    *,
    read_noise: bool = True,
    seed: int = 0,
) -> list[Sample]:
    """Program `n` healthy devices to each target and follow them to each time.

    The same devices are read at all times, each time with a fresh marginal draw of read noise
    unless `read_noise` is false. Faulty devices are left out: they have no target.

    Raises `UsageError` for targets outside 0 ... g_max, negative times, or fewer than two devices.

    >>> from pcmsim.devices import load_parameter_set
    >>> sample(load_parameter_set("ideal"), [5.0], [3600.0], n=10)[0].g.mean
    5.0
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 2 <= n <= MOST:
        raise UsageError(f"n = {n!r}: draw from two to {MOST:,} devices per target")
    healthy = parameter_set.with_values(p_stuck_reset=0.0, p_stuck_set=0.0, p_untunable=0.0)
    values = healthy.values
    for t_s in times_s:
        age_s(values, t_s)
    for g_target in g_targets:
        if not 0.0 <= g_target <= values.g_max:
            raise UsageError(
                f"target {g_target:g} uS is outside 0 ... {values.g_max:g} uS, the range of "
                f"{parameter_set.name}"
            )
    return [
        found
        for g in g_targets
        for found in _follow(healthy, float(g), times_s, n, read_noise, seed)
    ]


def _follow(
    healthy: ParameterSet, g_target: float, times_s: Sequence[float], n: int, noisy: bool, seed: int
) -> Iterator[Sample]:
    values, name = healthy.values, g_target.hex()
    state: ArrayState = manufacture(values, (n,), stream(seed, "make", name))
    target = np.full(n, g_target, dtype=np.float32)
    state = program(values, state, target, 0.0, stream(seed, "write", name))
    for t_s in times_s:
        g = conductance(values, state, float(t_s))
        if noisy:
            rng = stream(seed, "read", name, float(t_s).hex())
            g = marginal_read(values, g, state.noise, age_s(values, float(t_s)), rng)
        yield Sample(g_target, float(t_s), moments(g))
