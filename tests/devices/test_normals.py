import numpy as np
import pytest
from scipy import stats

from pcmsim.devices import standard_normal
from pcmsim.devices.normals import box_muller
from pcmsim.rng import stream


def test_fast_normals_pass_a_kolmogorov_smirnov_test():
    draws = standard_normal(stream(1, "normals"), (1_000_001,))
    assert stats.kstest(draws, "norm").pvalue > 1e-3


def test_their_moments_and_tails_are_gaussian():
    """Four standard errors: variance √(2/n), fourth moment √(96/n), counts beyond 4σ √(np)."""
    draws = standard_normal(stream(2, "normals"), (4_000_000,)).astype(np.float64)
    n = draws.size
    assert abs(draws.mean()) < 4 / np.sqrt(n)
    assert abs(draws.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((draws**4).mean() - 3) < 4 * np.sqrt(96 / n)
    expected = 2 * stats.norm.sf(4.0) * n
    assert abs(np.sum(np.abs(draws) > 4) - expected) < 4 * np.sqrt(expected)


def test_neighbours_do_not_know_each_other():
    draws = standard_normal(stream(3, "normals"), (1_000_000,)).astype(np.float64)
    for lag in (1, 2, 500_000):
        assert abs(np.mean(draws[:-lag] * draws[lag:])) < 4 / np.sqrt(draws.size - lag)


def test_the_kernel_is_box_and_muller_in_double_precision():
    """Where the radius is not next to zero; single precision leaves 1e-6."""
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32)
    out = np.empty(bits.size, np.float32)
    box_muller(bits, out)
    u = ((bits[:10_000] >> 8).astype(np.float64) + 0.5) * 2.0**-24
    angle = bits[10_000:].view(np.int32).astype(np.float64) * 2.0**-32 * 2 * np.pi
    radius = np.sqrt(-2 * np.log(u))
    far = radius > 0.01
    np.testing.assert_allclose(out[:10_000][far], (radius * np.cos(angle))[far], atol=5e-6)
    np.testing.assert_allclose(out[10_000:][far], (radius * np.sin(angle))[far], atol=5e-6)


@pytest.mark.parametrize("shape", [(1,), (3, 5), (0,)])
def test_any_shape_comes_back(shape):
    for dtype in (np.float32, np.float64):
        draws = standard_normal(stream(4, "normals"), shape, dtype)
        assert draws.shape == shape
        assert draws.dtype == dtype
