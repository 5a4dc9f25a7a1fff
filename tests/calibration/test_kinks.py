"""Errors of lines with flat ends."""

import numpy as np
from campaigns import VALUES

from pcmsim.calibration.kinks import kink_covariance
from pcmsim.calibration.law_fits import LevelTable, fit_clipped_log
from pcmsim.rng import stream

TARGETS = np.array([0.0, 0.25, 0.7, 1.3, 2.2, 3.5, 6.0, 10.0, 15.0, 20.0, 25.0])
# Standard errors of nu_mean of the levels of a campaign of 2,000 devices, rounded.
STDERR = 1e-3 * np.array([3.0, 2.0, 1.2, 0.8, 0.5, 0.35, 0.25, 0.2, 0.2, 0.2, 0.2])


def table_of(nu_mean):
    theta = np.zeros((11, 5))
    theta[:, 3] = nu_mean
    theta[:, 4] = VALUES.nu_std(TARGETS / 25.0) ** 2
    covariance = 1e-12 * np.eye(55)
    at = 5 * np.arange(11) + 3
    covariance[at, at] = STDERR**2
    return LevelTable(TARGETS, theta, covariance, np.diag(covariance).reshape(11, 5), 20_000)


def test_far_from_kinks_the_errors_are_those_of_a_linear_fit():
    """200 draws know a standard error to 5 %."""
    x = np.arange(-8.0, 0.0)
    covariance = 1e-4 * np.eye(8)
    errors = kink_covariance(x, np.array([-1.0, 0.0, 1.5, 5.5]), covariance, np.ones(8))
    middle = np.array([-5.0, -4.0, -3.0, -2.0])
    design = np.stack([middle, np.ones(4)], axis=1)
    expected = np.sqrt(1e-4 * np.diag(np.linalg.inv(design.T @ design)))
    found = np.sqrt(np.diag(errors))
    np.testing.assert_allclose(found[:2], expected, rtol=0.2)
    np.testing.assert_allclose(found[2:], 0.01 / np.sqrt([1.0, 3.0]), rtol=0.2)


def test_order_of_the_levels_does_not_matter():
    x, theta = np.arange(-6.0, 0.0), np.array([-1.0, 0.0, 1.5, 4.5])
    scale = np.diag(np.linspace(1e-4, 2e-4, 6))
    there = kink_covariance(x, theta, scale, np.diag(scale))
    back = kink_covariance(x[::-1], theta, scale[::-1, ::-1], np.diag(scale)[::-1])
    np.testing.assert_allclose(np.diag(there), np.diag(back), rtol=0.35)


def test_a_law_that_rises_has_no_such_errors():
    assert (
        kink_covariance(np.arange(6.0), np.array([1.0, 0.0, 1.0, 4.0]), np.eye(6), np.ones(6))
        is None
    )


def test_intervals_of_a_law_with_a_level_near_a_kink_cover_the_truth():
    """The level at 0.25 µS lies 2 standard errors from the kink. Of 40, 32 and more: 4 deviations.

    Errors from derivatives at the solution cover the slope in 88 % of full campaigns.
    """
    law = VALUES.nu_mean
    truth = np.array([law.slope, law.intercept, law.low, law.high])
    inside = np.zeros(4)
    for seed in range(40):
        noise = STDERR * stream(seed, "levels").standard_normal(11)
        fit = fit_clipped_log(table_of(law(TARGETS / 25.0) + noise), 25.0, "nu_mean")
        estimate = fit.regression.estimate
        inside += np.abs(estimate.values - truth) < 1.96 * estimate.stderrs
    assert inside.min() >= 32
