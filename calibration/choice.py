"""Which form of a law to keep: the one that predicts devices it was not fitted to best.

Five folds of the devices take turns. Levels and laws are fitted to four of them, and the Gaussian
likelihood of the fifth is that of the levels with the parameter in question taken from the law.
Nothing but sums is needed, so the cost does not depend on the number of devices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.drift import DriftFit, LevelFit
from pcmsim.calibration.law_fits import LawFit, LevelTable, candidates
from pcmsim.calibration.pairwise import Pairwise
from pcmsim.calibration.structure import deviance, solve
from pcmsim.devices.laws import FloatArray

_PLACE = {"programming_std": 1, "nu_mean": 3, "nu_std": 4}
# A form with more parameters has to gain this much log-likelihood to be kept, and this many of its
# standard errors over the folds: the likelihood is Gaussian, and the lowest levels are not.
_WORTH, _SURE = 2.0, 2.0


@dataclass(frozen=True)
class Choice:
    """The form that was kept, and what the others would have scored.

    kept            fit of the kept form to all devices
    forms           names of the forms that were tried
    scores          log-likelihood of held-out devices, less that of the best form
    """

    kept: LawFit
    forms: tuple[str, ...]
    scores: tuple[float, ...]


def choose_laws(fit: DriftFit, g_max: float, entries: Sequence[str]) -> dict[str, Choice]:
    """Choose a form for each of the entries `programming_std`, `nu_mean`, `nu_std`.

    `programming_std` needs targets above zero; entries without enough levels are absent.
    """
    table = fit.table()
    trained = [_without(fit, fold, table) for fold in range(len(fit.levels[0].folds))]
    chosen = {}
    for entry in entries:
        usable = (
            int(np.sum(table.g_target > 0.0)) if entry == "programming_std" else len(fit.levels)
        )
        forms = candidates(entry, usable)
        if usable < 2 and entry == "programming_std":
            continue
        fits = [form(table, g_max) for form in forms]
        scores = np.zeros((len(forms), len(trained)))
        for fold, train in enumerate(trained):
            for k, form in enumerate(forms):
                law = form(train, g_max)
                scores[k, fold] = _held_out(fit.levels, train, law, g_max, fold)
        chosen[entry] = _kept(fits, scores)
    return chosen


def _kept(fits: Sequence[LawFit], scores: FloatArray) -> Choice:
    """The simplest form that the best is not surely better than; `scores` (forms, folds)."""
    lost = scores[scores.sum(axis=1).argmax()] - scores
    total, stderr = lost.sum(axis=1), lost.std(axis=1, ddof=1) * np.sqrt(lost.shape[1])
    k = int(np.flatnonzero(total <= _WORTH + _SURE * stderr)[0])
    return Choice(fits[k], tuple(fit.form for fit in fits), tuple(float(-x) for x in total))


def _without(fit: DriftFit, fold: int, table: LevelTable) -> LevelTable:
    """Estimates of all levels from the devices outside of a fold."""
    thetas = []
    for level in fit.levels:
        others = [sums for k, sums in enumerate(level.folds) if k != fold]
        sums = sum(others[1:], others[0])
        scale = level.model.scale(level.estimate.values)
        thetas.append(solve(level.model, sums, level.estimate.values, scale).theta)
    covariance, working = 1.25 * table.covariance, 1.25 * table.working
    return LevelTable(table.g_target, np.array(thetas), covariance, working, table.n)


def _held_out(
    levels: Sequence[LevelFit], train: LevelTable, law: LawFit, g_max: float, fold: int
) -> float:
    """Log-likelihood of a fold under the law, constants left out."""
    place, total = _PLACE[law.entry], 0.0
    for level, theta in zip(levels, train.theta, strict=True):
        if law.entry == "programming_std" and level.g_target == 0.0:
            continue
        value = float(law.law(np.array(level.g_target / g_max)))
        moved = theta.copy()
        moved[place] = value if place == 3 else value**2
        sums: Pairwise = level.folds[fold]
        total -= 0.5 * sums.n * deviance(*level.model(moved), sums)
    return total
