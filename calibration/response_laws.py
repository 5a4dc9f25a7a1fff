"""Forms of the mean increment of a gradual device, and their working parameters.

Working parameters are increments at the two ends of the measured range, logarithms of positive
numbers, and bends; all of them of order one or of an increment, so that one optimiser suits all.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.pulse_laws import Accumulation, Saturation, SetPulse

# From the simplest on; of each, the working parameters of the mean beyond the first.
FORMS = {
    "constant": (),
    "soft bounds": ("rise",),
    "memory of pulses": ("memory", "log_alpha"),
    "soft bounds with memory": ("rise", "memory", "log_alpha"),
    "exponential in conductance": ("rise", "bend"),
}
_SPREAD = ("log_std_low", "log_std_high")
_REMEMBERED = "log_std_memory"


@dataclass(frozen=True)
class Form:
    """A form over the range `low` to `high` [µS]; `devices` whether they differ by a factor."""

    name: str
    low: float
    high: float
    devices: bool

    @property
    def working(self) -> tuple[str, ...]:
        """Names of the working parameters."""
        memory = (_REMEMBERED,) if "memory" in FORMS[self.name] else ()
        factor = ("log_device_std",) if self.devices else ()
        return ("mean_low", *FORMS[self.name], *_SPREAD, *memory, "log_read_std", *factor)

    def law(self, theta: FloatArray) -> SetPulse:
        """The law of a parameter set with the working parameters `theta` (q,)."""
        at = dict(zip(self.working, theta.tolist(), strict=True))
        span, rise = self.high - self.low, at.get("rise", 0.0)
        low, high = np.exp(at["log_std_low"]), np.exp(at["log_std_high"])
        slope = float(high - low) / span
        offset = float(low) - slope * self.low
        if "bend" in at:
            gain = -rise / -np.expm1(-at["bend"])
            rate = at["bend"] / span
            scaled = float(gain * np.exp(rate * self.low))
            return Saturation(at["mean_low"] - float(gain), scaled, rate, 0.0, offset, slope)
        memory = at.get("memory", 0.0)
        remembered = float(np.expm1(at.get(_REMEMBERED, 0.0)) * min(low, high))
        alpha = float(np.exp(at.get("log_alpha", 0.0)))
        m1 = rise / span
        c1 = at["mean_low"] - m1 * self.low
        return Accumulation(m1, c1, memory, slope, offset, remembered, alpha)

    def read_std(self, theta: FloatArray) -> float:
        """Standard deviation of the read noise [µS]."""
        return float(np.exp(theta[self.working.index("log_read_std")]))

    def device_std(self, theta: FloatArray) -> float:
        """Standard deviation of ln F between devices, 0 if they are taken as alike."""
        return float(np.exp(theta[-1])) if self.devices else 0.0

    def start(self, mean: float, std: float, read_std: float, pulses: int) -> FloatArray:
        """Working parameters from the mean and spread [µS] of the increments."""
        first = {
            "mean_low": mean,
            "rise": 0.1 * abs(mean),
            "memory": 0.1 * abs(mean),
            "log_alpha": float(np.log(max(pulses / 5.0, 1.0))),
            "bend": 1.0,
            **dict.fromkeys(_SPREAD, float(np.log(std))),
            _REMEMBERED: 0.1,
            "log_read_std": float(np.log(read_std)),
            "log_device_std": float(np.log(0.1)),
        }
        return np.array([first[name] for name in self.working])

    def bounds(self, scale: float, pulses: int) -> list[tuple[float, float]]:
        """Least and greatest working parameters; `scale` is of an increment [µS]."""
        tiny = float(np.log(1e-3 * scale))
        wide = float(np.log(1e3 * scale))
        limits = {
            **dict.fromkeys(("mean_low", "rise", "memory"), (-1e2 * scale, 1e2 * scale)),
            "log_alpha": (float(np.log(0.3)), float(np.log(max(pulses, 2.0)))),
            "bend": (0.02, 15.0),
            **dict.fromkeys((*_SPREAD, "log_read_std"), (tiny, wide)),
            _REMEMBERED: (-5.0, 5.0),
            "log_device_std": (float(np.log(1e-3)), float(np.log(2.0))),
        }
        return [limits[name] for name in self.working]

    def named(self, theta: FloatArray) -> dict[str, float]:
        """Natural parameters: those of the law, the read noise, and the devices' spread."""
        law = self.law(theta)
        values = {name: getattr(law, name) for name in law.__dataclass_fields__}
        values["read_std_us"] = self.read_std(theta)
        if self.devices:
            values["set_device_std"] = self.device_std(theta)
        return values
