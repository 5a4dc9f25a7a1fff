"""A drift study: which networks, devices, mitigations and temperatures, on how many chips."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from pcmsim.config.base import Count, Rate, Section
from pcmsim.config.explaining import explain, parse
from pcmsim.config.reading import override
from pcmsim.config.temperature import Temperature
from pcmsim.errors import UsageError

CompensationName = Literal[
    "none", "global", "column", "affine", "bias", "statistics", "reference_devices"
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]{0,39}$")]
Names = Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
NONE = "none"
Picojoules = Annotated[float, Field(ge=0.0, le=1e9, allow_inf_nan=False)]
MOST_EVALUATIONS = 100_000


class Cells(Section):
    """A block of cells: everything it names is crossed with everything else.

    What it does not name is all networks, devices and temperatures, and no mitigation.
    """

    networks: Names | None = None
    devices: Names | None = None
    temperatures: Names | None = None
    compensation: Annotated[tuple[CompensationName, ...], Field(min_length=1, strict=False)] = (
        "none",
    )
    refresh: Names = (NONE,)


class Renewal(Section):
    """Devices written again every `every_s` [s]: all of them, the worst, or by training.

    "worst" is the share `share` of the devices that read farthest from their targets, in
    microsiemens. "retrain" trains `epochs` epochs on the chip with the rule that reprograms
    weights whose accumulated change reaches `g_threshold` [µS], at `learning_rate`; thresholds,
    biases and a gain per column learn at `digital_learning_rate`.
    """

    every_s: Annotated[float, Field(gt=0.0, le=1e12, allow_inf_nan=False)]
    what: Literal["all", "worst", "retrain"] = "all"
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05
    epochs: Count = 1
    batch_size: Count = 4
    learning_rate: Rate = 3.0e-4
    digital_learning_rate: Annotated[float, Field(gt=0.0, le=1e3, allow_inf_nan=False)] = 1.0e-2
    g_threshold: Annotated[float, Field(gt=0.0, le=1e3, allow_inf_nan=False)] = 0.3


class Calibration(Section):
    """What compensations are calibrated with.

    `sequences` of the training split, without their targets, `repeats` of each reference
    measurement, and `cells` reference devices (pairs) for each matrix.
    """

    sequences: Count = 8
    repeats: Count = 4
    cells: Count = 64


class Energy(Section):
    """Energy of what mitigations cost [pJ]: an estimate to compare them by, not a bill.

    `multiply_pj` is that of one weight in one product, converters included: 190 fJ, the 48.8 pJ of
    a column in `pcmsim/energy/published.yaml` over the 256 rows of its core (Khaddam-Aljameh et
    al., doi:10.1109/JSSC.2022.3140414). `program_pj` is that of one device
    programmed in a closed loop: 30 pulses of 45 pJ and their reads. `digital_pj` is that of one
    multiplication and addition of single precision in 45 nm (Horowitz, ISSCC 2014,
    doi:10.1109/ISSCC.2014.6757323), memory traffic left out.
    """

    multiply_pj: Picojoules = 0.19
    program_pj: Picojoules = 1400.0
    digital_pj: Picojoules = 4.6


class Sensitivity(Section):
    """How the metric at the last time depends on the parameters of the devices.

    Each of `parameters`, a factor on an entry of the parameter set `devices` (the first of the
    study unless given, as is `network`), moves by `step` up and down one at a time on `chips`
    chips; Sobol indices of independent factors, uniform within 1 ± `step`, come from
    `samples` (N + 2) measurements for N parameters, on some of the same chips. `samples` is a
    power of two; zero leaves them out.
    """

    network: Name | None = None
    devices: Name | None = None
    compensation: CompensationName = "global"
    parameters: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)] = (
        "programming_std",
        "nu_mean",
        "nu_std",
        "read_noise",
        "faults",
    )
    step: Annotated[float, Field(ge=1e-6, lt=1.0)] = 0.2
    chips: Annotated[int, Field(ge=2, le=10_000)] = 8
    samples: Annotated[int, Field(ge=0, le=65_536)] = 64

    @model_validator(mode="after")
    def _balanced(self) -> "Sensitivity":
        if self.samples == 1 or self.samples & (self.samples - 1):
            below = 1 << (self.samples.bit_length() - 1)
            raise ValueError(
                f"samples = {self.samples}: points of a Sobol sequence are balanced only in powers "
                f"of two; write {max(below, 2)}, {max(2 * below, 4)}, or 0 for none"
            )
        n = len(self.parameters)
        evaluations = self.chips * (1 + 2 * n) + self.samples * (2 + n)
        if evaluations > MOST_EVALUATIONS:
            raise ValueError(
                f"{evaluations:,} evaluations are asked for; {MOST_EVALUATIONS:,} are the most: "
                f"take fewer chips or samples"
            )
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError("parameters names one of them twice; name each once")
        return self


class Study(Section):
    """Cells, each on `chips` chips at `points` log-spaced times from 1 s to `days`.

    `networks` are folders of trained runs, or configurations to train, by name; `devices` are
    parameter sets or their files, by name; `hardware` changes keys of the hardware section of
    every run. A chip fails when its metric exceeds that of the software by `tolerance`.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    networks: Annotated[dict[Name, str], Field(min_length=1)]
    devices: Annotated[dict[Name, str], Field(min_length=1)]
    temperatures: Annotated[
        dict[Name, Temperature],
        Field(min_length=1, default_factory=lambda: {"reference": Temperature(celsius=25.0)}),
    ]
    refreshes: Annotated[dict[Name, Renewal], Field(default_factory=dict)]
    cells: Annotated[tuple[Cells, ...], Field(min_length=1, strict=False)]
    chips: Annotated[int, Field(ge=1, le=10_000)] = 8
    days: Annotated[float, Field(gt=1.2e-5, le=365_000.0)] = 4.0
    points: Annotated[int, Field(ge=1, le=1000)] = 25
    hardware: Annotated[dict[str, Any], Field(default_factory=dict)]
    tolerance: Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)] = 0.5
    calibration: Calibration = Calibration()
    energy: Energy = Energy()
    sensitivity: Sensitivity | None = None
    retries: Annotated[int, Field(ge=0, le=10)] = 1

    @field_validator("refreshes")
    @classmethod
    def _none_is_taken(cls, refreshes: dict[str, Renewal]) -> dict[str, Renewal]:
        if NONE in refreshes:
            raise ValueError("none is the name of no refresh; choose another")
        return refreshes

    @model_validator(mode="after")
    def _all_known(self) -> "Study":
        for i, block in enumerate(self.cells):
            for axis, known in self.axes().items():
                for name in getattr(block, axis) or ():
                    if name not in known:
                        raise ValueError(
                            f"cells.{i}.{axis}: {name!r} is not defined; known: {', '.join(known)}"
                        )
        for axis in ("networks", "devices") if self.sensitivity is not None else ():
            key, known = axis.replace("networks", "network"), self.axes()[axis]
            name = getattr(self.sensitivity, key)
            if name not in (None, *known):
                raise ValueError(
                    f"sensitivity.{key}: {name!r} is not defined; known: {', '.join(known)}"
                )
        return self

    def axes(self) -> dict[str, tuple[str, ...]]:
        """Names that a block of cells may use, by axis."""
        return {
            "networks": tuple(self.networks),
            "devices": tuple(self.devices),
            "temperatures": tuple(self.temperatures),
            "refresh": (NONE, *self.refreshes),
        }


def load_study(path: Path, overrides: tuple[str, ...] = ()) -> Study:
    """Read the YAML file at `path`, apply `key=value` overrides, and check the whole.

    Raises `UsageError` that names the dotted path of whatever is wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"study {path} cannot be read: {error}") from error
    return build_study(override(parse(text, str(path)), overrides), str(path))


def build_study(values: dict[str, Any], source: str = "study") -> Study:
    """Check a nested dictionary and freeze it; raises `UsageError` with all faults."""
    try:
        return Study.model_validate(values)
    except ValidationError as error:
        faults = error.errors()
        # A key that is misspelt is the reason for one that is missing.
        misspelt = [fault for fault in faults if fault["type"] == "extra_forbidden"]
        told = dict.fromkeys(explain(fault, Study) for fault in misspelt or faults)
        raise UsageError(f"{source}: {'; '.join(told)}") from None
