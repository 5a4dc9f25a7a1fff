"""The section on devices that cannot be programmed."""

import numpy as np

from pcmsim.calibration.entries import Fits
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.faults import FaultFit
from pcmsim.devices.params import ParameterSet
from pcmsim.report.calibration_records import (
    Axis,
    Cell,
    Figure,
    Measured,
    Panel,
    Section,
    Series,
    Table,
)

_SHARES = {"p_stuck_reset": "RESET", "p_stuck_set": "SET", "p_untunable": "not tunable"}


def fault_sections(fits: Fits, base: ParameterSet) -> list[Section]:
    """Shares of faulty devices, beside those of the base set; none without a yield map."""
    if fits.faults is None:
        return []
    total = sum(fits.faults.counts.values())
    text = (
        f"A yield map of {total:,} devices: each after RESET and after the strongest SET. A "
        f"working device follows; stuck ones are told apart by a mixture of near zero, around the "
        f"level of stuck SET, and anywhere between. Verdicts are the most probable kinds."
    )
    tables = (_counts(fits.faults, total), _estimates(fits.faults.estimate, fits.stuck, base))
    return [Section("Faults", text, (_figure(fits.faults.estimate, base),), tables)]


def _figure(found: Estimate, base: ParameterSet) -> Figure:
    """Shares with errors; the base set stands a little to the right."""
    names = [name for name in _SHARES if name in found.names]
    x = np.arange(len(names), dtype=np.float64)
    share = np.array([found[name] for name in names])
    stderr = np.array([found.stderr(name) for name in names])
    other = np.array([float(base.entries[name].value) for name in names])
    axis = Axis("stuck in", ticks=tuple((float(i), _SHARES[name]) for i, name in enumerate(names)))
    series = (
        Series("this chip", "data", x, share, stderr),
        Series(base.name, "data", x + 0.15, other),
    )
    panel = Panel("share of the devices", axis, Axis("share of all devices"), series)
    return Figure("Shares", "Bars cover 1.96 standard errors.", (panel,))


def _counts(fit: FaultFit, total: int) -> Table:
    rows = tuple((name, count, count / total) for name, count in fit.counts.items())
    return Table("Verdicts on the devices.", ("verdict", "devices", "share"), rows)


def _estimates(found: Estimate, stuck: Estimate | None, base: ParameterSet) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for estimate in (found, *([stuck] if stuck is not None else [])):
        for name in estimate:
            kept = base.entries[name].value if name in base.entries else None
            rows.append((name, Measured(estimate[name], estimate.stderr(name)), kept))
    caption = "Estimates with standard errors, beside the base set; levels in units of g_max."
    return Table(caption, ("entry", "value", base.name), tuple(rows))
