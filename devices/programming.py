"""Iterative programming as its statistics: where a device ends up, and how it will drift.

Equations: Nandakumar et al., ICECS 2019, doi:10.1109/ICECS46596.2019.8964852; Joshi et al.,
doi:10.1038/s41467-020-16108-9. Coefficients live in parameter sets.
"""

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.noise import relative_std
from pcmsim.devices.params import Values
from pcmsim.errors import UsageError


def placement_std(values: Values, g_target: FloatArray) -> FloatArray:
    """Standard deviation of the programmed conductance [µS] for the target `g_target` [µS].

    σ(G_T) is the law of the set, times g_max / g_max_of_fit. If that law was measured with noisy
    reads (`programming_std_includes_read_noise`), the noise of one read t0 after programming is
    taken out: σ_place² = max(σ² - (Q G_T)² ln((t0 + t_r) / 2 t_r), 0).

    >>> from pcmsim.devices import load_parameter_set
    >>> float(placement_std(load_parameter_set("pcm-gst-90nm").values, np.array(10.0)).round(5))
    0.86178
    """
    relative = np.asarray(g_target) / values.g_max
    std = values.programming_std(relative) * (values.g_max / values.g_max_of_fit)
    if not values.programming_std_includes_read_noise:
        return std
    q = values.projection * values.read_noise(relative)
    read = q * g_target * relative_std(values, values.t0_s)
    return np.asarray(np.sqrt(np.maximum(std**2 - read**2, 0.0)))


def programmed_conductance(values: Values, g_target: FloatArray, xi: FloatArray) -> FloatArray:
    """Conductance t0 after programming [µS]: max(0, G_T + σ_place(G_T) ξ), with ξ ~ N(0, 1).

    With `zero_target = "reset"`, devices whose target is zero are left in RESET instead.
    """
    g = np.maximum(0.0, g_target + placement_std(values, g_target) * xi)
    if values.zero_target == "reset":
        g = np.where(g_target == 0.0, reset_conductance(values, xi), g)
    return np.asarray(g, dtype=g_target.dtype)


def reset_conductance(values: Values, xi: FloatArray) -> FloatArray:
    """RESET conductance [µS], log-normal: median exp(s ξ), with ξ ~ N(0, 1).

    Median: Nandakumar et al. 2018, doi:10.1063/1.5042408.
    """
    return np.asarray(values.reset_median * np.exp(values.reset_log_std * xi))


def drift_exponent(
    values: Values, g_target: FloatArray, nu_device: FloatArray, nu_event: FloatArray
) -> FloatArray:
    """Drift exponent of a device programmed to `g_target` [µS].

    ν = |μ(g) + σ(g) (√ρ a + √(1-ρ) b)|, where a (`nu_device`) stays with the device and b
    (`nu_event`) is new at each programming, both N(0, 1); times the projection factor of a liner.
    """
    g = g_target / values.g_max
    spread = device_and_event(values, nu_device, nu_event)
    nu = np.abs(values.nu_mean(g) + values.nu_std(g) * spread) * values.projection
    return np.asarray(nu, dtype=g_target.dtype)


def device_and_event(values: Values, nu_device: FloatArray, nu_event: FloatArray) -> FloatArray:
    """Deviation √ρ a + √(1-ρ) b of the exponent from its mean, in standard deviations."""
    share = values.nu_device_share
    return np.asarray(np.sqrt(share) * nu_device + np.sqrt(1.0 - share) * nu_event)


def check_target(values: Values, g_target: FloatArray) -> None:
    """Refuse a target [µS] that is not finite, below zero or above g_max, before any work."""
    if not np.all(np.isfinite(g_target)):
        raise UsageError("g_target holds NaN or infinite values; every target must be a number")
    if g_target.size and g_target.min() < 0.0:
        raise UsageError(
            f"g_target reaches {g_target.min():g} uS; a conductance cannot be negative: "
            f"map signed weights to pairs of devices first"
        )
    if g_target.size and g_target.max() > values.g_max * (1 + 1e-6):
        raise UsageError(
            f"g_target reaches {g_target.max():g} uS, above g_max = {values.g_max:g} uS of this "
            f"parameter set; scale the targets or choose another set"
        )
