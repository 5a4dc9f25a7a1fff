"""The network: its layers, the spiking unit they are made of, and its readout."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pcmsim.config.base import Count, Fraction, NotNegative, Section
from pcmsim.config.convolution import Convolution, Image, extents
from pcmsim.config.surrogate import Surrogate

UnitName = Literal["snu", "ssnu", "li_snu", "asnu", "lif", "alif"]
Threshold = Annotated[float, Field(ge=-1e6, le=1e6)]
# Strictly between the ends, where a decay that is trained has a logit.
Decay = Annotated[float, Field(gt=0.0, lt=1.0)]
TimeConstant = Annotated[float, Field(ge=0.1, le=1e6)]
# Smallest and largest of a uniform draw, one for each unit [steps].
TimeConstants = Annotated[tuple[TimeConstant, TimeConstant], Field(strict=False)]

# Further out weights are all threshold, or all noise, in single precision.
Xi = Annotated[float, Field(ge=1e-3, le=1e3)]

_STEPPED = ("snu", "li_snu", "asnu", "lif", "alif")
_INTEGRATING = ("lif", "alif")
# Keys that only some units have.
BELONGS: dict[str, tuple[str, ...]] = {
    "activation": ("snu", "ssnu", "li_snu", "asnu"),
    "surrogate": _STEPPED,
    "adaptation": ("asnu", "alif"),
}
# Keys that have kinds, told apart by a name that may be written alone.
_NAMED = ("surrogate", "readout", "initial")


def _decay_or_constants(values: Any, decay: float) -> Any:
    """Copy of `values` with `decay` filled in, unless time constants say it already."""
    if not isinstance(values, dict) or values.get("time_constants") is not None:
        return values
    return values | {"decay": decay if values.get("decay") is None else values["decay"]}


def _alone(value: Any, info: ValidationInfo) -> Any:
    if value is not None and info.data.get("decay") is not None:
        raise ValueError("decay says the same; leave one of the two out")
    if value is not None and not value[0] <= value[1]:
        raise ValueError("the first must not be above the second")
    return value


class Adaptation(Section):
    """The threshold rises by `strength` times a trace of the unit's spikes.

    The trace keeps `decay` of itself per step; with `time_constants` [steps] each unit starts from
    exp(-1/τ), τ drawn uniformly between the two.
    """

    strength: NotNegative
    decay: Decay | None = None
    time_constants: TimeConstants | None = None

    _one_way = field_validator("time_constants")(_alone)

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        return _decay_or_constants(values, 0.9)


class DenseReadout(Section):
    """Logits x W + bias, without state."""

    name: Literal["dense"] = "dense"


class SpikingReadout(Section):
    """A layer of the same units, feed-forward; what it puts out is the answer."""

    name: Literal["spiking"] = "spiking"


class LeakyReadout(Section):
    """Logits that leak: o_t = a o_{t-1} + (1 - a) (x W + bias), a trained for each output."""

    name: Literal["leaky"] = "leaky"
    decay: Decay | None = None
    time_constants: TimeConstants | None = None

    _one_way = field_validator("time_constants")(_alone)

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        return _decay_or_constants(values, 0.9)


ReadoutKind = Annotated[DenseReadout | SpikingReadout | LeakyReadout, Field(discriminator="name")]


class Glorot(Section):
    """Uniform within sqrt(6 / (inputs + outputs)) (Glorot and Bengio, PMLR 9, 249)."""

    name: Literal["glorot"] = "glorot"


class Fluctuation(Section):
    """Weights with which potentials have the root mean square threshold / xi, spikes left aside.

    Measured on the first `sequences` of the training split; see `pcmsim.networks.fluctuation`.
    `recurrent_share` is the share of the mean square that recurrent connections bring, where there
    are any.
    """

    name: Literal["fluctuation"] = "fluctuation"
    xi: Xi = 2.0
    recurrent_share: Fraction = 0.1
    sequences: Count = 100


Initial = Annotated[Glorot | Fluctuation, Field(discriminator="name")]


class Network(Section):
    """Layer sizes and the unit; what is left out is filled in as the unit has it.

    Units: Wozniak et al., doi:10.1038/s42256-020-0187-0, and `pcmsim.networks.units`. With
    `trained_decay` (the default of lif and alif) each unit trains decays of its own, that of the
    adaptation included; they start at `decay`, or at exp(-1/τ) with τ drawn uniformly between the
    two `time_constants` [steps]. `initial` says how wide the weights are before training.

    `convolutions` come before the `hidden` layers, which alone are `recurrent`; they need the
    `image` that the inputs are: channels, height and width.

    With an `embedding` inputs are numbers of words, and the first layer receives that many trained
    values for each; `tied` uses one table for them and for the readout, whose columns they then are
    (Press and Wolf, arXiv:1608.05859).
    """

    unit: UnitName
    inputs: Count = 88
    image: Image | None = None
    convolutions: Annotated[tuple[Convolution, ...], Field(strict=False)] = ()
    hidden: Annotated[tuple[Count, ...], Field(strict=False)] = (150,)
    outputs: Count = 88
    recurrent: bool = False
    trained_decay: bool = False
    decay: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    time_constants: TimeConstants | None = None
    activation: Literal["identity", "relu", "leaky_relu"] = "identity"
    threshold: Threshold = 1.0
    surrogate: Surrogate | None = None
    adaptation: Adaptation | None = None
    readout: ReadoutKind = DenseReadout()
    initial: Initial = Glorot()
    embedding: Count | None = None
    tied: bool = False

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        unit = values.get("unit")
        named = {k: {"name": v} for k, v in values.items() if k in _NAMED and isinstance(v, str)}
        values = _decay_or_constants(values | named, 0.8)
        given = {name: value for name, value in values.items() if value is not None}
        defaults = _defaults(unit)
        if isinstance(given.get("adaptation"), dict):
            given["adaptation"] = defaults.get("adaptation", {}) | given["adaptation"]
        return values | defaults | given

    @field_validator("image")
    @classmethod
    def _whole(cls, value: Any, info: ValidationInfo) -> Any:
        inputs = info.data.get("inputs")
        if value is not None and inputs is not None and math.prod(value) != inputs:
            raise ValueError(
                f"channels x height x width is {math.prod(value)} and network.inputs = {inputs}; "
                f"the two must be the same"
            )
        return value

    @field_validator("convolutions")
    @classmethod
    def _fit(cls, value: tuple[Convolution, ...], info: ValidationInfo) -> tuple[Convolution, ...]:
        image = info.data.get("image")
        if value and "image" in info.data and image is None:
            raise ValueError(
                "they need to know what image the inputs are; write network.image: "
                "[channels, height, width]"
            )
        if image is not None:
            extents(image, value)
        return value

    @field_validator("hidden")
    @classmethod
    def _some_layer(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if not value and info.data.get("convolutions") == ():
            raise ValueError("a network without network.convolutions has one hidden layer or more")
        return value

    @field_validator("activation", "surrogate", "adaptation")
    @classmethod
    def _belongs(cls, value: Any, info: ValidationInfo) -> Any:
        unit, units = info.data.get("unit"), BELONGS[str(info.field_name)]
        if unit is None or unit in units or value in (None, "identity"):
            return value
        raise ValueError(f"unit {unit} has none; leave it out, or choose {', '.join(units)}")

    @field_validator("initial")
    @classmethod
    def _spikes(cls, value: Initial, info: ValidationInfo) -> Initial:
        unit, threshold = info.data.get("unit"), info.data.get("threshold")
        if isinstance(value, Glorot) or unit is None or threshold is None:
            return value
        if unit not in _STEPPED or threshold <= 0.0:
            raise ValueError(
                f"fluctuation is for units that spike above a threshold > 0, and unit {unit} has "
                f"the threshold {threshold:g}; choose {', '.join(_STEPPED)}, or glorot"
            )
        return value

    @field_validator("decay")
    @classmethod
    def _inside(cls, value: float | None, info: ValidationInfo) -> float | None:
        inside = info.data.get("trained_decay") or info.data.get("unit") in _INTEGRATING
        if inside and value is not None and not 0.0 < value < 1.0:
            raise ValueError("a trained decay, and that of lif and alif, must be inside (0, 1)")
        return value

    @field_validator("time_constants")
    @classmethod
    def _trained(cls, value: Any, info: ValidationInfo) -> Any:
        _need_training(value, bool(info.data.get("trained_decay")))
        return _alone(value, info)

    @field_validator("adaptation")
    @classmethod
    def _trained_too(cls, value: Adaptation | None, info: ValidationInfo) -> Adaptation | None:
        if value is not None:
            _need_training(value.time_constants, bool(info.data.get("trained_decay")))
        return value

    @field_validator("embedding")
    @classmethod
    def _words(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("image") is not None:
            raise ValueError("words are no image; leave network.image or network.embedding out")
        return value

    @field_validator("tied")
    @classmethod
    def _fits(cls, value: bool, info: ValidationInfo) -> bool:
        if value:
            _one_table(info.data)
        return value


def _one_table(given: dict[str, Any]) -> None:
    """Refuse a table that cannot be embedding and readout in one; other faults were told before."""
    if {"embedding", "hidden", "inputs", "outputs", "readout"} - given.keys():
        return
    if given["convolutions"]:
        raise ValueError("words are no image; leave network.convolutions or network.tied out")
    size, last = given["embedding"], given["hidden"][-1]
    if size is None:
        raise ValueError(f"there is no embedding to share; write embedding: {last}")
    if size != last:
        raise ValueError(
            f"the embedding has {size} values and the last hidden layer {last} units; one table "
            f"needs as many: write embedding: {last}"
        )
    if given["inputs"] != given["outputs"]:
        raise ValueError(
            f"inputs = {given['inputs']} and outputs = {given['outputs']} are numbers of the same "
            f"words; write the same number twice"
        )
    if given["readout"].name != "dense":
        raise ValueError("the shared table is a dense readout; write readout: dense")


def _need_training(time_constants: Any, trained: bool) -> None:
    if time_constants is not None and not trained:
        raise ValueError("time_constants start decays that are trained; write trained_decay: true")


def _defaults(unit: Any) -> dict[str, Any]:
    """What a unit has unless the configuration says otherwise.

    Threshold and strength of alif: Yin et al. (arXiv:2103.12593). The strength of asnu is a choice
    of this project; none has been published.
    """
    found: dict[str, Any] = {"trained_decay": unit in _INTEGRATING}
    if unit in _STEPPED:
        found["surrogate"] = {"name": "tanh"}
    if unit == "asnu":
        found["adaptation"] = {"strength": 1.0}
    if unit == "alif":
        found |= {"threshold": 0.1, "adaptation": {"strength": 1.8}}
    return found
