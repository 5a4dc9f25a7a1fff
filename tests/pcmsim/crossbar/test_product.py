import numpy as np
import pytest
from scipy import stats

from pcmsim.crossbar.product import add_noise, noisy_product
from pcmsim.rng import stream

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(0.0, 1.0, (12, 5))
STD = RNG.uniform(0.01, 0.3, (12, 5))
X = RNG.uniform(-1.0, 1.0, 12)


def every_device_draws(x, weight, std, rng):
    """The slow twin: each weight draws its own noise for each row of `x`."""
    noisy = weight + std * rng.standard_normal((len(x), *weight.shape))
    return np.einsum("bi,bij->bj", x, noisy)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_draw_per_output_has_the_distribution_of_one_draw_per_device(dtype):
    """Two-sample Kolmogorov-Smirnov per output, and moments against the exact ones."""
    n = 40_000
    x = np.tile(X, (n, 1)).astype(dtype)
    fast = noisy_product(x, WEIGHT.astype(dtype), (STD**2).astype(dtype), stream(1, "fast"))
    slow = every_device_draws(x.astype(float), WEIGHT, STD, np.random.default_rng(2))
    assert fast.dtype == dtype
    for j in range(5):
        assert stats.ks_2samp(fast[:, j], slow[:, j]).pvalue > 1e-3
    variance = X**2 @ STD**2
    for y in (fast.astype(float), slow):
        assert np.all(np.abs(y.mean(axis=0) - X @ WEIGHT) < 4.5 * np.sqrt(variance / n) + 1e-5)
        assert np.all(np.abs(y.var(axis=0) / variance - 1) < 4.5 * np.sqrt(2 / n))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_of_different_outputs_and_rows_is_independent(dtype):
    n = 40_001
    x = np.tile(X, (n, 1)).astype(dtype)
    y = noisy_product(x, WEIGHT.astype(dtype), (STD**2).astype(dtype), stream(3, "fast"))
    correlation = np.corrcoef(y.astype(float).T) - np.eye(5)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(n)
    noise = y[:, 0].astype(float) - y[:, 0].mean()
    for lag in (1, n // 2):
        shared = np.mean(noise[:-lag] * noise[lag:]) / noise.var()
        assert abs(shared) < 4.5 / np.sqrt(n - lag)


def test_without_variance_the_product_is_the_product():
    x = RNG.uniform(0, 1, (7, 12)).astype(np.float32)
    weight = WEIGHT.astype(np.float32)
    np.testing.assert_array_equal(noisy_product(x, weight, None, stream(1, "none")), x @ weight)


def test_an_input_of_zero_reads_nothing_and_adds_no_noise():
    x = np.zeros((3, 12), np.float32)
    y = noisy_product(x, WEIGHT.astype(np.float32), (STD**2).astype(np.float32), stream(1, "z"))
    np.testing.assert_array_equal(y, np.zeros((3, 5)))


def test_every_output_gets_its_own_noise_level_for_odd_sizes_too():
    """Sizes 1 to 5; standard deviations within four standard errors of 20,000 draws."""
    for size in range(1, 6):
        level = np.arange(1.0, size + 1, dtype=np.float32)
        rng, rows = stream(size, "odd"), []
        for _ in range(20_000):
            out = np.zeros(size, np.float32)
            words = rng.bit_generator.random_raw(size // 2 + 1)
            add_noise(words.view(np.uint32), level**2, out)
            rows.append(out)
        np.testing.assert_allclose(np.std(rows, axis=0), level, rtol=4 / np.sqrt(40_000))
