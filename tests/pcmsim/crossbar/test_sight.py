"""A look at a matrix, tile by tile, against its plain twin: all parts first, then whole arrays."""

import numpy as np
import pytest

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip
from pcmsim.crossbar.mapping import pair_difference, pair_variance
from pcmsim.crossbar.wires import wired
from pcmsim.devices import standard_normal
from pcmsim.rng import stream

W = np.random.default_rng(0).normal(0.0, 0.3, (20, 13))


def whole(chip, parts):
    """Arrays of tiles as one."""
    matrix = chip.matrices["w"]
    array = np.empty((2, chip.hardware.pairs, *W.shape), parts[0].dtype)
    for tile, part in zip(matrix.tiles, parts, strict=True):
        array[:, :, slice(*tile.rows), slice(*tile.columns)] = part
    return array


def behind_wires(chip, g):
    ohm = chip.hardware.wire_ohm
    if not ohm:
        return g
    return np.stack([wired(array, ohm) for array in g.reshape(-1, *g.shape[2:])]).reshape(g.shape)


def plainly(chip):
    """Weights, variance, conductances and their standard deviation, from whole arrays."""
    matrix, reading = chip.matrices["w"], chip.reading
    scale = matrix.scale.astype(chip.dtype)
    shown = [
        reading.persistent("w", i, state, chip.clock.now_s) for i, state in enumerate(matrix.states)
    ]
    behind = [behind_wires(chip, g) for g in shown]
    weight = pair_difference(whole(chip, behind)) * scale
    if chip.hardware.read_noise != "correlated":
        return weight, None, whole(chip, shown), None
    stds, fresh = (
        whole(chip, [reading.fresh_std(s, g) for s, g in zip(matrix.states, gs, strict=True)])
        for gs in (shown, behind)
    )
    return weight, pair_variance(fresh**2) * scale**2, whole(chip, shown), stds


@pytest.mark.parametrize("noise", ["none", "marginal", "correlated"])
@pytest.mark.parametrize("pairs", [1, 3])
@pytest.mark.parametrize(("wire_ohm", "tile_columns"), [(0.0, 5), (0.0, 256), (2.0, 5)])
def test_tile_by_tile_and_from_whole_arrays_the_same_is_seen(noise, pairs, wire_ohm, tile_columns):
    """To the bit, every column with a scale of its own."""
    hardware = Hardware(
        read_noise=noise,
        pairs=pairs,
        wire_ohm=wire_ohm,
        tile_columns=tile_columns,
        tile_rows=8,
        scale="column",
    )
    chip = Chip(hardware, 1)
    chip.program("w", W)
    chip.clock.wait(3600.0)
    weight, variance, g, std = plainly(chip)
    chip.address_reads("now")
    read = chip.read("w")
    if variance is None:
        np.testing.assert_array_equal(read, g)
        np.testing.assert_array_equal(chip.weights("w"), weight)
        return
    xi = standard_normal(stream(1, "read", "w", "now"), g.shape)
    np.testing.assert_array_equal(read, np.maximum(g + std * xi, 0))
    chip.address_reads("again")
    xi = standard_normal(stream(1, "read", "w", "again"), W.shape)
    np.testing.assert_array_equal(chip.weights("w"), weight + xi * np.sqrt(variance))
