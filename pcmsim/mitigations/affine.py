"""Factor and offset of each column, by least squares on replayed calibration inputs.

y_ref ≈ a y + b over the rows that the matrix received when the calibration sequences were played
at the reference time. The digital periphery of the cores of Khaddam-Aljameh et al.,
doi:10.1109/JSSC.2022.3140414, applies such a pair to every column.
"""

import numpy as np

from pcmsim.crossbar import affine_fit
from pcmsim.mitigations.compensation import Known
from pcmsim.mitigations.site import Correction, Site

_INPUTS, _OUTPUTS = "inputs of ", "outputs of "


class Affine:
    """Replays the inputs of the reference time and fits its outputs."""

    def prepare(self, site: Site) -> None:
        """Nothing is set apart."""

    def reference(self, site: Site) -> Known:
        """Rows that each matrix receives, and the mean of its outputs over some repeats."""
        inputs, _ = site.play()
        known = {_INPUTS + name: rows for name, rows in inputs.items()}
        for name, rows in inputs.items():
            repeats = [site.multiply(name, rows) for _ in range(site.settings.repeats)]
            known[_OUTPUTS + name] = np.mean(repeats, axis=0)
        return known

    def correct(self, site: Site, known: Known) -> Correction:
        """Fit of the remembered outputs by those of the same inputs now.

        Reads are noisy, so the least squares shrink a little towards the mean, as they should for
        the smallest error of the corrected output.
        """
        return {
            name: affine_fit(site.multiply(name, known[_INPUTS + name]), known[_OUTPUTS + name])
            for name in site.matrices
        }
