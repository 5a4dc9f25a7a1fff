"""What all sections of a configuration share, and the numbers they are made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
# Single precision ends at 3e38, and a first step of Adam is ten times the rate and more.
Rate = Annotated[float, Field(gt=0.0, le=1e30, allow_inf_nan=False)]
# 30,000 years; noise cannot tell instants apart much later.
Seconds = Annotated[float, Field(ge=0.0, le=1e12, allow_inf_nan=False)]
LARGEST = 65_536
Count = Annotated[int, Field(ge=1, le=LARGEST)]
Bits = Annotated[int, Field(ge=2, le=16)]


class Section(BaseModel):
    """What all sections share: no unknown keys, no silent conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
