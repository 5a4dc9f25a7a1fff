"""Refresh of all devices."""

from pcmsim.mitigations.site import Site


class Everything:
    """Programs every device of the network to its target again."""

    renews_devices, renews_reference = True, False

    def act(self, site: Site) -> None:
        """Write all matrices; nothing needs to be read for it."""
        for name in site.matrices:
            site.write(name, site.targets(name))
