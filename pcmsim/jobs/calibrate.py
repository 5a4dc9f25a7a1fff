"""Measurement files in, a parameter set out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pcmsim.calibration.calibrate import Calibration, Choices, calibrate, refuse
from pcmsim.calibration.checks import check_campaign
from pcmsim.devices import load_parameter_set, parameter_set_names, parameter_set_text
from pcmsim.errors import UsageError
from pcmsim.files import replace
from pcmsim.jobs.calibration_report import check_report_folder, write_calibration_report
from pcmsim.measurements import Source, read_measurements


@dataclass(frozen=True)
class Order:
    """What to calibrate from, and how.

    files           measurement files
    name            of the new set
    date            day of the calibration, as it shall stand in the set
    columns         column map of lab tables
    """

    files: Sequence[Path]
    name: str
    date: str
    columns: Path | None = None
    base: str = "pcm-gst-90nm"
    g_max: float | None = None
    t0_s: float | None = None
    t_read_s: float | None = None
    exponent: float | None = None


def calibrate_files(
    order: Order, out: Path, report: Path | None = None
) -> tuple[Calibration, list[Source]]:
    """Fit the files, write a page about it into the folder `report`, and the set to `out`.

    Raises `UsageError` or `DataError` before any fit for arguments or files that cannot be used,
    and `DataError` after it, without writing the set, if it does not reproduce its own data; the
    page is there then, too.
    """
    if report is not None:
        check_report_folder(report)
    calibration, sources = fit_files(order, out)
    if report is not None:
        base = load_parameter_set(order.base)
        write_calibration_report(calibration, sources, base, order.date, report)
    refuse(calibration)
    replace(Path(out), parameter_set_text(calibration.parameter_set).encode())
    return calibration, sources


def fit_files(order: Order, out: Path) -> tuple[Calibration, list[Source]]:
    """The same without writing or refusing, for a report on a set that fails."""
    _check(order, Path(out))
    campaign, sources = read_measurements(order.files, order.columns)
    check_campaign(campaign)
    choices = Choices(
        name=order.name,
        source=f"{'; '.join(source.text() for source in sources)}; calibrated {order.date}",
        base=order.base,
        g_max=order.g_max,
        t0_s=order.t0_s,
        t_read_s=order.t_read_s,
        exponent=order.exponent,
    )
    return calibrate(campaign, choices), sources


def _check(order: Order, out: Path) -> None:
    if not order.files:
        raise UsageError("name at least one measurement file")
    if order.name in parameter_set_names():
        raise UsageError(f"--name {order.name} is a set that ships with pcmsim; choose another")
    if not order.name.strip() or len(order.name) > 100 or "\n" in order.name:
        raise UsageError(f"--name {order.name!r:.40}: write a short name on one line")
    if out.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--out {out}: a parameter set ends in .yaml")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it")
    if order.exponent is not None and not 1.0 <= order.exponent < 2.0:
        raise UsageError(f"--exponent {order.exponent:g}: the exponent of the noise is from 1 to 2")
    for option, value in (
        ("--g-max", order.g_max),
        ("--t0", order.t0_s),
        ("--read-time", order.t_read_s),
    ):
        if value is not None and not 0.0 < value < 1e12:
            raise UsageError(f"{option} {value:g} must be above zero and finite")
