"""Closed-loop programming: pulse, wait, read, correct, until the read is near enough.

Two back-ends. "melt": melting pulses, whose current is corrected in proportion to the error, as
on IBM's chips; it comes from either side. "set": SET pulses from RESET upwards, again from RESET
after an overshoot; from below, so that it ends low on average. With a tolerance τ and a verify
read of standard deviation σ_v the true conductances of accepted devices spread by about
√(τ²/3 + σ_v²), if pulses spread much wider than τ. Joshi et al., doi:10.1038/s41467-020-16108-9;
Le Gallo et al., doi:10.1038/s41928-023-01010-1.
"""

from dataclasses import replace

import numpy as np

from pcmsim.devices.drift import age_s
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.melting import melt_current
from pcmsim.devices.modes import fast_std
from pcmsim.devices.noise import noise_amplitude
from pcmsim.devices.params import Values
from pcmsim.devices.programming import check_target, drift_exponent, reset_conductance
from pcmsim.devices.pulse_model import pulse_model
from pcmsim.devices.pulses import set_exponent
from pcmsim.devices.state import HEALTHY, MELTED_IN_FULL, MELTED_TO_TARGET, ArrayState
from pcmsim.devices.verify_kernel import (
    Found,
    Loop,
    Melting,
    Setting,
    melt_loop,
    reset_draws,
    set_loop,
)
from pcmsim.devices.verify_settings import Outcome, Verify
from pcmsim.devices.wear import wear_out
from pcmsim.devices.writing import melted, put, selected, take
from pcmsim.errors import UsageError

# Points per g_max of the tables of laws that the compiled loops read.
_CELLS = 2000


def write_verify(
    values: Values,
    state: ArrayState,
    g_target: FloatArray,
    now_s: float,
    key: int,
    verify: Verify,
    where: np.ndarray | None = None,
    slow: FloatArray | None = None,
) -> tuple[ArrayState, Outcome]:
    """Write devices to `g_target` [µS] in a closed loop that begins at `now_s` [s].

    "melt": I = f⁻¹(G_T) of the median device, G = f(I) e^(σ_c ξ) + noise with the device's own
    shift; read y; accept if |y - G_T| <= τ, else I ← I - K (y - G_T) / (dG/dI at G_T), within the
    range of the curve. The pulse forgets, so no SET pulse precedes it. "set": RESET, then SET
    pulses each followed by a read; above G_T + τ RESET and again. A device that is given up stays
    as its last pulse left it. A target of zero is one RESET, not read.

    A read sees the conductance `wait_s` after the pulse, in the convention of the set, with the
    read noise of `verify` new each time and `slow`, a fluctuation in units of the amplitude Q, the
    same in all. Pulses act on the conductance at t0, for the loop is taken to be shorter than that;
    in a set with the origin "last_pulse" a device that is read young has fallen below its target
    by t0.

    Faulty devices never converge and do not change: they receive pulses up to `max_iterations`.
    `programmed_at_s` of each device is the time of its last pulse, before now_s + seconds: the
    clock has to be put forward by `seconds`.
    `key` names the draws (`pcmsim.rng.key`), `where` is a boolean mask or None for all; `g_target`
    and `slow` have the array's shape.

    Raises `UsageError` for targets that `program` refuses, other shapes, or a set without pulses.

    >>> from pcmsim.devices import load_parameter_set, manufacture
    >>> from pcmsim.rng import key, stream
    >>> values = load_parameter_set("ideal").values
    >>> state = manufacture(values, (3,), stream(0, "make"))
    >>> target = np.array([0.0, 4.9, 10.0])
    >>> how = Verify("set", g_tolerance=0.3)
    >>> state, outcome = write_verify(values, state, target, 0.0, key(0, "verify"), how)
    >>> state.g, outcome.iterations
    (array([ 0.,  5., 10.], dtype=float32), array([ 1, 10, 20], dtype=int32))
    """
    at = np.arange(state.g.size)[selected(where, state.shape)]
    target = _targets(values, state, g_target, at)
    noise = np.zeros(state.shape) if slow is None else np.asarray(slow, dtype=np.float64)
    if noise.shape != state.shape:
        raise UsageError(f"slow must have shape {state.shape}; got {noise.shape}")
    zero, healthy = target == 0.0, take(state.fault, at) == HEALTHY
    found, run = _nothing(at.size), np.flatnonzero(healthy & ~zero)
    ran = _run(values, state, at[run], target[run], take(noise, at[run]), key, verify)
    for whole, part in zip(found, ran, strict=True):
        whole[run] = part
    _reset(values, at, np.flatnonzero(healthy & zero), key, found)
    _in_vain(found, np.flatnonzero(~healthy), zero, verify)
    pulse_s, seconds = _schedule(found, zero, verify)
    state = _after(values, state, at, found, zero, now_s + pulse_s, verify)
    # Another stream than the hashes above, and drawn from only if a device has worn out.
    state = wear_out(values, state, np.random.Generator(np.random.SFC64(key)))
    found.converged[take(state.fault, at) != HEALTHY] = False
    return state, _outcome(state, at, found, seconds)


def _targets(values: Values, state: ArrayState, g_target: FloatArray, at: np.ndarray) -> FloatArray:
    g_target = np.asarray(g_target, dtype=np.float64)
    if g_target.shape != state.shape:
        raise UsageError(
            f"g_target must have shape {state.shape}, one per device; got {g_target.shape}"
        )
    target = take(g_target, at)
    check_target(values, target)
    return np.ascontiguousarray(target)


def _nothing(n: int) -> Found:
    return Found(
        g=np.zeros(n),
        event=np.zeros(n),
        iterations=np.zeros(n, np.int32),
        sets=np.zeros(n, np.int32),
        set_pulses=np.zeros(n, np.int32),
        resets=np.zeros(n, np.int32),
        converged=np.zeros(n, np.bool_),
    )


def _run(
    values: Values,
    state: ArrayState,
    at: np.ndarray,
    target: FloatArray,
    slow: FloatArray,
    key: int,
    verify: Verify,
) -> Found:
    """What the compiled loop of the back-end finds for the healthy devices `at`."""
    model, loop, found = pulse_model(values), _loop(values, verify), _nothing(at.size)
    nu_device = take(state.nu_device, at).astype(np.float64)
    if verify.backend == "melt":
        curve = model.melt_curve
        melting = Melting(
            top=curve.top * values.g_max,
            half=curve.half_current_ua,
            width=curve.width_ua,
            device=curve.device_std_ua,
            cycle=curve.cycle_std,
            noise=curve.noise_std_us,
            low=curve.min_current_ua,
            high=curve.max_current_ua,
            gain=float(verify.gain),
        )
        current, shift = melt_current(values, target), take(state.melt_shift, at)
        shift = shift.astype(np.float64)
        melt_loop(np.uint64(key), at, target, current, shift, nu_device, slow, loop, melting, found)
        return found
    setting = Setting(
        law=model.set_pulse.coefficients(),
        low=model.set_g_min,
        high=model.set_g_max,
        nu_mean=model.set_nu_mean,
        nu_std=model.set_nu_std,
        reset_median=values.reset_median,
        reset_log_std=values.reset_log_std,
    )
    factor = take(state.set_factor, at).astype(np.float64)
    set_loop(np.uint64(key), at, target, factor, nu_device, slow, loop, setting, found)
    return found


def _loop(values: Values, verify: Verify) -> Loop:
    """Numbers and tables for the compiled loops; tables of read noise reach twice g_max."""
    g = np.linspace(0.0, 2.0, 2 * _CELLS + 1)
    amplitude = noise_amplitude(values, g * values.g_max)
    std = amplitude * g * values.g_max * fast_std(values)
    if verify.read_std is not None:
        std = np.maximum(verify.read_std(g), 0.0)
    codes = 2.0 ** (verify.adc_bits or 0) - 1.0
    top = pulse_model(values).melt_curve.top * values.g_max
    melt = g[: _CELLS + 1]
    return Loop(
        tolerance=float(verify.g_tolerance),
        most=verify.max_iterations,
        reads=verify.reads,
        step=top / codes if codes else 0.0,
        top_code=codes,
        log_age=float(np.log(age_s(values, float(verify.wait_s)) / values.t0_s)),
        device_share=float(np.sqrt(values.nu_device_share)),
        event_share=float(np.sqrt(1.0 - values.nu_device_share)),
        projection=float(values.projection),
        cells_per_us=_CELLS / values.g_max,
        q=amplitude,
        std=std,
        nu_mean=values.nu_mean(melt),
        nu_std=values.nu_std(melt),
    )


def _reset(values: Values, at: np.ndarray, blank: np.ndarray, key: int, found: Found) -> None:
    """One RESET, not read, for the devices `blank` among those of `found`."""
    level, event = np.empty((2, blank.size))
    reset_draws(np.uint64(key), at[blank], level, event)
    found.g[blank], found.event[blank] = reset_conductance(values, level), event
    found.iterations[blank], found.resets[blank], found.converged[blank] = 1, 1, True


def _in_vain(found: Found, faulty: np.ndarray, zero: np.ndarray, verify: Verify) -> None:
    """Count what faulty devices are given: pulses up to the limit, or the one of a zero target."""
    n, melt = np.where(zero[faulty], 1, verify.max_iterations), verify.backend == "melt"
    found.iterations[faulty] = n
    found.resets[faulty] = n if melt else 1
    found.set_pulses[faulty] = np.where(zero[faulty] | melt, 0, n)


def _schedule(found: Found, zero: np.ndarray, verify: Verify) -> tuple[FloatArray, float]:
    """Time of each device's last pulse and of the end, from the start [s]; group after group."""
    if zero.size == 0:
        return np.zeros(0), 0.0
    check_s = verify.wait_s + verify.reads * verify.read_s
    pulses = found.set_pulses + found.resets
    lasted = pulses * verify.pulse_s + np.where(zero, 0, found.iterations) * check_s
    groups = np.maximum.reduceat(lasted, np.arange(0, lasted.size, verify.parallel))
    ends = np.cumsum(groups)
    began = (ends - groups)[np.arange(lasted.size) // verify.parallel]
    return began + lasted - np.where(zero, 0.0, check_s), float(ends[-1])


def _after(
    values: Values,
    state: ArrayState,
    at: np.ndarray,
    found: Found,
    zero: np.ndarray,
    pulse_s: FloatArray,
    verify: Verify,
) -> ArrayState:
    """State after the loops: the law of the exponent is that of the last pulse."""
    state = replace(
        state,
        programmings=state.programmings + 1,
        set_pulses=put(state.set_pulses, at, take(state.set_pulses, at) + found.set_pulses),
        resets=put(state.resets, at, take(state.resets, at) + found.resets),
    )
    healthy = take(state.fault, at) == HEALTHY
    at, zero, pulse_s = at[healthy], zero[healthy], pulse_s[healthy]
    g = found.g[healthy].astype(state.g.dtype)
    event, share = found.event[healthy], take(state.nu_device, at)
    aim = np.where(zero, 0.0, np.minimum(g, values.g_max)).astype(g.dtype)
    nu = drift_exponent(values, aim, share, event)
    in_full = zero | (verify.backend == "set")
    if verify.backend == "set":
        nu = np.where(zero, nu, set_exponent(values, share, event))
    origin = np.where(in_full, MELTED_IN_FULL, MELTED_TO_TARGET)
    state = melted(values, state, at, g, nu, event, origin, pulse_s)
    return replace(state, sets=put(state.sets, at, found.sets[healthy]))


def _outcome(state: ArrayState, at: np.ndarray, found: Found, seconds: float) -> Outcome:
    blank = np.zeros(state.shape, np.int32)
    return Outcome(
        iterations=put(blank, at, found.iterations),
        set_pulses=put(blank, at, found.set_pulses),
        reset_pulses=put(blank, at, found.resets),
        converged=put(np.zeros(state.shape, np.bool_), at, found.converged),
        seconds=seconds,
    )
