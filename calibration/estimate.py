"""What a fit returns: values, their covariance, and whether to believe them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from pcmsim.devices.laws import FloatArray
from pcmsim.errors import UsageError


@dataclass(frozen=True)
class Estimate:
    """Values of named parameters with their covariance.

    names           what was estimated
    values          estimates, in the order of the names (p,)
    covariance      covariance of the estimates (p, p)
    n               devices that the estimate rests on
    converged       whether the fit ended at an optimum
    message         why it ended
    """

    names: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    n: int
    converged: bool = True
    message: str = "converged"

    def __getitem__(self, name: str) -> float:
        """Value of one parameter."""
        return float(self.values[self._index(name)])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    @property
    def stderrs(self) -> FloatArray:
        """Standard errors, in the order of the names (p,)."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.covariance), 0.0)))

    def stderr(self, name: str) -> float:
        """Standard error of one parameter."""
        return float(self.stderrs[self._index(name)])

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Interval that covers the truth at the rate `level`, by the normal approximation.

        >>> nu = Estimate(("nu",), np.array([0.05]), np.array([[1e-4]]), 10)
        >>> round(nu.interval("nu")[0], 4)
        0.0304
        """
        half = float(norm.ppf(0.5 + level / 2.0)) * self.stderr(name)
        return self[name] - half, self[name] + half

    def only(self, names: Sequence[str]) -> "Estimate":
        """The same for some of the parameters."""
        at = [self._index(name) for name in names]
        block = self.covariance[np.ix_(at, at)]
        return Estimate(tuple(names), self.values[at], block, self.n, self.converged, self.message)

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise UsageError(f"{name} was not estimated; there are {', '.join(self.names)}")
        return self.names.index(name)


@dataclass(frozen=True)
class Exclusion:
    """Devices or samples that a fit left out, all for one reason.

    dataset         which measurement, such as "drift"
    reason          why they were left out
    count           how many
    what            "devices" or "samples"
    rows            rows of the data set, the first thousand at most
    """

    dataset: str
    reason: str
    count: int
    what: str = "devices"
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Unidentified:
    """An entry of a parameter set that a campaign says nothing about.

    entry           name of the entry
    why             what is missing
    measurement     which measurement would tell
    kept            what stands in the set instead, and from where
    """

    entry: str
    why: str
    measurement: str
    kept: str
