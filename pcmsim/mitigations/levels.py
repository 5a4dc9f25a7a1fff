"""One factor for each matrix, or for each column, from the level of one-hot outputs.

a = s_ref / s(t) with s the mean |output| over one-hot inputs. Le Gallo et al.,
doi:10.1109/TED.2018.2865352; Joshi et al., doi:10.1038/s41467-020-16108-9. What is common to the
devices comes back; the spread of drift exponents and the noise do not.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.crossbar.mapping import FloatArray
from pcmsim.mitigations.compensation import Known
from pcmsim.mitigations.site import Correction, Site

# A dead array reads next to nothing; the factor stays finite.
_SMALLEST = 1e-4
_NO_OFFSET = np.zeros(1)


@dataclass(frozen=True)
class Levels:
    """`by_column` compares column by column, else the whole matrix."""

    by_column: bool

    def prepare(self, site: Site) -> None:
        """Nothing is set apart."""

    def reference(self, site: Site) -> Known:
        """Level of each matrix, shape (1,) or (columns,), the mean of some reads [µS]."""
        repeats = range(site.settings.repeats)
        return {
            name: np.mean([self._level(site, name) for _ in repeats], axis=0)
            for name in site.matrices
        }

    def correct(self, site: Site, known: Known) -> Correction:
        """Factor s_ref / s(t), from one read of each device now."""
        return {
            name: (level / self._level(site, name), _NO_OFFSET) for name, level in known.items()
        }

    def _level(self, site: Site, name: str) -> FloatArray:
        g = np.abs(site.weights(name) / site.chip.matrices[name].scale)
        level = g.mean(axis=0 if self.by_column else None)
        return np.asarray(np.maximum(np.atleast_1d(level), _SMALLEST))
