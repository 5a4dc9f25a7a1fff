"""The page about a study: `report.html` from `results.json`, `study.yaml` and the environment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import pcmsim
from pcmsim.errors import DataError, UsageError
from pcmsim.report import records, study_pareto, study_sensitivity, study_text, svg, text
from pcmsim.report.points import COMPENSATIONS
from pcmsim.report.study_figures import loss, within
from pcmsim.report.study_look import Look, Mitigation, looks, of, places
from pcmsim.report.study_records import Study, StudyCell, read_study
from pcmsim.report.study_scale import Scale, scale_of
from pcmsim.report.study_tables import (
    FEW,
    Failing,
    Verdict,
    failing,
    failures,
    short_of_chips,
    verdicts,
)
from pcmsim.units import format_duration
from pcmsim.yamltext import load_yaml

TEMPLATE = "study.html.jinja"
CONFIG = "study.yaml"
_LONGEST_IN_TITLE = 20
_MORE_COMPENSATIONS = {
    "bias": "one factor per matrix, and offsets of the outputs from unlabelled data",
    "statistics": "mean and spread of every column from unlabelled data",
    "reference_devices": "one factor per matrix from cells programmed with it",
}
OPEN_PANELS, MOST_PANELS = 12, 24
Where = tuple[str, str, str]


@dataclass(frozen=True)
class Origin:
    """How a study came to be: what was asked for, as text and as values, and where it ran."""

    name: str
    config: str
    asked: Mapping[str, Any]
    environment: Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """A network on devices at a temperature: its figures, if it has them, and its tables."""

    title: str
    cells: Sequence[StudyCell]
    ranking: Sequence[Verdict]
    failing: Sequence[Failing]
    loss: Markup | None
    within: Markup | None
    energy: Markup | None
    front: Sequence[str]

    @property
    def needed(self) -> Mapping[Mitigation, int | None]:
        """Chips that the wanted precision takes."""
        return {of(cell): cell.chips_needed for cell in self.cells}

    @property
    def measured(self) -> Mapping[Mitigation, int]:
        """Chips that there are."""
        return {of(cell): cell.chips for cell in self.cells}


def render_study(folder: Path) -> str:
    """HTML of the page about the study in `folder`.

    Raises `DataError` that names the file that is missing or damaged, and what in it.
    """
    study, origin = read_study(folder / "results.json"), _origin(folder)
    known = looks(study)
    with svg.style():
        found = _places(study, known, origin)
        sensitivity = _sensitivity(study)
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            study=study,
            origin=origin,
            known=known,
            of=of,
            places=found,
            pages=_pages(found),
            left_out=[m.name for m, look in known.items() if look.colour is None],
            failures=failures(study),
            short=short_of_chips(study),
            few=FEW,
            explained=_explained(study),
            temperatures=_described(study, origin, "temperature", "temperatures"),
            devices=_described(study, origin, "devices", "devices"),
            networks=_described(study, origin, "network", "networks"),
            factor=study_text.chips_factor(study.chips) if study.chips > 1 else None,
            sensitivity=sensitivity,
            version=pcmsim.__version__,
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pcmsim.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": format_duration,
        "flat": text.flat,
        "count": lambda n: study_text.UNKNOWN if n is None else text.count(n),
        "energy": study_text.energy_text,
        "difference": study_text.difference,
        "share": study_text.share,
    }
    environment.globals |= {"interval": study_text.interval}
    return environment


def _places(study: Study, known: Mapping[Mitigation, Look], origin: Origin) -> list[Place]:
    groups = places(study.cells)
    shown = dict(list(groups.items())[:MOST_PANELS]) if len(groups) <= MOST_PANELS else {}
    scales = {name: _scales(study, groups, known, name) for name in study.software}
    several = len({devices for _, devices, _ in groups}) > 1
    return [
        Place(
            _title(where, origin, several),
            cells,
            verdicts(cells),
            [failing(study, cell) for cell in cells],
            *_figures(study, cells, known, scales[where[0]], f"p{i}", where in shown),
            study_pareto.front(study_pareto.points_of(cells, known)),
        )
        for i, (where, cells) in enumerate(groups.items())
    ]


def _scales(
    study: Study,
    groups: Mapping[Where, Sequence[StudyCell]],
    known: Mapping[Mitigation, Look],
    network: str,
) -> tuple[Scale, Scale] | None:
    """Axes that all panels of `network` share: of losses over time and of those at the end."""
    cells = [
        cell
        for where, group in groups.items()
        for cell in group
        if where[0] == network and known[of(cell)].colour is not None
    ]
    if not cells:
        return None
    return scale_of(study, cells), scale_of(study, cells, at_the_end=True)


def _figures(
    study: Study,
    cells: Sequence[StudyCell],
    known: Mapping[Mitigation, Look],
    scales: tuple[Scale, Scale] | None,
    name: str,
    shown: bool,
) -> tuple[Markup | None, Markup | None, Markup | None]:
    if not shown or scales is None:
        return None, None, None
    return (
        loss(study, cells, known, scales[0], f"{name}l"),
        within(study, cells, known, f"{name}w"),
        study_pareto.loss_against_energy(study, cells, known, scales[1], f"{name}e"),
    )


def _title(where: Where, origin: Origin, several: bool) -> str:
    network, devices, temperature = where
    described = _said(origin, "temperatures", temperature)
    parts = [network, *([devices] if several else [])]
    # A formula is told at the head of the page; a title has one line.
    short = described and len(described) <= _LONGEST_IN_TITLE
    parts.append(f"{temperature} ({described})" if short else temperature)
    return ", ".join(parts)


def _pages(found: Sequence[Place]) -> list[Sequence[Place]]:
    """Places with figures, a page of twelve after the other."""
    drawn = [place for place in found if place.loss is not None]
    return [drawn[i : i + OPEN_PANELS] for i in range(0, len(drawn), OPEN_PANELS)]


def _sensitivity(study: Study) -> Mapping[str, Any] | None:
    found = study.sensitivity
    if found is None:
        return None
    return {
        "found": found,
        "ordered": study_sensitivity.ordered(found),
        "tornado": study_sensitivity.tornado(found, "tornado") if found.one_at_a_time else None,
        "sobol": None if found.sobol is None else study_sensitivity.sobol(found.sobol, "sobol"),
    }


def _explained(study: Study) -> list[tuple[str, str]]:
    """Compensations of the study whose names need words."""
    kinds = dict.fromkeys(cell.compensation for cell in study.cells)
    words = COMPENSATIONS | _MORE_COMPENSATIONS
    return [(kind, words[kind]) for kind in kinds if kind in words]


def _described(study: Study, origin: Origin, axis: str, section: str) -> list[tuple[str, str]]:
    names = dict.fromkeys(getattr(cell, axis) for cell in study.cells)
    return [(name, _said(origin, section, name)) for name in names]


def _said(origin: Origin, section: str, name: str) -> str:
    """What the configuration says of a name; empty if it does not."""
    named = origin.asked.get(section)
    found = named.get(name) if isinstance(named, Mapping) else None
    told: Callable[[Any], str] = study_text.temperature if section == "temperatures" else _plain
    return told(found)


def _plain(found: Any) -> str:
    return found if isinstance(found, str) else ""


def _origin(folder: Path) -> Origin:
    config = records.read_text(folder / CONFIG)
    environment = records.read_json(folder / "environment.json")
    if not isinstance(environment, dict):
        raise DataError(f"{folder / 'environment.json'} holds no named values")
    try:
        asked = load_yaml(config, str(folder / CONFIG))
    except UsageError as error:
        raise DataError(str(error)) from error
    if not isinstance(asked, dict):
        raise DataError(f"{folder / CONFIG} holds no named values")
    return Origin(folder.resolve().name, config, asked, environment)
