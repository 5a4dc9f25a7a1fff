"""Whether a network and what it computes have room in memory.

A limit that a typing error passes is told in a line; without one the first sign of it would be a
machine that swaps, or a process that the system kills.
"""

import itertools
from collections.abc import Sequence

from pcmsim.config import Config, Network, TruncatedBptt
from pcmsim.errors import UsageError
from pcmsim.loop.evaluation import BATCH_SIZE, ROWS
from pcmsim.networks import shape_text
from pcmsim.networks.window import flat_inputs, windows

# A gigabyte in single precision; gradients and the means of an optimiser take as much each.
MOST_WEIGHTS = 2**28
# Two gigabytes in single precision; a pass with its gradient holds two to three of such arrays.
MOST_VALUES = 2**29


def check_weights(spec: Network) -> None:
    """Refuse a network with more weights than `MOST_WEIGHTS`: `UsageError`.

    >>> check_weights(Network(unit="snu"))
    """
    found = weights(spec)
    if found > MOST_WEIGHTS:
        raise UsageError(
            f"network {shape_text(spec)} has {found:,} weights; {MOST_WEIGHTS:,} are allowed: "
            f"lower network.hidden, or kernels and channels of network.convolutions"
        )


def check_values(config: Config, steps: Sequence[int]) -> None:
    """Refuse batches of sequences of so many `steps` that have no room: `UsageError`."""
    learning, each = config.learning, values_per_step(config.network)
    longest = max(steps)
    held = min(learning.steps, longest) if isinstance(learning, TruncatedBptt) else longest
    evaluated = min(max(BATCH_SIZE * longest, ROWS), len(steps) * longest)
    for key, size in _batches(config).items():
        rows = max(evaluated, min(size, len(steps)) * held)
        if rows * each > MOST_VALUES:
            raise UsageError(
                f"{key} = {size}: network {shape_text(config.network)} has {each:,} inputs and "
                f"outputs of layers per step, {rows * each:,} in {rows:,} steps at once; "
                f"{MOST_VALUES:,} are allowed: lower it, data.steps or the sizes of the network"
            )


def weights(spec: Network) -> int:
    """Weights of all matrices and of the table of words.

    >>> weights(Network(unit="snu", inputs=3, hidden=(4,), outputs=2, recurrent=True))
    36
    """
    sizes = (spec.embedding or flat_inputs(spec), *spec.hidden, spec.outputs)
    dense = sum(a * b for a, b in itertools.pairwise(sizes))
    shared = sum(window.rows * window.spiking.channels for window in windows(spec))
    recurrent = sum(units * units for units in spec.hidden) if spec.recurrent else 0
    table = spec.inputs * spec.embedding if spec.embedding and not spec.tied else 0
    return dense + shared + recurrent + table


def values_per_step(spec: Network) -> int:
    """Inputs and outputs of all layers in a step of one sequence; of convolutions all patches.

    >>> values_per_step(Network(unit="snu", inputs=3, hidden=(4,), outputs=2))
    9
    """
    patches = sum(
        window.pixels * (window.rows + window.spiking.channels) for window in windows(spec)
    )
    first = spec.embedding or flat_inputs(spec)
    return patches + first + sum(spec.hidden) + spec.outputs


def _batches(config: Config) -> dict[str, int]:
    """Sequences at once, by the key that says how many."""
    found = {"training.batch_size": config.training.batch_size}
    if config.aware is not None:
        found["aware.training.batch_size"] = config.aware.training.batch_size
    if config.loop is not None:
        found["loop.batch_size"] = config.loop.batch_size
    return found
