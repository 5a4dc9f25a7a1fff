"""What every compensation is: a digital correction of outputs, from a measurement then and now."""

from collections.abc import Mapping
from typing import Protocol

from pcmsim.crossbar.mapping import FloatArray
from pcmsim.mitigations.site import Correction, Site

Known = Mapping[str, FloatArray]


class Compensation(Protocol):
    """Measures a reference when devices are t0 old, and later what undoes the change since.

    Outputs of a column pass y ← a y + b. All measurements are made through the site, which counts
    them; none needs the targets of the sequences it plays.
    """

    def prepare(self, site: Site) -> None:
        """Set apart on the chip what is needed, whenever the whole network has been programmed."""
        ...

    def reference(self, site: Site) -> Known:
        """Measure now what later measurements are compared with."""
        ...

    def correct(self, site: Site, known: Known) -> Correction:
        """Measure again, and return the correction of the outputs of each matrix."""
        ...
