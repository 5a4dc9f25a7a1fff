r"""Inference as it is deployed: one step after another, on a chip whose clock runs.

A step takes the product of every matrix once, each at a time of its own, so the 1/f noise of the
devices is a process over the whole stream: products a moment apart share its slow part, and no
average over the stream removes what did not change in it. `evaluate` sees all products of a split
at one instant of the clock, with one value of the slow noise of each device. A convolution takes
one product for each pixel in turn, which see the devices as they are when the first begins.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pcmsim.crossbar import Chip, Readout
from pcmsim.datasets import Batch, Sequences
from pcmsim.errors import UsageError
from pcmsim.loop import judging
from pcmsim.loop.evaluation import ActivityProbe, Evaluation
from pcmsim.loop.measured import measured
from pcmsim.loop.pace import Pace, check_seconds
from pcmsim.networks import Multiply, SpikingNetwork


@dataclass(frozen=True)
class Streamed:
    """What a stream has found, and how long it took on the clock of the chip [s]."""

    evaluation: Evaluation
    seconds: float


def stream_s(
    network: SpikingNetwork,
    split: Sequences,
    multiply_s: float,
    *,
    step_s: float = 0.0,
    gap_s: float = 0.0,
) -> float:
    r"""Simulated time that `stream` takes [s].

    :math:`\sum_i T_i \max(` `step_s` :math:`, m` `multiply_s` :math:`) + (n - 1)` `gap_s`, for n
    sequences of :math:`T_i` predicted steps and m products per step: one for each matrix, or for
    each pixel of a convolution. Raises `UsageError` for times that are
    negative or not finite.

    >>> from pcmsim.config import Network
    >>> import numpy as np
    >>> from pcmsim.datasets import Split
    >>> split = Split("test", (np.zeros((3, 88), np.uint8), np.zeros((5, 88), np.uint8)))
    >>> stream_s(SpikingNetwork(Network(unit="snu")), split, 1e-6, step_s=0.5, gap_s=1.0)
    4.0
    """
    check_seconds("step_s", step_s)
    check_seconds("gap_s", gap_s)
    steps = sum(split.steps())
    longest_s = max(step_s, sum(network.products().values()) * multiply_s)
    return steps * longest_s + max(len(split) - 1, 0) * gap_s


def stream(
    network: SpikingNetwork,
    chip: Chip,
    split: Sequences,
    factor: Readout | None = None,
    *,
    step_s: float = 0.0,
    gap_s: float = 0.0,
    on_sequence: Callable[[], None] | None = None,
) -> Streamed:
    """Let `network` predict the sequences of `split` one after another, its products on `chip`.

    Sequences come in their order, each from the state at rest, with `gap_s` [s] between the end
    of one and the start of the next. A product sees the devices at the time it begins, takes
    `hardware.timing.multiply_s` of the chip's clock, and is multiplied with the compensation
    `factor` if one is given (see `pcmsim.crossbar.factors`). Inputs arrive every `step_s` [s]: a
    step lasts that long, or as long as its products take if that is longer, the default.
    `on_sequence` is called after each sequence.

    Nothing on the chip but its clock and its streams of chance moves. Two streams, of which the
    second goes on where the first ended, find what one stream finds. Use a chip that is looked at
    `often`: on another every product costs a look at all devices.

    Raises `UsageError` for a split without sequences, times that are negative or not finite, or a
    matrix that is not on the chip, before any time has passed.
    """
    if not len(split):
        raise UsageError(f"split {split.name} has no sequences; there is nothing to stream")
    _check_matrices(network, chip)
    pace = Pace(chip.clock, chip.hardware.timing.multiply_s, step_s, gap_s)
    multiply = pace.timed(measured(chip, factor))
    probe, errors, counts = ActivityProbe(), [], []
    with torch.no_grad():
        for i in range(len(split)):
            if i:
                pace.end_sequence()
            batch = split.batch([i])
            errors.append(_error(network, batch, multiply, pace, probe))
            counts.append(int(judging.count(network, batch).sum()))
            if on_sequence is not None:
                on_sequence()
    averages = [e / n for e, n in zip(errors, counts, strict=True) if n]
    found = Evaluation(
        per_step=math.fsum(errors) / sum(counts),
        per_sequence=math.fsum(averages) / len(averages),
        activity=probe.total / probe.count,
    )
    return Streamed(found, pace.elapsed_s)


def _error(
    network: SpikingNetwork, batch: Batch, multiply: Multiply, pace: Pace, probe: ActivityProbe
) -> float:
    """What a network scores on one sequence; its steps take their time."""
    states = network.rest()
    logits: list[Tensor] = []
    outputs: list[list[Tensor]] = [[] for _ in network.hidden]
    error = 0.0
    for t, x in enumerate(judging.inputs(batch).unbind(0)):
        states, answer = network.step(states, x, multiply)
        pace.end_step()
        if batch.kind == "words":
            now = judging.steps_of(batch, slice(t, t + 1))
            error += float(judging.score(network, answer[None], now))
        else:
            logits.append(answer)
        # The readout may have a state too, which comes last.
        for name, layer, state in zip(network.hidden, outputs, states, strict=False):
            layer.append(network.sent(name, state.output[None])[0])
    probe.mask = torch.from_numpy(batch.mask)
    for layer in outputs:
        probe(torch.stack(layer))
    return float(judging.score(network, torch.stack(logits), batch)) if logits else error


def _check_matrices(network: SpikingNetwork, chip: Chip) -> None:
    missing = [name for name in network.matrices() if name not in chip.matrices]
    if missing:
        raise UsageError(
            f"no matrix {missing[0]!r} on this chip, which holds {sorted(chip.matrices)}; "
            "write the network onto it first"
        )
