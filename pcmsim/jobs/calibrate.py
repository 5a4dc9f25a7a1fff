"""Measurement files in, a parameter set out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pcmsim.calibration.calibrate import Calibration, Choices, calibrate, refuse
from pcmsim.calibration.checks import check_campaign
from pcmsim.calibration.records import Campaign
from pcmsim.calibration.relaxation_set import calibrate_relaxation
from pcmsim.calibration.validate import validate
from pcmsim.devices import load_parameter_set, parameter_set_names, parameter_set_text
from pcmsim.errors import UsageError
from pcmsim.files import replace as replace_file
from pcmsim.jobs.calibration_report import check_report_folder, write_calibration_report
from pcmsim.measurements import Source, read_measurements

# Sets that entries are kept from, unless another is named.
_BASES = {"drift": "pcm-gst-90nm", "relaxation": "ideal"}


@dataclass(frozen=True)
class Order:
    """What to calibrate from, and how.

    files           measurement files
    name            of the new set
    date            day of the calibration, as it shall stand in the set
    columns         column map of lab tables
    base            set that entries are kept from that were not measured; pcm-gst-90nm for devices
                    that drift, ideal for those that relax
    law             "drift" or "relaxation"; what the files say unless given
    """

    files: Sequence[Path]
    name: str
    date: str
    columns: Path | None = None
    base: str | None = None
    g_max: float | None = None
    t0_s: float | None = None
    t_read_s: float | None = None
    exponent: float | None = None
    law: str | None = None


def calibrate_files(
    order: Order, out: Path, report: Path | None = None
) -> tuple[Calibration, list[Source]]:
    """Fit the files, write a page about it into the folder `report`, and the set to `out`.

    With a page, the set is put to the test on devices and times that were left out of the fit.
    Raises `UsageError` or `DataError` before any fit for arguments or files that cannot be used,
    and `DataError` after it, without writing the set, if it does not reproduce its own data; the
    page is there then, too.
    """
    if report is not None:
        check_report_folder(report)
    calibration, sources = fit_files(order, out, validated=report is not None)
    if report is not None:
        base = load_parameter_set(base_name(order, calibration))
        write_calibration_report(calibration, sources, base, order.date, report)
    refuse(calibration)
    replace_file(Path(out), parameter_set_text(calibration.parameter_set).encode())
    return calibration, sources


def base_name(order: Order, calibration: Calibration) -> str:
    """Name of the set that `calibration` kept entries from, and is compared with."""
    return order.base or _BASES["drift" if calibration.relaxation is None else "relaxation"]


def fit_files(order: Order, out: Path, validated: bool = False) -> tuple[Calibration, list[Source]]:
    """The same without writing or refusing, for a report on a set that fails.

    With `validated` a set that reproduces its data is put to the test on devices and times that
    were left out.
    """
    _check(order, Path(out))
    campaign, sources = read_measurements(order.files, order.columns)
    law = order.law or campaign.law
    _check_used(order, campaign, law)
    check_campaign(campaign)
    choices = Choices(
        name=order.name,
        source=f"{'; '.join(source.text() for source in sources)}; calibrated {order.date}",
        base=order.base or _BASES[law],
        g_max=order.g_max,
        t0_s=order.t0_s,
        t_read_s=order.t_read_s,
        exponent=order.exponent,
    )
    if law == "relaxation":
        return calibrate_relaxation(campaign, choices), sources
    fitted = calibrate(campaign, choices)
    if validated and fitted.fits is not None and not fitted.faults:
        fitted = replace(fitted, validation=validate(campaign, choices, fitted))
    return fitted, sources


def _check_used(order: Order, campaign: Campaign, law: str) -> None:
    """Raise `UsageError` for options that a fit of this campaign would not look at."""
    if law == "relaxation":
        why = (
            "devices that relax are fitted from their first read on, with no exponent of the noise"
        )
    elif next(iter(campaign.drift), None) is None:
        why = "the files hold no drift traces, and nothing else is fitted with it"
    else:
        return
    for option, value in (("--t0", order.t0_s), ("--exponent", order.exponent)):
        if value is not None:
            raise UsageError(f"{option} {value:g} would have no effect: {why}; leave it out")


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
    if order.law not in (None, "drift", "relaxation"):
        raise UsageError(f"--law {order.law}: write drift or relaxation")
    if order.exponent is not None and not 1.0 <= order.exponent < 2.0:
        raise UsageError(f"--exponent {order.exponent:g}: the exponent of the noise is from 1 to 2")
    for option, value in (
        ("--g-max", order.g_max),
        ("--t0", order.t0_s),
        ("--read-time", order.t_read_s),
    ):
        if value is not None and not 0.0 < value < 1e12:
            raise UsageError(f"{option} {value:g} must be above zero and finite")
