"""Mean and covariance of the reads that a parameter set gives, exact and not simulated."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.drift_low import CutNoise, LowLevelModel
from pcmsim.calibration.drift_model import LevelModel
from pcmsim.calibration.noise_model import spectrum_covariance
from pcmsim.calibration.records import Instrument
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.noise import noise_amplitude
from pcmsim.devices.params import Values
from pcmsim.devices.programming import placement_std


@dataclass(frozen=True)
class SetMoments:
    """Moments of reads at fixed times, of devices of a set, against their target.

    values          the set
    plain           times, noise and instrument
    cut             moments of the noise that is cut off at zero
    """

    values: Values
    plain: LevelModel
    cut: CutNoise

    @classmethod
    def of(cls, values: Values, instrument: Instrument, t_s: FloatArray) -> "SetMoments":
        """For reads of `instrument` at the times `t_s` since the last pulse [s] (k,).

        >>> from pcmsim.devices import load_parameter_set
        >>> values = load_parameter_set("pcm-gst-90nm").values
        >>> moments = SetMoments.of(values, Instrument(2.5e-7), np.array([20.0, 3600.0]))
        >>> moments(5.0)[0].round(2)  # 5 uS, and 5 uS E[(3600 / 20)^-nu]
        array([5.  , 3.88])
        """
        noise = spectrum_covariance(t_s, values.read_noise_exponent, instrument.t_read_s)
        plain = LevelModel(np.log(t_s / values.t0_s), noise, instrument.g_variance)
        return cls(values, plain, CutNoise(noise))

    def __call__(self, g_target: float) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) and covariance (k, k) of the reads [µS, µS²] for a target [µS]."""
        values, target = self.values, np.array(g_target)
        reset = g_target == 0.0
        location = values.reset_median if reset else g_target
        spread = values.reset_log_std**2 if reset else float(placement_std(values, target)) ** 2
        nu_mean = float(values.nu_mean(target / values.g_max)) * values.projection
        nu_std = float(values.nu_std(target / values.g_max)) * values.projection
        model = LowLevelModel(self.plain, self.cut, lambda g: noise_amplitude(values, g), reset)
        power = model.power(location, spread)
        return model(np.array([location, max(spread, 1e-12), power, nu_mean, nu_std**2]))
