"""Mean and standard deviation of an aged device by quadrature: no sampling, no code of pcmsim.

The model is that of aihwkit's inference noise (Nandakumar et al., ICECS 2019) with the 90 nm
coefficients typed in again: programmed conductance max(0, N(G, σ)), exponent |N(μ, σ_ν)|
independent of it, and one read max(0, G (1 + Q ξ √ln(...))) with Q from the programmed value.
"""

import numpy as np
from scipy.stats import norm

T0_S, T_READ_S, G_MAX = 20.0, 250e-9, 25.0


def coefficients(g_target):
    """σ_prog [µS], μ_ν, σ_ν and Q at a target [µS]."""
    g = g_target / G_MAX
    log = np.log(max(g, 1e-7))
    return (
        0.26348 + 1.9650 * g - 1.1731 * g**2,
        min(max(-0.0155 * log + 0.0244, 0.049), 0.1),
        min(max(-0.0125 * log - 0.0059, 0.008), 0.045),
        min(0.0088 / max(g**0.65, 1e-3), 0.2),
    )


def conductance_moments(g_target, t_s, read_noise):
    """Mean and standard deviation [µS] at `t_s` after programming (age t + 20 s)."""
    std, nu_mean, nu_std, _ = coefficients(g_target)
    x = np.linspace(-9.0, 9.0, 60_001)
    weight = norm.pdf(x) * (x[1] - x[0])
    g = np.maximum(0.0, g_target + std * x)
    q = np.minimum(0.0088 / np.maximum((g / G_MAX) ** 0.65, 1e-3), 0.2)
    age = t_s + T0_S
    spread = q * np.sqrt(np.log((age + T_READ_S) / (2 * T_READ_S))) if read_noise else 0.0 * q
    fall = np.log(age / T0_S)
    moments = []
    for k in (1, 2):
        kept = np.sum(weight * np.exp(-k * np.abs(nu_mean + nu_std * x) * fall))
        moments.append(np.sum(weight * g**k * _positive_part(spread, k)) * kept)
    return moments[0], np.sqrt(moments[1] - moments[0] ** 2)


def _positive_part(a, k):
    """E[max(0, 1 + a ξ)^k] for k = 1 or 2."""
    safe = np.maximum(a, 1e-12)
    z = 1.0 / safe
    if k == 1:
        return norm.cdf(z) + safe * norm.pdf(z)
    return (1.0 + safe**2) * norm.cdf(z) + safe * norm.pdf(z)
