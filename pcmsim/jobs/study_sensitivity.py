"""The part of a study that asks how the metric depends on the parameters of the devices."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pcmsim.config import Sensitivity, Study
from pcmsim.devices import Ambient, ParameterSet, reference_c
from pcmsim.errors import UsageError
from pcmsim.files import replace as replace_file
from pcmsim.studies import Cell, Materials, Unit, study_times
from pcmsim.studies.indices import frame, nominal_mean, one_at_a_time, responses, sobol_indices
from pcmsim.studies.plan import NO_REFRESH
from pcmsim.studies.sensitivity import REFERENCE, Design, design_of, units_of_design
from pcmsim.studies.variation import WithVariants, varied

CSV = "sensitivity.csv"


@dataclass(frozen=True)
class Asked:
    """What a study asks for, with the names that it left out filled in."""

    settings: Sensitivity
    network: str
    devices: str
    t_s: float
    seed: int
    design: Design
    units: tuple[Unit, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the points, which must not change under what was measured at them."""
        return hashlib.sha256(self.design.factors.tobytes()).hexdigest()


def asked(study: Study) -> Asked | None:
    """The sensitivity part of a study, None if it has none."""
    settings = study.sensitivity
    if settings is None:
        return None
    network, devices = subject_of(study, settings)
    t_s = study_times(study.days, study.points)[-1]
    design = design_of(settings, study.seed)
    units = units_of_design(design, network, settings.compensation, t_s)
    return Asked(settings, network, devices, t_s, study.seed, design, units)


def with_variants(materials: Materials, part: Asked) -> Materials:
    """Materials with the variants of the device set beside it, at their reference temperature."""
    design, base = part.design, materials.devices[part.devices]
    return replace(
        materials,
        devices=WithVariants(materials.devices, base, design.parameters, design.factors),
        ambients={
            **materials.ambients,
            REFERENCE: Ambient((0.0,), (reference_c(base.values),)),
        },
    )


def sensitivity(out: Path, part: Asked) -> dict[str, Any]:
    """Write `sensitivity.csv`, every evaluation, and return the section of the results.

    Raises `DataError` for files that are damaged or cannot be written.
    """
    design, found = part.design, responses(out, part.design, part.units)
    replace_file(out / CSV, frame(design, found).to_csv(index=False).encode())
    metric, step = found[..., 0], part.settings.step
    return {
        "network": part.network,
        "compensation": part.settings.compensation,
        "devices": part.devices,
        "t_s": part.t_s,
        "step": step,
        "chips": design.chips,
        "nominal": nominal_mean(metric),
        "one_at_a_time": one_at_a_time(design, metric),
        "sobol": sobol_indices(design, metric, step, part.seed),
    }


def cell_of(study: Study) -> Iterator[Cell]:
    """The cell at whose devices the section looks, if there is one."""
    if study.sensitivity is not None:
        names = subject_of(study, study.sensitivity)
        yield Cell(*names, REFERENCE, NO_REFRESH, study.sensitivity.compensation)


def subject_of(study: Study, settings: Sensitivity) -> tuple[str, str]:
    """Names of the network and of the device set."""
    network = settings.network or next(iter(study.networks))
    return network, settings.devices or next(iter(study.devices))


def reasons_against_variants(study: Study, devices: Mapping[str, ParameterSet]) -> Iterator[str]:
    """Why parameters cannot be varied by the step that is asked for.

    Each is looked at alone, at both ends: no entry's range depends on two of them.
    """
    settings = study.sensitivity
    if settings is None:
        return
    _, name = subject_of(study, settings)
    if name not in devices:
        return
    for parameter in settings.parameters:
        for factor in (1.0 - settings.step, 1.0 + settings.step):
            try:
                varied(devices[name], {parameter: factor})
            except UsageError as error:
                yield f"sensitivity of {name}, {parameter} x {factor:g}: {error}"
                break
