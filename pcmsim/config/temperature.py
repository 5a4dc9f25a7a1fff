"""The temperature around a chip, as a configuration says it."""

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from pcmsim.config.base import Positive, Section
from pcmsim.config.formula import evaluated


class Temperature(Section):
    """Exactly one of a constant, a table and a formula; times are those of the chip's clock.

    `celsius` is a constant temperature [°C]; `csv` a file with the columns t_s,temperature_c, each
    temperature [°C] holding from its time [s] on; `formula` gives the temperature [°C] from the
    time t_s [s], evaluated in the middle of steps of `step_s` (600 s unless given). With `period_s`
    table or formula repeat themselves after so long [s].

    >>> Temperature(formula="23 + 3*sin(2*pi*t_s/86400)", period_s=86400.0).step_s
    600.0
    """

    celsius: Annotated[float, Field(gt=-273.15, le=1000.0, allow_inf_nan=False)] | None = None
    csv: Annotated[str, Field(min_length=1)] | None = None
    formula: Annotated[str, Field(min_length=1)] | None = None
    step_s: Positive = 600.0
    period_s: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> "Temperature":
        if (self.celsius, self.csv, self.formula).count(None) != 2:
            raise ValueError("write exactly one of celsius, csv and formula")
        if "step_s" in self.model_fields_set and self.formula is None:
            raise ValueError("step_s belongs to a formula; leave it out")
        if self.period_s is not None and self.celsius is not None:
            raise ValueError("period_s belongs to csv or formula; leave it out")
        if self.formula is not None:
            evaluated(self.formula, np.array([0.5 * self.step_s]))
        return self
