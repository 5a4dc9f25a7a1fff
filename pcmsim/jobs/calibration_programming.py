"""The section about closed-loop programming: where windows leave devices, and at what cost."""

import numpy as np

from pcmsim.calibration.programming import ProgrammingFit
from pcmsim.calibration.programming_check import Agreement, agreements
from pcmsim.devices.params import Values
from pcmsim.jobs.calibration_panels import zero
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
from pcmsim.report.calibration_text import p_value

_TARGET = Axis("target [µS]")


def programming_section(fit: ProgrammingFit, values: Values) -> Section:
    """Placement, pulses, and how they go with what the other fits say."""
    text = (
        f"Devices were accepted when a read lay within {fit.tolerance:g} µS of the target. That "
        f"read is selected, so placement is that of the true conductance, {fit.verify_after_s:.3g} "
        f"s after the last pulse; by t0 = {fit.t0_s:g} s they have drifted."
    )
    tables = (_level_table(fit), _agreement_table(fit, values))
    return Section("Closed-loop programming", text, (_figure(fit),), tables)


def _figure(fit: ProgrammingFit) -> Figure:
    g = np.array([level.g_target for level in fit.levels])
    series = {
        name: Series(
            "data",
            "data",
            g,
            np.array([level.placement[name] for level in fit.levels]),
            np.array([level.placement.stderr(name) for level in fit.levels]),
        )
        for name in ("bias", "std")
    }
    pulses = Series(
        "data",
        "data",
        g,
        np.array([level.pulses["iterations"] for level in fit.levels]),
        np.array([level.pulses.stderr("iterations") for level in fit.levels]),
    )
    panels = (
        Panel("bias", _TARGET, Axis("G − target [µS]"), (series["bias"], zero(g))),
        Panel("spread", _TARGET, Axis("standard deviation [µS]"), (series["std"],)),
        Panel("pulses", _TARGET, Axis("pulses on average"), (pulses,)),
    )
    caption = "True conductance at the time of the verify read; bars are 1.96 standard errors."
    return Figure("Placement", caption, panels)


def _level_table(fit: ProgrammingFit) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for level in fit.levels:
        at_t0 = level.reference
        rows.append(
            (
                f"{level.g_target:g} µS",
                level.devices,
                level.accepted,
                level.above,
                level.below,
                level.unread,
                Measured(level.placement["bias"], level.placement.stderr("bias")),
                Measured(level.placement["std"], level.placement.stderr("std")),
                Measured(at_t0["g_mean"], at_t0.stderr("g_mean")),
                Measured(at_t0["g_std"], at_t0.stderr("g_std")),
                p_value(level.p_value),
            )
        )
    counts = ("devices", "accepted", "above", "below", "unread")
    head = ("target", *counts, "bias", "std", "mean at t0", "std at t0", "p")
    caption = (
        "Targets [µS]. Devices that were not accepted are above or below the window, or without a "
        "verify read; p of a Kolmogorov-Smirnov test of the accepted reads, by samples of the law."
    )
    return Table(caption, head, tuple(rows))


def _agreement_table(fit: ProgrammingFit, values: Values) -> Table:
    rows = tuple(
        (
            f"{x.g_target:g} µS",
            x.quantity,
            Measured(x.found, x.stderr),
            x.expected,
            _verdict(x),
            x.note,
        )
        for x in agreements(fit, values)
    )
    caption = (
        "What the windows say, beside the set, which was fitted to other data. To agree is to lie "
        "within four standard errors and a tenth of the value."
    )
    head = ("target", "quantity", "found", "set", "agrees", "note")
    return Table(caption, head, rows, folded=True)


def _verdict(found: Agreement) -> str:
    agrees = "yes" if found.agrees else "no"
    return agrees if found.must else f"{agrees}, need not"
