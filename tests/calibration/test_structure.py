"""Fits to means and covariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pcmsim.calibration.clipped import clipped_mean, clipped_product, clipped_square
from pcmsim.calibration.clusters import clustered
from pcmsim.calibration.pairwise import pairwise
from pcmsim.calibration.regression import regress
from pcmsim.calibration.structure import fit_structure
from pcmsim.errors import DataError

ONE, EYE = np.ones(4), np.eye(4)
NAMES = ("mean", "between", "within")
FINITE = st.floats(-10.0, 10.0)


def model(theta):
    return theta[0] * ONE, theta[1] * np.outer(ONE, ONE) + theta[2] * EYE


def rows_of(seed, n=200, missing=0.0):
    """Skewed devices: the likelihood is Gaussian, the truth is not."""
    rng = np.random.default_rng(seed)
    rows = 5.0 + rng.gamma(1.0, 0.5, (n, 1)) + rng.normal(0.0, 0.3, (n, 4))
    rows[rng.random(rows.shape) < missing] = np.nan
    return rows


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(arrays(float, (6, 3), elements=FINITE), arrays(float, (5, 3), elements=FINITE))
def test_sums_of_parts_are_the_sums_of_the_whole(a, b):
    whole = pairwise(np.concatenate([a, b]), 0.5)
    parts = pairwise(a, 0.5) + pairwise(b, 0.5)
    np.testing.assert_allclose(parts.mean, whole.mean, atol=1e-9)
    np.testing.assert_allclose(parts.covariance, whole.covariance, atol=1e-8)


def test_complete_rows_have_the_usual_mean_and_covariance():
    rows = rows_of(0)
    sums = pairwise(rows)
    np.testing.assert_allclose(sums.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(sums.covariance, np.cov(rows.T, bias=True), rtol=1e-9)


def test_reads_that_never_meet_are_refused():
    with pytest.raises(DataError, match="no device has both read 1 and read 2"):
        pairwise(np.array([[1.0, np.nan], [np.nan, 2.0]])).check()


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_errors_are_honest_although_the_devices_are_not_gaussian(missing):
    truth = np.array([5.5, 0.25, 0.09])
    z = []
    for seed in range(200):
        estimate = fit_structure(rows_of(seed, missing=missing), model, truth, NAMES).estimate
        z.append((estimate.values - truth) / estimate.stderrs)
    # 200 fits: the standard error of a mean z is 0.07, of their spread 0.05.
    assert np.all(np.abs(np.mean(z, axis=0)[[0, 2]]) < 0.28)
    assert np.all(np.abs(np.std(z, axis=0)[[0, 2]] - 1.0) < 0.2)


def test_rows_that_are_told_twice_do_not_make_a_fit_surer():
    h = np.random.default_rng(0).normal(size=(300, 2))
    once = clustered([(np.arange(300), h)])
    both = clustered([(np.arange(300), h), (np.arange(300), h)])
    np.testing.assert_allclose(both[:2, 2:], once)


def test_moments_of_clipped_gaussians_are_those_of_a_fine_grid():
    z = np.linspace(-12.0, 12.0, 200_001)
    weights = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) * (z[1] - z[0])
    for mean, std in ((1.0, 0.7), (0.2, 1.0), (-0.5, 0.4)):
        x = np.maximum(0.0, mean + std * z)
        np.testing.assert_allclose(clipped_mean(mean, std), weights @ x, rtol=1e-6)
        np.testing.assert_allclose(clipped_square(mean, std), weights @ x**2, rtol=1e-6)


def test_the_product_of_two_clipped_gaussians_is_that_of_a_grid():
    std, r = np.array([0.5, 1.1]), 0.65
    z = np.linspace(-9.0, 9.0, 1501)
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) * (z[1] - z[0])
    first = np.maximum(0.0, 1.0 + std[0] * z)[:, None]
    second = np.maximum(0.0, 1.0 + std[1] * (r * z[:, None] + np.sqrt(1 - r**2) * z))
    expected = density @ (first * second) @ density
    found = clipped_product(std, np.array([[1.0, r], [r, 1.0]]))[0, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_parameter_that_nothing_depends_on_is_named():
    x = np.arange(5.0)

    def law(theta):
        return np.minimum(theta[0] * x, theta[1])

    found = regress(law, 2.0 * x, 0.01 * np.eye(5), np.array([1.5, 100.0]), ("slope", "clip"), 5)
    assert found.unidentified == ("clip",)
    assert found.estimate["slope"] == pytest.approx(2.0)


def test_p_values_of_a_true_law_are_uniform():
    rng, x = np.random.default_rng(3), np.arange(8.0)
    p = []
    for _ in range(400):
        found = 1.0 + 0.5 * x + rng.normal(0.0, 0.1 * (1.0 + x))
        v = np.diag((0.1 * (1.0 + x)) ** 2)
        law = regress(lambda t: t[0] + t[1] * x, found, v, np.ones(2), ("a", "b"), 8)
        p.append(law.p_value)
    assert abs(np.mean(np.array(p) < 0.1) - 0.1) < 4 * np.sqrt(0.09 / 400)
