"""How weights are written onto devices and read, and how long that takes."""

from typing import Annotated, Literal

from pydantic import Field

from pcmsim.config.base import Bits, Count, Positive, Seconds, Section


class Timing(Section):
    """Simulated time that operations of an array take [s]; the arrays of a chip take turns.

    `multiply_s` is the time of one input vector, `read_s` of one row of devices read back,
    `pulse_s` of one pulse with its addressing, `program_s` of one device where programming is
    statistical. A write-verify loop has times of its own.
    """

    multiply_s: Seconds = 1e-6
    read_s: Seconds = 1e-6
    pulse_s: Seconds = 1e-6
    program_s: Seconds = 1e-5


class Verify(Section):
    """Closed-loop programming: pulse, wait, read, correct, until within `g_tolerance` [µS].

    `backend` "melt" answers a read with another melt-quench pulse, "set" accumulates SET pulses
    and starts again from RESET when it has overshot. `gain` is the share of the error that a
    melt-quench pulse corrects, `reads` the number of verify reads that are averaged, `wait_s` the
    time from pulse to read, and `parallel` how many devices of an array are written at once.
    """

    backend: Literal["melt", "set"] = "melt"
    g_tolerance: Positive = 0.8
    max_iterations: Annotated[int, Field(ge=1, le=10_000)] = 30
    gain: Annotated[float, Field(gt=0.0, le=1.0)] = 0.35
    reads: Annotated[int, Field(ge=1, le=10_000)] = 1
    wait_s: Seconds = 1e-3
    pulse_s: Seconds = 1e-7
    read_s: Seconds = 1e-6
    adc_bits: Bits | None = 8
    parallel: Count = 128


class Hardware(Section):
    """How weights are written onto devices and read; `device` is a parameter set or its file.

    Converters have `input_bits` and `output_bits`, None being exact; outputs saturate at
    `output_bound` times the largest weight of their column. `wire_ohm` is the resistance of a
    wire segment [Ω]. `programming` is "statistical", one draw of the published spread, or
    "verify", the closed loop described by `verify`.

    `driver` names what opens the arrays for training with the hardware in the loop: an import path
    `package.module:function` or an entry point of the group `pcmsim.drivers`; without one they are
    simulated. A call of a driver that takes longer than `timeout_s` has failed.
    """

    device: str = "pcm-gst-90nm"
    clip_std: Annotated[float, Field(ge=0.1, allow_inf_nan=False)] | None = None
    scale: Literal["matrix", "column"] = "matrix"
    pairs: Annotated[int, Field(ge=1, le=256)] = 1
    tile_rows: Count = 256
    tile_columns: Count = 256
    read_noise: Literal["correlated", "marginal", "none"] = "correlated"
    input_bits: Bits | None = None
    output_bits: Bits | None = None
    output_bound: Positive = 10.0
    wire_ohm: Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)] = 0.0
    programming: Literal["statistical", "verify"] = "statistical"
    verify: Verify = Verify()
    timing: Timing = Timing()
    driver: str | None = None
    timeout_s: Positive = 30.0
