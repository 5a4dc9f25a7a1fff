"""Converters at the edges of an array: pulse-width inputs and sampled outputs.

Inputs are pulses of one voltage whose width counts unit pulses, so that the devices' I-V curve
drops out; outputs pass an analog-to-digital converter. Khaddam-Aljameh et al.,
doi:10.1109/JSSC.2022.3140414.
"""

import numpy as np

from pcmsim.crossbar.mapping import FloatArray


def pulse_widths(x: FloatArray, bits: int) -> FloatArray:
    """Inputs as whole numbers of unit pulses: round(L x) / L with L = 2^(bits-1) - 1, |x| <= 1.

    Larger inputs are clipped to one.

    >>> pulse_widths(np.array([0.0, 0.5, -1.0, 3.0]), bits=8).round(4).tolist()
    [0.0, 0.5039, -1.0, 1.0]
    """
    levels = 2 ** (bits - 1) - 1
    return np.asarray(np.rint(np.clip(x, -1.0, 1.0) * levels) / levels, dtype=x.dtype)


def sampled(y: FloatArray, bits: int, full_scale: FloatArray) -> FloatArray:
    """Outputs as a converter gives them: clip(round(y / Δ), ±L) Δ, Δ = full_scale / L.

    L = 2^(bits-1) - 1; `full_scale` broadcasts against `y` and has its unit.

    >>> sampled(np.array([0.26, -9.0]), bits=3, full_scale=np.array(1.5)).tolist()
    [0.5, -1.5]
    """
    levels = 2 ** (bits - 1) - 1
    step = full_scale / levels
    return np.asarray(np.clip(np.rint(y / step), -levels, levels) * step, dtype=y.dtype)
