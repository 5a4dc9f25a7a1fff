"""The section that says for every fit whether the data go with it."""

from collections.abc import Iterator

from scipy.stats import chi2

from pcmsim.calibration.drift import DriftFit
from pcmsim.calibration.entries import Fits
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.noise import NoiseFit
from pcmsim.calibration.pulse_entries import PulseFits
from pcmsim.jobs.calibration_bands import moments
from pcmsim.jobs.calibration_levels import level_moments
from pcmsim.report.calibration_records import Cell, Section, Table
from pcmsim.report.calibration_text import chi_square as square_text
from pcmsim.report.calibration_text import p_value

Row = tuple[Cell, ...]


def goodness_section(fits: Fits) -> Section:
    """Chi-square, degrees of freedom and p of every fit."""
    rows = [_of_levels(fits.drift)]
    for law in (*(choice.kept for choice in fits.laws.values()), fits.noise_law):
        r = law.regression
        rows.append((law.entry, law.form, *_test(r.chi_square, r.freedom), ended(r.estimate)))
    if fits.noise is not None:
        rows.append(_of_exponents(fits.noise))
    rows += _of_pulses(fits.pulses)
    text = (
        "A small p means that the data deviate from the model by more than their errors explain. "
        "Of twenty fits that hold, one has p below 0.05 by chance; with many devices a deviation "
        "too small to matter is found as well."
    )
    head = ("fit", "what", "χ²", "freedom", "p", "the fit ended")
    return Section("Goodness of fit", text, (), (Table("All fits.", head, tuple(rows)),))


def ended(estimate: Estimate) -> str:
    """How a fit ended, in a word if it was well."""
    return "converged" if estimate.converged else f"not converged: {estimate.message}"


def _test(chi_square: float, freedom: float) -> Row:
    """χ², freedom and p; blank where nothing is left to test."""
    if freedom <= 0.0:
        return "–", "0", "–"
    return square_text(chi_square), f"{freedom:.4g}", p_value(float(chi2.sf(chi_square, freedom)))


def _of_levels(drift: DriftFit) -> Row:
    """The means of all levels together; levels have devices of their own."""
    found = level_moments(drift)
    total, freedom = sum(x.chi_square for x in found), sum(x.freedom for x in found)
    lost = [level for level in drift.levels if not level.estimate.converged]
    state = f"not converged at {len(lost)} levels" if lost else "converged"
    return "drift of the levels", f"means at {len(found)} levels", *_test(total, freedom), state


def _of_exponents(noise: NoiseFit) -> Row:
    freedom = len(noise.levels) - 1
    p = p_value(noise.homogeneity) if freedom else "–"
    square = float(chi2.isf(noise.homogeneity, freedom)) if freedom else 0.0
    shown = f"{square:.1f}" if freedom else "–"
    state = "converged" if all(x.free.converged for x in noise.levels) else "not converged"
    return "exponent of the noise", "equal at all levels", shown, f"{freedom}", p, state


def _of_pulses(fits: PulseFits) -> Iterator[Row]:
    for name, fit in (
        ("SET staircase", fits.staircase),
        ("drift after SET", fits.set_drift),
        ("programming curve", fits.curve),
    ):
        if fit is not None:
            structure = fit.structure
            found = moments(structure.sums, structure.point, structure.estimate)
            test = _test(found.chi_square, found.freedom)
            yield name, "means", *test, ended(structure.estimate)
