"""Rows of the tables of a study: ranking, time to failure, chips needed, warnings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pcmsim.report.study_look import of
from pcmsim.report.study_records import Study, StudyCell
from pcmsim.report.study_text import told_apart
from pcmsim.units import format_duration

BEST, SAME, WORSE, UNTOLD = "best", "not significant", "worse", "unknown"
FEW = 5  # chips below which intervals and bands say little
NEVER = "not within the study"


@dataclass(frozen=True)
class Verdict:
    """A cell and how it compares with the best one: `BEST`, `SAME`, `WORSE` or `UNTOLD`."""

    cell: StudyCell
    word: str


@dataclass(frozen=True)
class Failing:
    """When chips of a cell leave the tolerance: at the first time after which they are outside.

    first, half     when the first chip, and when more than half of the chips are outside
    least           the least share within
    recovers        whether the share rises again later
    """

    cell: StudyCell
    first: str
    half: str
    least: float | None
    recovers: bool


def verdicts(cells: Sequence[StudyCell]) -> list[Verdict]:
    """Cells of one panel, by increasing loss, each compared with the first on the same chips."""
    found = []
    for i, cell in enumerate(cells):
        apart = told_apart(cell.against_best)
        if i == 0 and cell.mean[-1] is not None:
            word = BEST
        else:
            word = UNTOLD if apart is None else WORSE if apart else SAME
        found.append(Verdict(cell, word))
    return found


def failing(study: Study, cell: StudyCell) -> Failing:
    """When chips of `cell` leave the tolerance."""
    known = [(t_s, x) for t_s, x in zip(study.times_s, cell.within, strict=True) if x is not None]
    shares = [x for _, x in known]
    return Failing(
        cell,
        first=_first(t_s for t_s, x in known if x < 1.0),
        half=_first(t_s for t_s, x in known if x < 0.5),
        least=min(shares, default=None),
        recovers=bool((np.diff(shares) > 0.0).any()),
    )


def failures(study: Study) -> list[tuple[str, str]]:
    """What could not be measured and why; lives that differ in the chip alone are one row."""
    chips: dict[tuple[str, str], list[int]] = {}
    for failed in study.failures:
        where = (failed.network, failed.devices, failed.temperature)
        kinds = ", ".join(failed.compensations)
        name = f"{' / '.join(where)}, refresh {failed.refresh}, compensation {kinds}"
        chips.setdefault((name, failed.reason), []).append(failed.chip)
    return [(f"{name}: {_chips(found)}", reason) for (name, reason), found in chips.items()]


def short_of_chips(study: Study) -> list[str]:
    """Cells with fewer chips than the study asked for, in words."""
    return [
        f"{cell.network} / {cell.devices} / {cell.temperature}, {of(cell).name}: "
        f"{cell.chips} of {study.chips}"
        for cell in study.cells
        if cell.chips < study.chips
    ]


def _first(times_s: Iterable[float]) -> str:
    t_s = next(iter(times_s), None)
    return NEVER if t_s is None else format_duration(t_s)


def _chips(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(n) for n in sorted(numbers)[:12])
    more = f" and {len(numbers) - 12} more" if len(numbers) > 12 else ""
    return f"chip{'s' if len(numbers) > 1 else ''} {shown}{more}"
