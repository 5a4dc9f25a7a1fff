import numpy as np
import pytest

from pcmsim.config import Hardware
from pcmsim.crossbar.mapping import (
    pair_difference,
    pair_targets,
    pair_variance,
    tiles,
    weight_scale,
)
from pcmsim.devices import load_parameter_set
from pcmsim.errors import UsageError

VALUES = load_parameter_set("pcm-gst-90nm").values
WEIGHT = np.random.default_rng(0).normal(0.0, 0.4, (30, 20))


@pytest.mark.parametrize("scale", ["matrix", "column"])
@pytest.mark.parametrize("pairs", [1, 3])
def test_pairs_give_the_weights_back(scale, pairs):
    hardware = Hardware(scale=scale, pairs=pairs)
    s = weight_scale(WEIGHT, VALUES, hardware)
    g = pair_targets(WEIGHT, s, VALUES.g_max, pairs)
    assert g.shape == (2, pairs, 30, 20)
    assert g.min() >= 0.0
    np.testing.assert_allclose(pair_difference(g) * s, WEIGHT, rtol=1e-12)


def test_one_side_of_each_pair_stays_in_reset():
    g = pair_targets(WEIGHT, weight_scale(WEIGHT, VALUES, Hardware()), VALUES.g_max, 1)
    assert np.all(np.minimum(g[0], g[1]) == 0.0)
    assert np.all((g[0, 0] > 0) == (WEIGHT > 0))


def test_the_largest_weight_meets_g_max():
    whole = pair_targets(WEIGHT, weight_scale(WEIGHT, VALUES, Hardware()), VALUES.g_max, 1)
    assert whole.max() == pytest.approx(25.0)
    assert np.sum(np.isclose(whole, 25.0)) == 1
    columns = weight_scale(WEIGHT, VALUES, Hardware(scale="column"))
    by_column = pair_targets(WEIGHT, columns, VALUES.g_max, 1)
    np.testing.assert_allclose(by_column.max(axis=(0, 1, 2)), 25.0)


def test_clipping_is_at_root_mean_squares_of_the_weights():
    s = weight_scale(WEIGHT, VALUES, Hardware(clip_std=2.0))
    rms = np.sqrt(np.mean(WEIGHT**2))
    np.testing.assert_allclose(s * 25.0, 2.0 * rms)
    g = pair_targets(WEIGHT, s, VALUES.g_max, 1)
    np.testing.assert_allclose(pair_difference(g) * s, np.clip(WEIGHT, -2 * rms, 2 * rms))
    wide = weight_scale(WEIGHT, VALUES, Hardware(clip_std=50.0))
    np.testing.assert_allclose(wide * 25.0, np.abs(WEIGHT).max())


@pytest.mark.parametrize("weight", [np.full((7, 3), 0.5), np.array([[0.5, -0.2, 0.1]]), WEIGHT + 3])
def test_a_column_far_from_zero_is_not_clipped_to_its_spread(weight):
    """Its root mean square is its size, whatever its standard deviation about the mean."""
    s = weight_scale(weight, VALUES, Hardware(scale="column", clip_std=2.0))
    g = pair_targets(weight, s, VALUES.g_max, 1)
    np.testing.assert_allclose(pair_difference(g) * s, weight, rtol=1e-12)


def test_a_column_of_zeros_stays_zero():
    weight = WEIGHT.copy()
    weight[:, 4] = 0.0
    s = weight_scale(weight, VALUES, Hardware(scale="column"))
    assert np.all(np.isfinite(s))
    assert np.all(pair_targets(weight, s, VALUES.g_max, 1)[:, :, :, 4] == 0.0)


def test_a_variance_of_independent_devices_is_that_of_their_mean_difference():
    """Monte Carlo of 40,000 draws within four standard errors."""
    rng = np.random.default_rng(1)
    var = rng.uniform(0.5, 2.0, (2, 3, 2, 2))
    draws = rng.standard_normal((40_000, 2, 3, 2, 2)) * np.sqrt(var)
    found = np.stack([pair_difference(d) for d in draws]).var(axis=0)
    expected = pair_variance(var)
    np.testing.assert_allclose(found, expected, rtol=4 * np.sqrt(2 / 40_000))


@pytest.mark.parametrize("shape", [(300, 88), (256, 256), (1000, 3), (1, 1), (257, 513)])
def test_tiles_cover_every_cell_once_and_respect_the_maximum(shape):
    seen = np.zeros(shape, int)
    for tile in tiles(shape, 256, 128):
        seen[tile.index] += 1
        assert tile.rows[1] - tile.rows[0] <= 256
        assert tile.columns[1] - tile.columns[0] <= 128
    assert np.all(seen == 1)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.array([[1.0, np.nan], [0.0, 1.0]]), r"\[0, 1\] = nan"),
        (np.array([[1.0, 0.0], [np.inf, 1.0]]), r"\[1, 0\] = inf"),
        (np.ones(3), "must be a matrix"),
        (np.ones((0, 3)), "must be a matrix"),
    ],
)
def test_weights_that_are_no_matrix_of_numbers_are_refused(weight, message):
    with pytest.raises(UsageError, match=message):
        weight_scale(weight, VALUES, Hardware())


@pytest.mark.parametrize("dtype", [None, np.float32, np.float64])
def test_targets_are_the_clipped_weights_by_sign_and_leave_the_weights_alone(dtype):
    """To the bit as from whole arrays; without a type they keep that of the weights and scale."""
    before, scale = WEIGHT.copy(), np.full(20, 0.03)
    g = pair_targets(WEIGHT, scale, 25.0, 2, dtype)
    signed = np.clip(WEIGHT / scale, -25.0, 25.0)
    expected = np.stack([np.maximum(signed, 0.0), np.maximum(-signed, 0.0)])
    expected = np.repeat(expected[:, None], 2, axis=1).astype(dtype or np.float64)
    assert (np.abs(signed) == 25.0).any()
    assert g.dtype == expected.dtype
    np.testing.assert_array_equal(g, expected)
    np.testing.assert_array_equal(WEIGHT, before)
