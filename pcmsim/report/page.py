"""The page: figures and tables of a run put into the template."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

import pcmsim
from pcmsim.errors import DataError
from pcmsim.files import replace
from pcmsim.report import figures, svg, text
from pcmsim.report.folder import STUDY, DriftRun, Run, TrainingRun, kind_of, read_run
from pcmsim.report.loop_page import LoopView, loop_view
from pcmsim.report.operations_page import OperationsView, operations_view
from pcmsim.report.points import (
    COMPENSATIONS,
    at,
    band_text,
    by_compensation,
    chips_text,
    moment_text,
    moments_s,
    spread,
)
from pcmsim.report.records import Point
from pcmsim.report.study_page import render_study
from pcmsim.report.svg import Chart
from pcmsim.units import format_duration

PAGE = "report.html"
TEMPLATE = "page.html.jinja"


@dataclass(frozen=True)
class DriftView:
    """One drift run as the template shows it: key numbers, all numbers, figures."""

    run: DriftRun
    moments: Sequence[str]
    key_rows: Sequence[tuple[str, Sequence[Point | None]]]
    all_rows: Sequence[tuple[str, Point, tuple[float, float]]]
    band: str
    metric: Chart
    conductances: Chart
    crossbars: Sequence[Chart]


UNITS = {
    "snu": "SNU",
    "ssnu": "sSNU",
    "li_snu": "LI-SNU",
    "asnu": "a-SNU",
    "lif": "LIF",
    "alif": "ALIF",
}


def build(run: Path) -> Path:
    """Write `run/report.html` from the files in the folder `run` and return its path.

    The folder is that of a training run, with any drift runs in its subfolders, that of a drift
    run, or that of a study. The page needs nothing else: figures are inline, nothing is fetched, no
    script runs. The same files give the same bytes.

    Raises `DataError` that names the file that is missing or damaged, or the page if the disk
    refuses.
    """
    run = Path(run)
    page = run / PAGE
    try:
        content = render_study(run) if kind_of(run) == STUDY else render(read_run(run))
    except (jinja2.UndefinedError, TypeError) as error:
        raise DataError(f"{run}: a file of the run lacks what a report shows ({error})") from error
    replace(page, content.encode())
    return page


def render(run: Run) -> str:
    """HTML of the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pcmsim.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": text.number,
        "value": text.value,
        "unit": text.unit,
        "linked": text.linked,
        "flat": text.flat,
        "breakable": text.breakable,
        "duration": format_duration,
        "count": text.count,
        "metric": text.metric,
        "change": text.change,
    }
    with svg.style():
        learning = _learning(run.training) if run.training else None
        in_loop = _in_loop(run.training) if run.training else None
        operations = _operations(run.training) if run.training else None
        drifts = [_drift_view(drift, f"d{i}") for i, drift in enumerate(run.drifts)]
    template = environment.get_template(TEMPLATE)
    return template.render(
        run=run,
        learning=learning,
        in_loop=in_loop,
        operations=operations,
        drifts=drifts,
        kinds=COMPENSATIONS,
        units=UNITS,
        version=pcmsim.__version__,
    )


def _learning(training: TrainingRun) -> Chart | None:
    results = training.results
    if training.curves is None:
        return None
    figure = figures.learning_curve(training.curves, results.best_epoch, results.metric)
    caption = (
        f"{results.metric.label.capitalize()}. The network of the best epoch on the validation "
        f"split is the one that was tested and kept."
    )
    if not results.metric.unit.startswith("nat"):
        caption += " Of the training split the curve shows the loss that training lowers."
    return Chart(svg.inline(figure, "learning", "Learning curve"), caption)


def _in_loop(training: TrainingRun) -> LoopView | None:
    return None if training.in_loop is None else loop_view(training, training.in_loop)


def _operations(training: TrainingRun) -> OperationsView | None:
    return None if training.operations is None else operations_view(training.operations)


def _drift_view(run: DriftRun, name: str) -> DriftView:
    found = by_compensation(run.results.drift)
    times_s = moments_s([point.t_s for point in run.results.drift])
    return DriftView(
        run=run,
        moments=[moment_text(t_s) for t_s in times_s],
        key_rows=[(kind, [at(points, t_s) for t_s in times_s]) for kind, points in found.items()],
        all_rows=[(kind, p, spread(p)) for kind, points in found.items() for p in points],
        band=band_text(run.results.drift),
        metric=_metric(run, name),
        conductances=_conductances(run, name),
        crossbars=_crossbars(run, name),
    )


def _metric(run: DriftRun, name: str) -> Chart:
    caption = (
        f"Test metric of the network on {chips_text(run.results.chips)} against the time since "
        f"programming. Lines are means, bands span {band_text(run.results.drift)}; the dashed line "
        f"is the same network in software. Lower is better.{_streamed_text(run)}"
    )
    figure = figures.metric_over_time(run.results)
    return Chart(svg.inline(figure, f"{name}-metric", "Metric against time"), caption)


def _streamed_text(run: DriftRun) -> str:
    if run.results.inference == "batched":
        return ""
    pace = f"a step in at least {run.results.step_s:g} s" if run.results.step_s else "at full speed"
    return f" Each point is a stream through the test split that starts then, {pace}."


def _conductances(run: DriftRun, name: str) -> Chart:
    caption = (
        "Conductances of all devices of the first chip, without read noise; counts are on a "
        "logarithmic scale. Of each pair one device carries the weight, the other is left in RESET."
    )
    figure = figures.conductances(run.matrices)
    return Chart(svg.inline(figure, f"{name}-g", "Histograms of conductance"), caption)


def _crossbars(run: DriftRun, name: str) -> list[Chart]:
    charts = []
    for i, matrix in enumerate(run.matrices):
        pairs, rows, columns = matrix.g_start.shape[1:]
        mean = f", the mean of {pairs} pairs per weight" if pairs > 1 else ""
        limit = figures.colour_limit(figures.difference(matrix.g_start))
        caption = (
            f"Matrix {matrix.name}, {rows} rows × {columns} columns of the first chip: conductance "
            f"difference of each differential pair{mean}. Colours saturate at ±{limit:.3g} µS, "
            f"which 99 % of the programmed weights do not exceed."
        )
        figure = figures.crossbar(matrix)
        charts.append(Chart(svg.inline(figure, f"{name}-x{i}", f"Crossbar {matrix.name}"), caption))
    return charts
