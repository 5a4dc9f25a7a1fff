"""How devices of a set with a relaxation law change: each along a path of its own through time."""

import numpy as np

from pcmsim.devices.drift import check_elapsed
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values
from pcmsim.devices.relaxation_kernel import paths
from pcmsim.devices.relaxation_law import Relaxation
from pcmsim.devices.state import HEALTHY, ArrayState


def relaxed(values: Values, law: Relaxation, state: ArrayState, now_s: float) -> FloatArray:
    """Conductance of every device [µS] at the clock time `now_s` [s], without read noise.

    Time counts from the read at t0 that defines the programmed conductance. Faulty devices stay
    where they are. The path of a device is a hash of what was drawn for it when it was made and
    when it was last programmed: a function of time, whoever looks, and a new one after each
    programming.
    """
    elapsed = np.asarray(now_s - state.programmed_at_s)
    check_elapsed(elapsed)
    offset_s = 0.0 if values.time_origin == "reference" else values.t0_s
    t_s = np.maximum(elapsed - offset_s, 0.0)
    z = deviate(law, state.nu_device, state.nu_event, t_s)
    g = law.relaxed(state.g, values.g_max, t_s, z)
    return np.where(state.fault == HEALTHY, g, state.g)


def deviate(
    law: Relaxation, nu_device: FloatArray, nu_event: FloatArray, t_s: FloatArray
) -> FloatArray:
    """The standard normal deviate z of each device `t_s` [s] after it was programmed.

    z = √p W(x²)/x + √(1-p) E(x) with x = ln(1 + t/memory): W is a Brownian motion, so that two
    times share p x1/x2 of it; E forgets within half a decade of 1 + t/memory, and adds to the
    correlation of times that lie closer. `t_s` is one time (shape ()) or one for each device.
    Devices that agree in both drawn numbers to the bit share their path.

    >>> law = Relaxation(0.1, 1.0, 1e3, (-1.0,), (0.5,), (0.3,), (0,), (0,), (0,), 0.8, 1e-3)
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.standard_normal((2, 20_000), dtype=np.float32)
    >>> early, late = (deviate(law, a, b, np.array(t)) for t in (1.0, 1e5))
    >>> float(np.corrcoef(early, late)[0, 1].round(2))  # 0.8 ln(1001) / ln(1e8) = 0.3
    0.31
    """
    keys = _bits(nu_device) ^ (_bits(nu_event) << np.uint64(32) | _bits(nu_event) >> np.uint64(32))
    x = np.log1p(np.asarray(t_s, dtype=np.float64) / law.memory_s)
    x = np.ascontiguousarray(np.broadcast_to(x, nu_device.shape))
    out = np.empty(nu_device.shape, dtype=np.float32)
    paths(keys.reshape(-1), x.reshape(-1), law.persistence, out.reshape(-1))
    return out


def _bits(drawn: FloatArray) -> np.ndarray:
    wide = np.ascontiguousarray(drawn, dtype=np.float64)
    return wide.view(np.uint64)
