"""Temperature of a chip over time."""

from typing import Annotated

from pydantic import Field

from pcmsim.config.base import Section


class Temperature(Section):
    """A constant temperature [°C]."""

    celsius: Annotated[float, Field(allow_inf_nan=False)] | None = None
