"""Training with the hardware in the loop: where it starts, its update rules and its phases."""

from typing import Annotated, Literal

from pydantic import Field

from pcmsim.config.base import Count, Fraction, NotNegative, Positive, Rate, Seconds, Section
from pcmsim.config.software import Training

# A smaller step would ask for pulses by the million.
Step = Annotated[float, Field(ge=1e-2, le=1e3, allow_inf_nan=False)]


class Accumulate(Section):
    """Mixed precision: changes add up in software, whole steps of `g_step` [µS] become pulses."""

    name: Literal["accumulate"]
    g_step: Step = 0.75


class Stochastic(Section):
    """A single pulse with a probability in proportion to the change, certain at `g_scale` [µS]."""

    name: Literal["stochastic"]
    g_scale: Step = 0.75


class RoundRobin(Section):
    """As `accumulate`, with the pairs of a weight (`hardware.pairs`) taking turns."""

    name: Literal["round_robin"]
    g_step: Step = 0.75


class Reprogram(Section):
    """Weights whose accumulated change reaches `g_threshold` [µS] are programmed again.

    A device counts as stuck if it reads more than `g_stuck` [µS] above its target or as much below
    half of it, if it was told `g_stuck` and is in RESET, or if it was told RESET and reads more
    than half of `g_stuck`.
    """

    name: Literal["reprogram"]
    g_threshold: Positive = 1.0
    g_stuck: Positive = 6.0


class Digital(Section):
    """Devices are left alone; thresholds, biases and gains learn."""

    name: Literal["digital"]


Rule = Annotated[
    Accumulate | Stochastic | RoundRobin | Reprogram | Digital, Field(discriminator="name")
]


class Refresh(Section):
    """Pairs above `g_above` whose difference is below `g_difference` [µS] are written anew.

    Looked for every `every` batches.
    """

    g_above: Positive = 9.0
    g_difference: Positive = 2.25
    every: Count = 50


class Phase(Section):
    """A stretch of training in the loop; before each epoch the chip is left alone for `wait_s` [s].

    So the network meets its devices at several ages; after each wait one factor per matrix restores
    what drift has taken. `learning_rate` is that of the weights, `digital_learning_rate` that of
    thresholds and biases, `gain_learning_rate` that of a gain per column; all fall along half a
    cosine within the phase.
    """

    rule: Rule
    epochs: Count
    wait_s: Seconds = 0.0
    learning_rate: Rate = 1e-3
    digital_learning_rate: Rate = 1e-3
    gain_learning_rate: Annotated[float, Field(ge=0.0, le=1e3, allow_inf_nan=False)] = 0.0


class Aware(Section):
    """Training in software on devices drawn anew for every batch: where the loop may start.

    Every batch sees programming error, read noise and drift to an age between 1 s and `longest_s`,
    log-uniform and compensated by one factor; `faults` is the share of the parameter set's faults
    that is drawn too. Each column of a matrix is held within `clip_rms` of its root mean squares,
    given for each matrix in turn, the last one for all that follow. `start` is the network trained
    in software or new weights.
    """

    training: Training
    start: Literal["scratch", "software"] = "scratch"
    clip_rms: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)] = (3.0, 2.0)
    longest_s: Annotated[float, Field(ge=1.0, le=1e12, allow_inf_nan=False)] = 345600.0
    faults: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


class Loop(Section):
    """Training with the hardware in the loop, on each of `chips` independently drawn chips.

    It starts from the network trained in software, or from the one of `aware` if there is that
    section. With `clip_rms` each column of its matrices is first held within so many of its root
    mean squares, as in `aware`, in place of the clipping of the hardware section. The chip is
    programmed, then `corrections` times left alone for `settle_s` [s] and read back (the mean of
    `correction_reads`), and pairs that are off by `g_correction` [µS] or more are written again.
    Then come the `phases`. A parameter set whose time counts from the last pulse needs `settle_s`
    near its t0, for before that its devices show more than they were told.

    `forward` is "multiply", every product measured on the arrays, or "readback", conductances read
    every `readback_every` batches and products computed with them. `compensation` lists what is
    evaluated at `times_s` after training; `calibration` is the number of training sequences that
    "affine" compensation is fitted on. A checkpoint is written every `checkpoint_minutes`.
    """

    phases: Annotated[tuple[Phase, ...], Field(min_length=1, strict=False)]
    chips: Annotated[int, Field(ge=1, le=1000)] = 4
    clip_rms: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)] | None = None
    batch_size: Count = 1
    weight_decay: NotNegative = 0.0
    dropout: Fraction = 0.0
    corrections: Annotated[int, Field(ge=0, le=1000)] = 0
    correction_reads: Annotated[int, Field(ge=1, le=1000)] = 1
    settle_s: Seconds = 0.0
    g_correction: Positive = 0.5
    g_stuck: Positive = 6.0
    refresh: Refresh | None = None
    forward: Literal["multiply", "readback"] = "multiply"
    readback_every: Count = 1
    compensation: Annotated[
        tuple[Literal["none", "global", "column", "affine"], ...],
        Field(min_length=1, strict=False),
    ] = ("none", "global")
    calibration: Count = 8
    times_s: Annotated[tuple[Seconds, ...], Field(min_length=1, strict=False)] = (
        0.0,
        3600.0,
        86400.0,
        345600.0,
    )
    checkpoint_minutes: NotNegative = 5.0
