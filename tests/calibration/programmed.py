"""Closed-loop levels drawn from the law itself: normal pulses, a window, drift and 1/f noise."""

import numpy as np

from pcmsim.calibration.noise_model import spectrum_covariance
from pcmsim.calibration.records import Instrument, ProgrammedLevels

READ_AFTER_S = np.array([0.01, 0.1, 1.0, 20.0])
VERIFY_AFTER_S = 1e-3
INSTRUMENT = Instrument(t_read_s=2.5e-7, g_noise_std=0.05)
Q, NU, NU_STD = 0.02, 0.05, 0.01


def drawn(rng, n, g_target=10.0, tolerance=0.8, middle=10.2, spread=1.0, q=Q):
    """`n` accepted devices and their true conductances at verify [µS].

    Pulses leave N(middle, spread²); the verify read has to lie within the tolerance. The noise is
    that of the target, whatever the conductance of the device.
    """
    t_s = np.append(VERIFY_AFTER_S, READ_AFTER_S)
    root = np.linalg.cholesky(spectrum_covariance(t_s, 1.0, INSTRUMENT.t_read_s))
    true, reads = [], []
    while sum(part.size for part in true) < n:
        u = rng.normal(middle, spread, 4 * n)
        noise = q * (rng.standard_normal((4 * n, t_s.size)) @ root.T)
        nu = rng.normal(NU, NU_STD, 4 * n)
        g = (u[:, None] + g_target * noise) * (t_s / t_s[0]) ** -nu[:, None]
        g += INSTRUMENT.g_noise_std * rng.standard_normal(g.shape)
        kept = np.abs(g[:, 0] - g_target) <= tolerance
        true.append(u[kept])
        reads.append(g[kept])
    g, u = np.concatenate(reads)[:n], np.concatenate(true)[:n]
    levels = ProgrammedLevels(
        device=np.arange(n),
        g_target=np.full(n, g_target),
        iterations=np.ones(n, np.int64),
        converged=np.ones(n, np.int64),
        tolerance=tolerance,
        verify_after_s=VERIFY_AFTER_S,
        g_verify=g[:, 0],
        read_after_s=READ_AFTER_S,
        g=g[:, 1:],
    )
    return levels, u
