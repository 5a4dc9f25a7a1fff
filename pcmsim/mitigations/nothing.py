"""No compensation: what the others are compared with."""

from pcmsim.mitigations.compensation import Known
from pcmsim.mitigations.site import UNTOUCHED, Correction, Site


class Nothing:
    """Measures nothing and corrects nothing."""

    def prepare(self, site: Site) -> None:
        """Nothing is needed."""

    def reference(self, site: Site) -> Known:
        """Nothing is remembered."""
        return {}

    def correct(self, site: Site, known: Known) -> Correction:
        """Outputs stay as they are."""
        return UNTOUCHED
