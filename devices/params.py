"""Parameter sets: every number of a device, with its unit and where it was taken from."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from pcmsim.devices.laws import Law
from pcmsim.devices.pulse_laws import MeltCurve, SetPulse
from pcmsim.devices.relaxation_law import Relaxation
from pcmsim.devices.temperature_law import TemperatureLaw
from pcmsim.errors import UsageError
from pcmsim.yamltext import load_yaml

Probability = Annotated[float, Field(ge=0.0, le=1.0, strict=True)]
Positive = Annotated[float, Field(gt=0.0, le=1e12, strict=True)]
NotNegative = Annotated[float, Field(ge=0.0, le=1e12, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_LAWS = (
    "{constant}, {polynomial: [...]}, {slope, intercept, low, high}, "
    "{coefficient, exponent, high}, "
    "{a, b}, {x: [...], y: [...]}, {threshold, below, above}, all of them finite numbers"
)
_LAW_NAMES = ("programming_std", "nu_mean", "nu_std", "read_noise")
_SET_PULSES = (
    "{mean_slope, mean_offset, mean_memory, std_slope, std_offset, std_memory, memory_pulses}, "
    "{mean_floor, mean_gain, mean_rate_per_us, std_factor, std_offset, std_slope}"
)
# What a law of relaxation may multiply the largest conductance by, four standard deviations out.
_FARTHEST = 100.0
# A set has all of these or none.
PULSE_ENTRIES = (
    *("set_pulse", "set_g_min", "set_g_max", "set_device_std", "set_nu_mean", "set_nu_std"),
    *("rejuvenation", "melt_curve", "wear_shape", "wear_scale"),
)
_UNITS = {
    **dict.fromkeys(("g_max", "g_max_of_fit", "programming_std", "reset_median"), "uS"),
    **dict.fromkeys(("set_pulse", "set_g_min", "set_g_max"), "uS"),
    "melt_curve": "uA",
    **dict.fromkeys(("t0_s", "onset_s", "t_read_s"), "s"),
    **dict.fromkeys(("noise_rate_min", "noise_rate_split"), "1/s"),
    **dict.fromkeys(("stuck_set_mean", "stuck_set_std"), "g_max"),
    "relaxation": "uS",
    "temperature": "eV",
}


@checked(frozen=True, config=_STRICT)
class Entry:
    """One number or law as it stands in the file, with standard errors if it was fitted."""

    value: Any
    unit: str
    source: str
    stderr: Any = None


@checked(frozen=True, config=_STRICT)
class Values:
    """The numbers of a set, checked. Conductances in µS; g = G/g_max.

    g_max                  largest conductance that is programmed [µS]
    g_max_of_fit           g_max that programming_std was fitted at; it scales with their ratio [µS]
    programming_std        spread of the programmed conductance against g [µS]
    programming_std_includes_read_noise
                           whether that spread was measured with a read that added its own noise
    zero_target            what a target of zero means: "reset" (the device is left in RESET) or
                           "law" (it is programmed like any other, clipped at zero)
    reset_median, reset_log_std
                           log-normal RESET conductance: median [µS], standard deviation of ln G
    t0_s                   age at which the programmed conductance is defined [s]
    onset_s                age below which drift has not begun, for origin "last_pulse" [s]
    time_origin            what time zero is: "reference" (the read at t0: age = t + t0) or
                           "last_pulse" (age = t)
    nu_mean, nu_std        drift exponent against g of the target
    nu_device_share        share of the exponent's variance that stays with the device when it is
                           programmed again
    projection             factor of a liner on drift and noise (1 = none)
    read_noise             Q in the noise spectrum S = Q² G² / f, against g
    read_noise_exponent    γ of the spectrum S = Q² G² f0^(γ-1) / f^γ with f0 = 1 Hz
    t_read_s               integration time of a read [s]
    noise_rate_min, noise_rate_split
                           slowest rate of the correlated noise; rate above which noise is white
                           from read to read [1/s]
    p_stuck_reset, p_stuck_set, p_untunable
                           share of devices that cannot be programmed
    stuck_set_mean, stuck_set_std, stuck_set_nu
                           conductance of stuck-SET devices relative to g_max, and their exponent
    relaxation             how conductances change in place of drift, for devices that follow no
                           power law; a set with it has no pulse model and no exponents
    temperature            how conductances and drift depend on the temperature; a set without it
                           holds at 25 °C only

    A pulse model, all of it or none:

    set_pulse              mean and spread of the increment by one SET pulse against G [µS]
    set_g_min, set_g_max   range that SET pulses do not leave [µS]
    set_device_std         standard deviation of the logarithm of a device's factor on the mean
    set_nu_mean, set_nu_std
                           drift exponent of what SET pulses built up from RESET
    rejuvenation           share of the conductance whose clock a SET pulse starts again
    set_acts_on            what a SET pulse finds: "drifted" (unless given), what drift has left, or
                           "reference", the value at t0, so that the pulse undoes the drift; this
                           needs rejuvenation = 1
    melt_curve             conductance after a melting pulse against its current
    wear_shape, wear_scale Weibull law of the number of RESETs a device survives
    """

    g_max: Positive
    g_max_of_fit: Positive
    programming_std: Law
    programming_std_includes_read_noise: Flag
    zero_target: Literal["reset", "law"]
    reset_median: NotNegative
    reset_log_std: NotNegative
    t0_s: Positive
    onset_s: Positive
    time_origin: Literal["reference", "last_pulse"]
    nu_mean: Law
    nu_std: Law
    nu_device_share: Probability
    projection: Positive
    read_noise: Law
    read_noise_exponent: Annotated[float, Field(ge=1.0, lt=2.0, strict=True)]
    t_read_s: Positive
    noise_rate_min: Positive
    noise_rate_split: Positive
    p_stuck_reset: Probability
    p_stuck_set: Probability
    p_untunable: Probability
    stuck_set_mean: NotNegative
    stuck_set_std: NotNegative
    stuck_set_nu: NotNegative
    relaxation: Relaxation | None = None
    temperature: TemperatureLaw | None = None
    set_pulse: SetPulse | None = None
    set_g_min: NotNegative | None = None
    set_g_max: Positive | None = None
    set_device_std: NotNegative | None = None
    set_nu_mean: NotNegative | None = None
    set_nu_std: NotNegative | None = None
    rejuvenation: Probability | None = None
    set_acts_on: Literal["drifted", "reference"] | None = None
    melt_curve: MeltCurve | None = None
    wear_shape: Positive | None = None
    wear_scale: Positive | None = None


@checked(frozen=True, config=_STRICT)
class ParameterSet:
    """A published chip or a calibrated one: name, source, and entries with units and sources."""

    name: str
    title: str
    source: str
    entries: Mapping[str, Entry]

    @cached_property
    def values(self) -> Values:
        """The entries as checked numbers and laws."""
        raw = {name: entry.value for name, entry in self.entries.items()}
        return TypeAdapter(Values).validate_python(raw)

    def checked(self) -> "ParameterSet":
        """The set itself; raises `UsageError` that names the first entry that is wrong."""
        return _check(self, self.name)

    def with_values(self, /, **values: Any) -> "ParameterSet":
        """A copy with some values replaced; their source then says so.

        Raises `UsageError` for an unknown name or a value that is not allowed.

        >>> load_parameter_set("ideal").with_values(g_max=10.0).values.g_max
        10.0
        """
        entries = dict(self.entries)
        for name, value in values.items():
            unit = _UNITS.get(name, "1")
            entries[name] = Entry(value=value, unit=unit, source="set by the user")
        return _check(ParameterSet(self.name, self.title, self.source, entries), self.name)


def parameter_set_names() -> list[str]:
    """Names of the sets that ship with pcmsim, the default first.

    >>> parameter_set_names()[0]
    'pcm-gst-90nm'
    """
    names = sorted(
        p.name.removesuffix(".yaml") for p in _shipped().iterdir() if p.name.endswith(".yaml")
    )
    return sorted(names, key=lambda name: name != "pcm-gst-90nm")


def load_parameter_set(name_or_path: str | Path) -> ParameterSet:
    """Load a shipped set by name, or a set of your own by the path of its YAML file.

    Raises `UsageError` that names the set, the entry and what is allowed.

    >>> load_parameter_set("pcm-gst-90nm").values.g_max
    25.0
    """
    name = str(name_or_path)
    if name in parameter_set_names():
        text = (_shipped() / f"{name}.yaml").read_text(encoding="utf-8")
    elif name.endswith((".yaml", ".yml")):
        text = _read(Path(name))
    else:
        close = difflib.get_close_matches(name, parameter_set_names(), n=1)
        known = (
            f"did you mean {close[0]}?" if close else f"known: {', '.join(parameter_set_names())}."
        )
        raise UsageError(f"no parameter set {name!r}; {known} A file of your own ends in .yaml")
    return _parse(text, name)


def _shipped() -> Any:
    return resources.files("pcmsim.devices") / "parameter_sets"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"parameter set {path} cannot be read: {error}") from error


def _parse(text: str, name: str) -> ParameterSet:
    raw = load_yaml(text, f"parameter set {name}")
    try:
        loaded = TypeAdapter(ParameterSet).validate_python(raw)
    except ValidationError as error:
        raise UsageError(f"parameter set {name}: {_explain(error)}") from None
    for blank in sorted(n for n, entry in loaded.entries.items() if entry.value is None):
        raise UsageError(f"parameter set {name}: {blank} has no value; write one or remove it")
    return _check(loaded, name)


def _check(candidate: ParameterSet, name: str) -> ParameterSet:
    known = {field.name for field in fields(Values)}
    for unknown in sorted(set(candidate.entries) - known):
        close = difflib.get_close_matches(unknown, known, n=1)
        advice = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}"
        raise UsageError(f"parameter set {name}: {unknown} is not a known entry; {advice}")
    try:
        values = candidate.values
    except ValidationError as error:
        raise UsageError(f"parameter set {name}: {_explain(error)}") from None
    for fault in (*_misfits(values), *_wrong_units(candidate)):
        raise UsageError(f"parameter set {name}: {fault}")
    return candidate


def _misfits(values: Values) -> Iterator[str]:
    """Faults of values that are each allowed by themselves."""
    if values.set_acts_on == "reference" and values.rejuvenation != 1.0:
        yield "set_acts_on = reference starts every clock again; write rejuvenation = 1.0"
    if values.p_stuck_reset + values.p_stuck_set + values.p_untunable > 1.0:
        yield "p_stuck_reset + p_stuck_set + p_untunable exceeds 1"
    if not values.noise_rate_min < values.noise_rate_split <= 0.5 / values.t_read_s:
        yield (
            f"noise_rate_min < noise_rate_split <= 1 / (2 t_read_s) = {0.5 / values.t_read_s:g} is "
            f"needed; got {values.noise_rate_min:g} and {values.noise_rate_split:g} 1/s"
        )
    if values.relaxation is not None and values.set_pulse is not None:
        yield "relaxation and set_pulse exclude each other: pulses need a drift law; remove one"
    yield from _relaxation_misfits(values)
    yield from _temperature_misfits(values)
    g = np.linspace(0.0, 1.0, 101)
    for name in _LAW_NAMES:
        with np.errstate(all="ignore"):
            law = getattr(values, name)(g)
        if not np.all(np.isfinite(law)) or law.min() < 0.0:
            worst = g[np.argmin(np.where(np.isfinite(law), law, -np.inf))]
            yield f"{name} is negative or not finite at g = {worst:g}; it must hold from 0 to 1"
    yield from _pulse_misfits(values)


def _relaxation_misfits(values: Values) -> Iterator[str]:
    """A law that overflows, or exponents beside it."""
    if values.relaxation is None:
        return
    g, z = np.linspace(0.0, values.g_max, 21)[:, None], np.linspace(-4.0, 4.0, 9)
    with np.errstate(all="ignore"):
        later = [values.relaxation.relaxed(g, values.g_max, t_s, z) for t_s in (1e-3, 1.0, 1e6)]
    if not (np.all(np.isfinite(later)) and np.max(later) <= _FARTHEST * values.g_max):
        yield (
            f"relaxation takes devices from 0 ... {values.g_max:g} uS to {np.max(later):.3g} uS "
            f"within 1e6 s, more than {_FARTHEST:g} g_max; check scale, growth, tail and skew"
        )
    u = np.linspace(0.0, 1.0, 21)
    if np.any(values.nu_mean(u)) or np.any(values.nu_std(u)):
        yield "relaxation stands in place of drift; write nu_mean and nu_std as {constant: 0.0}"


def _temperature_misfits(values: Values) -> Iterator[str]:
    """An activation energy that is none, or an attempt longer than what it is to explain."""
    law = values.temperature
    if law is None:
        return
    with np.errstate(all="ignore"):
        energy_ev = law.energy_ev(np.linspace(0.0, values.g_max, 101))
    if not np.all(np.isfinite(energy_ev)) or energy_ev.min() < 0.0:
        yield f"temperature.activation_ev is negative or not finite up to {values.g_max:g} uS"
    if not law.attempt_s < min(values.t0_s, values.onset_s):
        yield f"temperature.attempt_s = {law.attempt_s:g} s must lie below t0_s and onset_s"


def _pulse_misfits(values: Values) -> Iterator[str]:
    absent = [name for name in PULSE_ENTRIES if getattr(values, name) is None]
    if absent and len(absent) < len(PULSE_ENTRIES):
        yield f"{', '.join(absent)} missing; a pulse model needs {', '.join(PULSE_ENTRIES)}"
    if absent or values.set_pulse is None or values.set_g_min is None or values.set_g_max is None:
        return
    if not values.set_g_min < values.set_g_max:
        yield f"set_g_min < set_g_max is needed; got {values.set_g_min:g}, {values.set_g_max:g} uS"
    g = np.linspace(values.set_g_min, values.set_g_max, 101)
    with np.errstate(all="ignore"):
        laws = [values.set_pulse(g, np.full(101, pulse)) for pulse in (1.0, 1e9)]
    if not np.all(np.isfinite(laws)) or min(std.min() for _, std in laws) < 0.0:
        yield "set_pulse is not finite or its spread is negative between set_g_min and set_g_max"


def _wrong_units(candidate: ParameterSet) -> Iterator[str]:
    """Units other than those the values are taken in; nothing is converted."""
    for name, entry in candidate.entries.items():
        wanted = _UNITS.get(name, "1")
        if entry.unit not in (wanted, "µS" if wanted == "uS" else wanted):
            yield f"{name} has the unit {entry.unit!r}; write the value in {wanted!r}"


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    if not first["loc"]:
        return "it is no set; a set has name, title, source and entries"
    if str(first["loc"][0]) in _LAW_NAMES:
        return f"{first['loc'][0]} is not a law; a law is one of {_LAWS}"
    if first["loc"][0] == "set_pulse":
        return f"set_pulse is not a law; it is one of {_SET_PULSES}, all of them finite numbers"
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{path} is missing; add it with value, unit and source"
    return f"{path} = {first['input']!r:.60}: {first['msg'][0].lower()}{first['msg'][1:]}"
