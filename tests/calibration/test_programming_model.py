"""Moments of later reads given the verify read, against simulated devices."""

import numpy as np
import pytest
from programmed import INSTRUMENT, READ_AFTER_S, VERIFY_AFTER_S, drawn

from pcmsim.calibration.noise_model import spectrum_covariance
from pcmsim.calibration.programming_level import window_of
from pcmsim.calibration.programming_model import Window, at_age, later_moments, placement

# A verify read a second after the pulse, so that it shares slow noise with the later ones.
T_S = np.array([1.0, 3.0, 100.0, 1e5])
NOISE = spectrum_covariance(T_S, 1.0, 1e-3)
G, SPREAD, Q, NU, NU_STD, RISE, OWN = 10.0, 0.8, 0.02, 0.05, 0.01, 0.08, 0.2
N = 3_000_000


@pytest.fixture(scope="module")
def simulated():
    """Verify reads, true conductances, exponents and later reads of devices without a window."""
    rng = np.random.default_rng(0)
    u = rng.normal(G + 0.3, SPREAD, N)
    nu = NU + NU_STD * rng.standard_normal(N) + RISE * (u / G - 1.0)
    noise = Q * G * (rng.standard_normal((N, 4)) @ np.linalg.cholesky(NOISE).T)
    g = (u[:, None] + noise) * (T_S / T_S[0]) ** -nu[:, None]
    g += OWN * rng.standard_normal(g.shape)
    return g[:, 0], u, nu, g[:, 1:]


def window(x, tolerance=0.8, **fields):
    log_age = np.log(T_S[1:] / T_S[0])
    return Window(G, tolerance, x, log_age, np.zeros((x.size, 3)), NOISE, OWN**2, **fields)


def parameters():
    curvature = 1.0 / (SPREAD**2 + (Q * G) ** 2 * NOISE[0, 0] + OWN**2)
    return np.array([0.3 * curvature, curvature, (Q * G) ** 2, NU, NU_STD**2, RISE])


@pytest.mark.parametrize("x", [-0.7, 0.0, 0.6])
def test_mean_and_covariance_given_a_verify_read_are_those_of_simulated_devices(simulated, x):
    """Devices whose verify read is within 0.03 uS of it: 5 standard errors, 12 numbers each."""
    y, _, _, g = simulated
    near = np.abs(y - G - x) < 0.03
    mean, covariance = later_moments(window(np.array([x])), parameters())
    found, n = np.cov(g[near].T), int(near.sum())
    stderr = np.sqrt(np.diag(found) / n)
    np.testing.assert_array_less(np.abs(g[near].mean(axis=0) - mean[0]), 5.0 * stderr)
    scale = np.sqrt(np.outer(np.diag(found), np.diag(found)) * 2.0 / n)
    np.testing.assert_array_less(np.abs(found - covariance[0]), 5.0 * scale)


@pytest.mark.parametrize("t_s", [1.0, 1e5])
def test_placement_at_any_age_is_that_of_accepted_devices(simulated, t_s):
    """Mean and standard deviation, 4 standard errors."""
    y, u, nu, _ = simulated
    kept = np.abs(y - G) <= 0.8
    g = u[kept] * t_s ** -nu[kept]
    mean, std = at_age(window(np.zeros(1)), parameters(), float(np.log(t_s)))
    assert abs(g.mean() - mean) < 4.0 * g.std() / np.sqrt(g.size)
    assert abs(g.std() - std) < 4.0 * g.std() / np.sqrt(2.0 * g.size)


@pytest.mark.parametrize("growth", [0.5, 1.0])
def test_growing_noise_puts_true_conductances_above_their_reads(growth):
    """Pulses spread evenly; std 0.6 (u/10)^h: the shift to 15 %, the spread to 2.5 %."""
    rng = np.random.default_rng(1)
    u = rng.uniform(4.0, 16.0, N)
    y = u + 0.6 * (u / G) ** growth * rng.standard_normal(N)
    kept = np.abs(y - G) <= 0.5
    found = placement(
        Window(G, 0.5, np.zeros(1), np.zeros(0), np.zeros((1, 0)), np.eye(1), 0.0, growth=growth),
        np.array([0.0, 0.0, 0.36, 0.0, 0.0, 0.0]),
    )
    assert u[kept].mean() - G > 0.8 * 2.0 * growth * 0.36 / G
    assert found[0] == pytest.approx(u[kept].mean() - G, rel=0.15)
    assert found[1] == pytest.approx(u[kept].std(), rel=0.025)


def test_a_window_knows_the_noise_at_the_ages_of_its_reads():
    levels, _ = drawn(np.random.default_rng(2), 30)
    found = window_of(levels, np.arange(30), INSTRUMENT, 1.2)
    ages_s = np.append(VERIFY_AFTER_S, READ_AFTER_S)
    expected = spectrum_covariance(ages_s, 1.2, INSTRUMENT.t_read_s)
    np.testing.assert_array_equal(found.noise, expected)
    np.testing.assert_allclose(found.log_age, np.log([10.0, 100.0, 1000.0, 20_000.0]))
    assert found.instrument_variance == pytest.approx(0.05**2)
