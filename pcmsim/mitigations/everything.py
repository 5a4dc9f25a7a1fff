"""Refresh of all devices."""

from pcmsim.mitigations.site import Site


class Everything:
    """Programs every device to its target again, those of reference cells too."""

    renews_reference = False

    def act(self, site: Site) -> None:
        """Write all matrices; nothing needs to be read for it."""
        for name in site.programmed:
            site.write(name, site.targets(name))
