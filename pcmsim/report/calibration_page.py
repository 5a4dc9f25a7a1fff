"""The page about a calibration and its numbers: `report.html` and `calibration.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import jinja2
import numpy as np
from markupsafe import Markup

import pcmsim
from pcmsim.files import replace
from pcmsim.report import svg, text
from pcmsim.report.calibration_figures import draw, looks
from pcmsim.report.calibration_records import (
    CalibrationReport,
    Cell,
    Figure,
    Map,
    Measured,
    Section,
)
from pcmsim.report.calibration_text import mapped, plain, shown

PAGE, NUMBERS = "report.html", "calibration.json"
TEMPLATE = "calibration.html.jinja"
FORMAT = 1
MOST_PANELS = 12
_SHORT = 24  # letters
_Any = TypeVar("_Any")


@dataclass(frozen=True)
class FigureView:
    """A figure as the template shows it: a key, and panels with their titles."""

    figure: Figure
    key: Sequence[tuple[Markup, str]]
    panels: Sequence[tuple[str, Markup]]
    left_out: int


@dataclass(frozen=True)
class SectionView:
    """A section as the template shows it."""

    name: str
    section: Section
    figures: Sequence[FigureView | Map]


def write_calibration(report: CalibrationReport, folder: Path) -> Path:
    """Write `report.html` and `calibration.json` into `folder` and return the path of the page.

    The page needs nothing else: figures are inline, nothing is fetched, no script runs. The same
    records give the same bytes. Raises `DataError` if the disk refuses.
    """
    folder = Path(folder)
    replace(folder / NUMBERS, numbers(report).encode())
    replace(folder / PAGE, render(report).encode())
    return folder / PAGE


def numbers(report: CalibrationReport) -> str:
    """JSON of all numbers, those of the figures included; null where one is unknown.

    Panels that the page leaves out are in it.
    """
    values = {"kind": "calibration", "format": FORMAT} | plain(asdict(report))
    return json.dumps(values, allow_nan=False, separators=(",", ":")) + "\n"


def render(report: CalibrationReport) -> str:
    """HTML of the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pcmsim.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": shown,
        "mapped": mapped,
        "breakable": text.breakable,
        "linked": text.linked,
        "placed": placed,
        "tint": tint,
    }
    with svg.style():
        sections = [_section(s, f"s{i}") for i, s in enumerate(report.sections)]
    return environment.get_template(TEMPLATE).render(
        report=report, sections=sections, version=pcmsim.__version__
    )


def at_most(items: Sequence[_Any], count: int) -> list[_Any]:
    """`count` of the items, spread evenly, both ends among them.

    >>> at_most("abcdefg", 4)
    ['a', 'c', 'e', 'g']
    """
    if len(items) <= count:
        return list(items)
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, count)]


def placed(cell: Cell) -> str:
    """Class of a cell: numbers stand to the right, short words in one line, others wrap.

    >>> placed(0.5), placed("2.2 µS"), placed("drift traces of devices left in RESET")
    ('n', 'short', 'words')
    """
    if isinstance(cell, str):
        return "short" if len(cell) <= _SHORT else "words"
    number = isinstance(cell, int | float | Measured) and not isinstance(cell, bool)
    return "n" if number else "words" if isinstance(cell, Mapping) else "short"


def tint(value: float, limit: float) -> str:
    """Colour behind a number of a map: one colour above zero, another below.

    >>> str(tint(-1.0, 4.0)), str(tint(float("nan"), 4.0))
    ('color-mix(in srgb, var(--series-1) 18%, transparent)', 'transparent')
    """
    if not np.isfinite(value):
        return "transparent"
    share = min(abs(value) / limit, 1.0)
    colour = f"var(--series-{0 if value > 0.0 else 1})"
    return Markup("color-mix(in srgb, {} {}%, transparent)").format(colour, round(70.0 * share))


def _section(section: Section, name: str) -> SectionView:
    figures = [
        _figure(figure, f"{name}f{i}") if isinstance(figure, Figure) else figure
        for i, figure in enumerate(section.figures)
    ]
    return SectionView(name, section, figures)


def _figure(figure: Figure, name: str) -> FigureView:
    panels = at_most(figure.panels, MOST_PANELS)
    key: list[tuple[Markup, str]] = [(look.key, label) for label, look in looks(figure).items()]
    drawn = draw(figure, panels, name)
    titled = [(panel.title, image) for panel, image in zip(panels, drawn, strict=True)]
    return FigureView(figure, key, titled, len(figure.panels) - len(panels))
