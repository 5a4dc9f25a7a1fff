"""What every refresh is: devices written again, so that the dispersion of drift starts anew."""

from typing import Protocol

from pcmsim.mitigations.site import Site


class Refresh(Protocol):
    """Acts on the chip at its time; what it reads and writes is counted by the site."""

    @property
    def renews_devices(self) -> bool:
        """Whether it writes every device of the network.

        Then whoever compensates has to call `Compensation.prepare` again, right after `act`.
        """
        ...

    @property
    def renews_reference(self) -> bool:
        """Whether outputs are meant to be others after it.

        Then whoever compensates has to call `Compensation.reference` again, right after `act`.
        """
        ...

    def act(self, site: Site) -> None:
        """Refresh the chip of `site` now."""
        ...
