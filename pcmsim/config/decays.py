"""Decays per step, and the time constants that trained ones may start from instead."""

from typing import Annotated, Any

from pydantic import Field, ValidationInfo

# Strictly between the ends, where a decay that is trained has a logit.
Decay = Annotated[float, Field(gt=0.0, lt=1.0)]
TimeConstant = Annotated[float, Field(ge=0.1, le=1e6)]
# Smallest and largest of a uniform draw, one for each unit [steps].
TimeConstants = Annotated[tuple[TimeConstant, TimeConstant], Field(strict=False)]


def decay_or_constants(values: Any, decay: float) -> Any:
    """Copy of `values` with `decay` filled in, unless time constants say it already."""
    if not isinstance(values, dict) or values.get("time_constants") is not None:
        return values
    return values | {"decay": decay if values.get("decay") is None else values["decay"]}


def alone(value: Any, info: ValidationInfo) -> Any:
    """Refuse time constants beside a decay, or in the wrong order."""
    if value is not None and info.data.get("decay") is not None:
        raise ValueError("decay says the same; leave one of the two out")
    if value is not None and not value[0] <= value[1]:
        raise ValueError("the first must not be above the second")
    return value
