"""What a virtual measurement campaign measures, and how."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from pcmsim.config.base import Bits, NotNegative, Positive, Section
from pcmsim.config.explaining import explain, parse
from pcmsim.config.reading import override
from pcmsim.errors import UsageError

Devices = Annotated[int, Field(ge=1, le=10_000_000)]
Reads = Annotated[int, Field(ge=1, le=1_000_000)]
Conductance = Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)]
# Thirty years; programmed a hundred times over, noise can still tell instants apart.
Duration = Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)]
ReadTimes = Annotated[tuple[Duration, ...], Field(min_length=1, max_length=64, strict=False)]
Targets = Annotated[tuple[Conductance, ...], Field(min_length=1, max_length=256, strict=False)]


class Times(Section):
    """`count` times from `first_s` to `last_s` after the last pulse, evenly spaced in ln t [s]."""

    first_s: Duration = 20.0
    last_s: Duration = 345_600.0
    count: Annotated[int, Field(ge=2, le=10_000)] = 25

    @model_validator(mode="after")
    def _rising(self) -> "Times":
        if not self.first_s < self.last_s:
            raise ValueError("first_s must be below last_s")
        return self


class Instrument(Section):
    """How reads are taken.

    A read integrates for `t_read_s`; its converter has `adc_bits` over `full_scale_us`, None being
    exact; `noise_std_us` is the instrument's own noise. `missing` is the share of lost samples.
    """

    t_read_s: Positive = 2.5e-7
    adc_bits: Bits | None = 12
    full_scale_us: Positive = 40.0
    noise_std_us: NotNegative = 0.0
    missing: Annotated[float, Field(ge=0.0, le=0.9)] = 0.01
    temperature_k: Positive = 300.0
    read_voltage_v: Positive = 0.2


class DriftPlan(Section):
    """Traces: at each target [µS] devices are programmed, read at `times`, and programmed again."""

    targets: Targets = (0.0, 0.25, 0.7, 1.3, 2.2, 3.5, 6.0, 10.0, 15.0, 20.0, 25.0)
    devices_per_level: Devices = 2000
    times: Times = Times()
    programmings: Annotated[int, Field(ge=1, le=100)] = 2


class ReadsPlan(Section):
    """Repeated reads: `count` reads every `interval_s`, from `after_s` after programming on."""

    targets: Targets = (2.2, 3.5, 6.0, 10.0, 15.0, 20.0, 25.0)
    devices_per_level: Devices = 200
    count: Reads = 512
    interval_s: Duration = 0.01
    after_s: Duration = 100.0


class StaircasePlan(Section):
    """Staircases: RESET, then `pulses` SET pulses every `interval_s`, read `read_after_s` each."""

    devices: Devices = 2000
    pulses: Annotated[int, Field(ge=1, le=1000)] = 20
    cycles: Annotated[int, Field(ge=1, le=100)] = 2
    read_after_s: ReadTimes = (15.0, 20.0)
    interval_s: Duration = 25.0

    @model_validator(mode="after")
    def _in_time(self) -> "StaircasePlan":
        times = self.read_after_s
        if list(times) != sorted(set(times)) or not times[-1] < self.interval_s:
            raise ValueError("read_after_s must increase and end before interval_s")
        return self


class SetDriftPlan(Section):
    """Traces of devices after `pulses` SET pulses from RESET, one every `interval_s`.

    With the interval t0 of the set nothing drifts between the pulses; otherwise devices that drift
    faster end lower, and the mean exponent of the traces is biased by that.
    """

    devices: Devices = 2000
    pulses: Annotated[int, Field(ge=1, le=1000)] = 10
    interval_s: Duration = 20.0
    times: Times = Times()


class CurvePlan(Section):
    """Programming curves: `count` melting pulses of rising current, each read `after_s` later."""

    devices: Devices = 1000
    sweeps: Annotated[int, Field(ge=1, le=100)] = 2
    first_ua: Positive = 150.0
    last_ua: Positive = 450.0
    count: Annotated[int, Field(ge=2, le=1000)] = 31
    after_s: Duration = 20.0

    @model_validator(mode="after")
    def _rising(self) -> "CurvePlan":
        if not self.first_ua < self.last_ua:
            raise ValueError("first_ua must be below last_ua")
        return self


class LevelsPlan(Section):
    """Closed-loop programming: melting pulses, each verified, until a read is near enough.

    A verify read `verify_after_s` after its pulse is accepted within `tolerance_us` of the target;
    otherwise the current is corrected by the share `gain` of the error, `max_iterations` times at
    most. Later reads are taken `read_after_s` after the last pulse.
    """

    targets: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=256, strict=False)] = (
        2.2,
        6.0,
        10.0,
        15.0,
        20.0,
    )
    devices_per_level: Devices = 1000
    tolerance_us: Positive = 0.8
    max_iterations: Annotated[int, Field(ge=1, le=10_000)] = 30
    gain: Positive = 0.35
    verify_after_s: Duration = 0.001
    read_after_s: ReadTimes = (0.01, 0.1, 1.0, 20.0)

    @model_validator(mode="after")
    def _in_time(self) -> "LevelsPlan":
        times = [self.verify_after_s, *self.read_after_s]
        if times != sorted(set(times)):
            raise ValueError("read_after_s must increase and begin after verify_after_s")
        return self


class YieldPlan(Section):
    """Every device of an array, read `after_s` after RESET and after programming to g_max."""

    rows: Annotated[int, Field(ge=1, le=4096)] = 256
    columns: Annotated[int, Field(ge=1, le=4096)] = 256
    after_s: Duration = 20.0


class CampaignPlan(Section):
    """A campaign; sections that are null are not measured."""

    instrument: Instrument = Instrument()
    drift: DriftPlan | None = DriftPlan()
    reads: ReadsPlan | None = ReadsPlan()
    staircase: StaircasePlan | None = StaircasePlan()
    set_drift: SetDriftPlan | None = SetDriftPlan()
    curve: CurvePlan | None = CurvePlan()
    yields: YieldPlan | None = YieldPlan()
    levels: LevelsPlan | None = LevelsPlan()

    @model_validator(mode="after")
    def _one_after_another(self) -> "CampaignPlan":
        t_read_s = self.instrument.t_read_s
        if self.reads is not None and not t_read_s <= self.reads.interval_s:
            raise ValueError(
                f"reads.interval_s = {self.reads.interval_s:g} s is shorter than one read, "
                f"instrument.t_read_s = {t_read_s:g} s"
            )
        levels = self.levels
        if levels is not None and not t_read_s <= levels.verify_after_s:
            raise ValueError(
                f"levels.verify_after_s = {levels.verify_after_s:g} s is shorter than one read, "
                f"instrument.t_read_s = {t_read_s:g} s"
            )
        return self


def load_plan(path: Path | None, overrides: tuple[str, ...] = ()) -> CampaignPlan:
    """Read the YAML file at `path`, apply `key=value` overrides, and check the whole.

    None gives the default plan. Raises `UsageError` that names the dotted path of what is wrong.

    >>> load_plan(None, ("drift.devices_per_level=50",)).drift.devices_per_level
    50
    """
    source, values = "plan", {}
    if path is not None:
        source = str(path)
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"plan {path} cannot be read: {error}") from error
        values = parse(text, source)
    return build_plan(override(values, overrides), source)


def build_plan(values: dict[str, Any], source: str = "plan") -> CampaignPlan:
    """Check a nested dictionary and freeze it; raises `UsageError` on the first fault."""
    try:
        return CampaignPlan.model_validate(values)
    except ValidationError as error:
        faults = error.errors()
        misspelt = [fault for fault in faults if fault["type"] == "extra_forbidden"]
        raise UsageError(f"{source}: {explain((misspelt or faults)[0], CampaignPlan)}") from None
