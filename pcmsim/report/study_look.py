"""Mitigations of a study and the letter and colour that each has on the whole page."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pcmsim.report.study_records import Study, StudyCell
from pcmsim.report.svg import MORE, SERIES, SOFT, VARIABLES

NONE = "none"
MOST = 8
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Without any mitigation: grey, the one that others are compared with.
_COLOURS = (SERIES[1], SERIES[0], SERIES[2], SERIES[3], *MORE)


@dataclass(frozen=True, order=True)
class Mitigation:
    """A refresh of devices together with a compensation of outputs.

    >>> Mitigation("daily", "global").name, Mitigation("none", "none").name
    ('global + refresh daily', 'no mitigation')
    """

    refresh: str
    compensation: str

    @property
    def name(self) -> str:
        """As it is written on the page."""
        parts = [] if self.compensation == NONE else [self.compensation]
        parts += [] if self.refresh == NONE else [f"refresh {self.refresh}"]
        return " + ".join(parts) or "no mitigation"


@dataclass(frozen=True)
class Look:
    """Letter of a mitigation, and its colour unless figures leave it out."""

    letter: str
    colour: str | None

    @property
    def key(self) -> Markup:
        """Letter in its colour, for the key and for tables."""
        return Markup('<b class="letter" style="--c:{}">{}</b>').format(self.line, self.letter)

    @property
    def line(self) -> str:
        """Colour as the page knows it."""
        return "var(--soft)" if self.colour is None else VARIABLES[self.colour]


def of(cell: StudyCell) -> Mitigation:
    """Mitigation of a cell."""
    return Mitigation(cell.refresh, cell.compensation)


def looks(study: Study) -> dict[Mitigation, Look]:
    """Look of each mitigation: no mitigation first, then in the order of the cells.

    Of more than eight, figures show no mitigation and those that rank best at the end.
    """
    bare = Mitigation(NONE, NONE)
    every = list(dict.fromkeys(of(cell) for cell in study.cells))
    every.sort(key=lambda mitigation: mitigation != bare)
    drawn = _drawn(study, every, bare)
    colours = iter(_COLOURS)
    return {
        m: Look(letter(i), (SOFT if m == bare else next(colours)) if m in drawn else None)
        for i, m in enumerate(every)
    }


def letter(i: int) -> str:
    """Name of the i-th mitigation.

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'AA')
    """
    return (LETTERS[i // 26 - 1] if i >= 26 else "") + LETTERS[i % 26]


def places(cells: Sequence[StudyCell]) -> dict[tuple[str, str, str], list[StudyCell]]:
    """Cells by network, devices and temperature, those of least metric at the end first."""
    found: dict[tuple[str, str, str], list[StudyCell]] = {}
    for cell in cells:
        found.setdefault((cell.network, cell.devices, cell.temperature), []).append(cell)
    return {where: sorted(found[where], key=_last) for where in sorted(found)}


def _last(cell: StudyCell) -> float:
    last = cell.mean[-1]
    return float("inf") if last is None else last


def _drawn(study: Study, every: Sequence[Mitigation], bare: Mitigation) -> set[Mitigation]:
    """At most seven and no mitigation, by their mean rank over networks and temperatures."""
    ranks: dict[Mitigation, list[int]] = {mitigation: [] for mitigation in every}
    for cells in places(study.cells).values():
        for rank, cell in enumerate(cells):
            ranks[of(cell)].append(rank)
    others = [m for m in every if m != bare]
    others.sort(key=lambda m: sum(ranks[m]) / len(ranks[m]))
    return {bare, *others[: MOST - 1]}
