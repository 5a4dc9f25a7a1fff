"""The sections that put a set to the test: distributions, times and arrays it was not fitted to."""

from collections.abc import Sequence

import numpy as np

from pcmsim.calibration.array_error import ArrayError
from pcmsim.calibration.bootstrap import Bootstrapped
from pcmsim.calibration.distributions import Distribution
from pcmsim.calibration.left_out import LeftOut
from pcmsim.calibration.validation import Validation
from pcmsim.jobs.calibration_levels import TIME
from pcmsim.report.calibration_page import at_most
from pcmsim.report.calibration_records import (
    Axis,
    Cell,
    Figure,
    Map,
    Measured,
    Panel,
    Section,
    Series,
    Table,
)
from pcmsim.report.calibration_text import p_value, shown
from pcmsim.units import format_duration

_TIMES = 3
_MOST_ROWS = 24  # of a table that is not folded
_REJECTED = 0.01
_MOST_DECADES = 4.0  # of a p-value, at which the colours of the map saturate


def validation_sections(made: Validation) -> list[Section]:
    """What was tested and what was not, then a section for each kind of test."""
    tests = validation_records(made.distributions, made.left_out, made.array, made.bootstrap)
    return [_overview(made), *tests]


def validation_records(
    distributions: Sequence[Distribution],
    left_out: Sequence[LeftOut],
    array: Sequence[ArrayError],
    bootstrap: Sequence[Bootstrapped],
) -> list[Section]:
    """A section for each kind of test that was made."""
    sections = []
    if distributions:
        sections.append(_distribution_section(distributions))
    if left_out:
        sections.append(_left_out_section(left_out))
    if array:
        sections.append(_array_section(array))
    if bootstrap:
        sections.append(_bootstrap_section(bootstrap))
    return sections


def _overview(made: Validation) -> Section:
    """How many devices were held out, how likely they are, and what was not examined."""
    likelihood, stderr = shown(round(made.likelihood)), shown(round(made.likelihood_stderr))
    text = (
        f"{made.held_out:,} devices were kept from a second fit. The Gaussian log "
        f"pseudo-likelihood of their traces under it is {likelihood} ± {stderr} (standard error "
        f"over devices); it tells which of two fits predicts the same devices better, and says "
        f"nothing by itself. "
    )
    text += "Some tests could not be made." if made.skipped else "All tests were made."
    rows: tuple[tuple[Cell, ...], ...] = tuple((line,) for line in made.skipped)
    tables = (Table("Not examined.", ("what, and why",), rows),) if rows else ()
    return Section("Tests", text, (), tables)


def _distribution_section(found: Sequence[Distribution]) -> Section:
    tests, rejected = len(found), sum(x.rejected(_REJECTED) for x in found)
    text = (
        f"Reads of devices that were not fitted, beside a simulation of the set. Of {tests} "
        f"Kolmogorov-Smirnov tests {rejected} reject at {_REJECTED:g}; of a true model about "
        f"{tests * _REJECTED:.1g} would, and rather more, for the tests do not allow for the error "
        f"of the fit. Times of one level share devices, so their tests fall together."
    )
    return Section("Distributions", text, (_quantile_figure(found), _p_map(found)))


def _quantile_figure(found: Sequence[Distribution]) -> Figure:
    """Q-Q of each group at its first, middle and last time."""
    times = at_most(sorted({x.t_s for x in found}), _TIMES)
    labels = dict.fromkeys(x.label for x in found)
    panels = tuple(
        _quantile_panel(label, [x for x in found if x.label == label and x.t_s in times])
        for label in labels
    )
    caption = (
        "Quantiles from 1 to 99 % of the reads against those of the prediction; points on the "
        "line agree."
    )
    return Figure("Q-Q against the prediction", caption, tuple(p for p in panels if p.series))


def _quantile_panel(label: str, found: Sequence[Distribution]) -> Panel:
    series = [Series(format_duration(x.t_s), "data", x.predicted, x.found) for x in found]
    if found:
        ends = np.array([[x.predicted[0], x.predicted[-1]] for x in found])
        line = np.array([ends.min(), ends.max()])
        series.append(Series("agreement", "guide", line, line))
    return Panel(label, Axis("predicted G [µS]"), Axis("found G [µS]"), tuple(series))


def _p_map(found: Sequence[Distribution]) -> Map:
    labels = tuple(dict.fromkeys(x.label for x in found))
    times = sorted({x.t_s for x in found})
    values = np.full((len(labels), len(times)), np.nan)
    for x in found:
        p = np.maximum(x.p_value, 1e-99)
        values[labels.index(x.label), times.index(x.t_s)] = -np.log10(p)
    caption = "−log₁₀ p, level by time: 2 is p = 0.01, 3 is p = 0.001."
    columns = tuple(format_duration(t_s) for t_s in times)
    return Map("Kolmogorov-Smirnov tests", caption, labels, columns, values, _MOST_DECADES)


def _left_out_section(found: Sequence[LeftOut]) -> Section:
    rows: list[tuple[Cell, ...]] = []
    for x in found:
        mean, std = Measured(x.mean, x.mean_stderr), Measured(x.std, x.std_stderr)
        row = (
            x.label,
            format_duration(x.t_s),
            x.n,
            mean,
            x.predicted_mean,
            round(x.mean_deviation, 1),
        )
        rows.append((*row, std, x.predicted_std, round(x.std_deviation, 1), p_value(x.p_value)))
    text = (
        "Some times were left out of the fit, one by one, together with the held-out devices; the "
        "reads of these at that time were predicted from other times of other devices. Deviations "
        "are in standard errors of the reads; neither they nor p allow for the error of the fit."
    )
    mean_head = ("mean [µS]", "predicted", "off by [s.e.]")
    head = ("level", "time", "devices", *mean_head, "spread [µS]", *mean_head[1:], "p")
    caption = "Times that were left out of the fit."
    table = Table(caption, head, tuple(rows), folded=len(rows) > _MOST_ROWS)
    return Section("Times left out", text, (), (table,))


def _array_section(found: Sequence[ArrayError]) -> Section:
    """Quantiles of the error of an array as it ages: a fan, and what was found."""
    t_s = np.array([x.t_s for x in found])
    quantiles = np.array([x.found_quantiles for x in found])
    predicted = np.array([x.predicted_quantiles for x in found])
    wide = Series(
        "predicted, 5 to 95 %",
        "fit",
        t_s,
        predicted[:, 2],
        low=predicted[:, 0],
        high=predicted[:, 4],
    )
    half = Series(
        "predicted, 25 to 75 %",
        "fit",
        t_s,
        predicted[:, 2],
        low=predicted[:, 1],
        high=predicted[:, 3],
    )
    names = ("5 and 95 %", "25 and 75 %", "median")
    pairs = ((0, 4), (1, 3), (2,))
    points = [
        Series(f"found, {name}", "data", np.tile(t_s, len(at)), quantiles[:, at].T.ravel())
        for name, at in zip(names, map(list, pairs), strict=True)
    ]
    panel = Panel("array error", TIME, Axis("relative error of the product"), (wide, half, *points))
    rows = tuple((format_duration(x.t_s), p_value(x.p_value)) for x in found)
    caption = "Quantiles over random arrays of measured devices, and of devices of the set."
    return Section(
        "Array error",
        "Error of matrix-vector products of arrays of devices that were not fitted, relative to "
        "the root mean square of the ideal product, as they age. The p-values do not allow for the "
        "error of the fit and are a little too small.",
        (Figure("Error against time", caption, (panel,)),),
        (Table("Found against predicted distribution.", ("time", "p"), rows),),
    )


def _bootstrap_section(found: Sequence[Bootstrapped]) -> Section:
    rows = tuple(
        (
            x.name,
            Measured(x.value, x.stderr),
            x.bootstrap_stderr,
            x.bootstrap_stderr / x.stderr if x.stderr > 0.0 else None,
        )
        for x in found
    )
    text = (
        "Standard errors of the fits beside those of a bootstrap over the devices; a ratio far "
        "from 1 means that the former cannot be trusted."
    )
    head = ("parameter", "value", "bootstrap s.e.", "ratio")
    table = Table("Standard errors by two ways.", head, rows)
    return Section("Bootstrap", text, (), (table,))
