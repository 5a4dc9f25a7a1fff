"""One factor for each matrix, from cells that were programmed with it and are never computed with.

a = s_ref / s(t) with s the mean output of the reference cells of a matrix, whose targets are
quantiles of its own, so that they drift as it does. Antolini et al. 2024 track the drift of a
phase-change array with reference cells in this way. They cost few reads, but see neither what the
devices of the matrix itself were programmed to nor their spread.
"""

import numpy as np

from pcmsim.crossbar.mapping import FloatArray
from pcmsim.mitigations.compensation import Known
from pcmsim.mitigations.site import Correction, Site

SUFFIX = ".cells"
# A cell that reads this far from its target at the reference time is broken [µS].
_G_BROKEN = 6.0
# Cells that show next to nothing leave the factor finite [µS].
_SMALLEST_G = 1e-4
_NO_OFFSET = np.zeros(1)


class ReferenceDevices:
    """Programs `settings.cells` pairs for each matrix and follows them."""

    def prepare(self, site: Site) -> None:
        """Set the cells of each matrix apart as one column `<name>.cells`, and program them."""
        for name in site.matrices:
            cells, target = name + SUFFIX, cell_targets(site, name)
            site.chip.allocate(cells, (site.settings.cells, 1))
            site.extras[cells] = target
            # By statistics, which takes no time: the network's other measurements wait for nothing.
            site.write(cells, target, method="statistical")

    def reference(self, site: Site) -> Known:
        """What each cell shows, (cells,), the mean of some reads [µS]; NaN for broken cells."""
        known = {}
        for name in site.matrices:
            g = np.mean([_cells(site, name) for _ in range(site.settings.repeats)], axis=0)
            target = site.extras[name + SUFFIX][0, 0, :, 0]
            known[name] = np.where(np.abs(g - target) < _G_BROKEN, g, np.nan)
        return known

    def correct(self, site: Site, known: Known) -> Correction:
        """Factor s_ref / s(t) over the cells that worked, from one read of each now."""
        found = {}
        for name, level in known.items():
            now, works = _cells(site, name), np.isfinite(level)
            factor = 1.0
            if works.any():
                factor = float(level[works].mean()) / max(float(now[works].mean()), _SMALLEST_G)
            found[name] = (np.atleast_1d(factor), _NO_OFFSET)
        return found


def cell_targets(site: Site, name: str) -> FloatArray:
    """Targets [µS] of the cells of a matrix, (2, pairs, cells, 1).

    G+ has the quantiles (i + 1/2) / n of the larger target of each of the matrix' pairs; G- stays
    in RESET as the smaller one does.
    """
    n = site.settings.cells
    larger = site.targets(name).max(axis=0)
    level = np.quantile(larger, (np.arange(n) + 0.5) / n)
    target = np.zeros((2, larger.shape[0], n, 1))
    target[0] = level[:, None]
    return target


def _cells(site: Site, name: str) -> FloatArray:
    # A matrix that is only allocated has a scale of one: its weights are in microsiemens.
    return site.weights(name + SUFFIX)[:, 0]
