"""A calibration as a page: `report.html` and `calibration.json` in a folder."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pcmsim.calibration.calibrate import Calibration
from pcmsim.calibration.validation import Validation
from pcmsim.devices.params import ParameterSet
from pcmsim.errors import UsageError
from pcmsim.jobs.calibration_faults import fault_sections
from pcmsim.jobs.calibration_goodness import goodness_section
from pcmsim.jobs.calibration_laws import law_sections
from pcmsim.jobs.calibration_levels import level_section
from pcmsim.jobs.calibration_programming import programming_section
from pcmsim.jobs.calibration_pulses import pulse_sections
from pcmsim.jobs.calibration_reads import reads_section
from pcmsim.jobs.calibration_relaxation import relaxation_sections, relaxation_tests
from pcmsim.jobs.calibration_response import response_sections
from pcmsim.jobs.calibration_tables import (
    exclusion_section,
    parameter_section,
    source_section,
    unidentified_section,
    versions,
)
from pcmsim.jobs.calibration_validation import validation_sections
from pcmsim.measurements import Source
from pcmsim.report.calibration_page import NUMBERS, PAGE, write_calibration
from pcmsim.report.calibration_records import CalibrationReport, KeyNumber, Section


def check_report_folder(folder: Path) -> None:
    """Raise `UsageError` unless a page can be written into `folder`; nothing is left there."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--report {folder} is a file; name a folder")
    for name in (PAGE, NUMBERS):
        if (folder / name).is_dir():
            raise UsageError(f"--report {folder}: {name} in it is a folder; name another one")
    parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise UsageError(
            f"--report {folder} cannot be written ({error.strerror}); name another folder or make "
            f"{parent} writable"
        ) from error


def write_calibration_report(
    calibration: Calibration,
    sources: Sequence[Source],
    base: ParameterSet,
    date: str,
    folder: Path,
) -> Path:
    """Write the page about `calibration` and return its path; a refused set has one as well.

    `base` is the set that values are compared with, `date` the day of the calibration. Raises
    `DataError` if the disk refuses.
    """
    return write_calibration(calibration_report(calibration, sources, base, date), folder)


def calibration_report(
    calibration: Calibration, sources: Sequence[Source], base: ParameterSet, date: str
) -> CalibrationReport:
    """All that the page shows; an effect that was not measured has no section."""
    found = calibration.parameter_set
    sections: list[Section] = [
        *([goodness_section(calibration.fits)] if calibration.fits is not None else []),
        parameter_section(calibration, base),
        *_fitted_sections(calibration, base),
        *_tested_sections(calibration),
        exclusion_section(calibration),
        unidentified_section(calibration),
        source_section(calibration, sources, date),
    ]
    numbers = _numbers(calibration, sources, base, date)
    title = f"{found.title} · calibrated {date}"
    return CalibrationReport(
        found.name,
        title,
        _key_numbers(calibration),
        _faults(calibration),
        tuple(sections),
        numbers,
        no_set=bool(calibration.refusal),
    )


def _fitted_sections(calibration: Calibration, base: ParameterSet) -> list[Section]:
    """A section for each effect that was fitted."""
    fits = calibration.fits
    if calibration.relaxation is not None:
        return relaxation_sections(calibration, calibration.relaxation)
    if fits is None:
        return list(response_sections(calibration))
    loop, values = fits.programming, calibration.parameter_set.values
    return [
        level_section(calibration, fits.drift),
        *law_sections(fits, base),
        *([reads_section(fits.noise)] if fits.noise is not None else []),
        *pulse_sections(fits.pulses, base),
        *([programming_section(loop, values)] if loop is not None else []),
        *fault_sections(fits, base),
    ]


def _tested_sections(calibration: Calibration) -> list[Section]:
    """Sections on devices and times that were left out of the fit."""
    relaxed, made = calibration.relaxation_check, calibration.validation
    if relaxed is not None:
        return relaxation_tests(relaxed)
    return validation_sections(made) if made is not None else []


def _key_numbers(calibration: Calibration) -> tuple[KeyNumber, ...]:
    found = calibration.parameter_set
    fitted = sum(entry.stderr is not None for entry in found.entries.values())
    left = sum(x.count for x in calibration.exclusions if x.what == "devices")
    lost = len(calibration.unidentified)
    return (
        _verdict(calibration),
        *_devices(calibration),
        KeyNumber("Entries fitted", fitted, f"of {len(found.entries)} in the set"),
        KeyNumber("Not identified", lost, "kept from the base set, or at a limit"),
        KeyNumber("Left out", left, "devices, over all fits"),
    )


def _verdict(calibration: Calibration) -> KeyNumber:
    title, faults = "Reproduces its data", len(calibration.faults)
    if calibration.refusal:
        return KeyNumber(title, "no set", "none can be made of these data")
    if not faults:
        return KeyNumber(title, "yes", "within what is tolerated")
    return KeyNumber(title, "no", f"{faults} reason{'s' * (faults > 1)} against it")


def _faults(calibration: Calibration) -> tuple[str, ...]:
    """Why there is no set, or it must not be used."""
    refusal = (calibration.refusal,) if calibration.refusal else ()
    return (*refusal, *calibration.faults)


def _devices(calibration: Calibration) -> Iterator[KeyNumber]:
    if calibration.relaxation is not None:
        fit = calibration.relaxation
        note = f"at {np.unique(fit.traces.g_target).size} targets"
        yield KeyNumber("Devices that relax", fit.estimate.n, note)
    elif calibration.fits is not None:
        levels = calibration.fits.drift.levels
        devices = sum(level.estimate.n for level in levels)
        yield KeyNumber("Devices in drift traces", devices, f"at {len(levels)} levels")


def _numbers(
    calibration: Calibration, sources: Sequence[Source], base: ParameterSet, date: str
) -> dict[str, Any]:
    """What a program would look for in `calibration.json`."""
    found = calibration.parameter_set
    return {
        "date": date,
        "base": base.name,
        "refused": bool(_faults(calibration)),
        "versions": versions(),
        "entries": {
            name: {
                "value": entry.value,
                "stderr": entry.stderr,
                "unit": entry.unit,
                "base": base.entries[name].value if name in base.entries else None,
                "source": entry.source,
            }
            for name, entry in found.entries.items()
        },
        "exclusions": [asdict(x) for x in calibration.exclusions],
        "unidentified": [asdict(x) for x in calibration.unidentified],
        "sources": [asdict(x) for x in sources],
        "validation": _tested_numbers(calibration.validation),
    }


def _tested_numbers(made: Validation | None) -> dict[str, Any] | None:
    """Of a validation, what no figure or table of the page holds as a number."""
    if made is None:
        return None
    names = ("held_out", "likelihood", "likelihood_stderr", "skipped")
    return {name: getattr(made, name) for name in names}
