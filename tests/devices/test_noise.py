import numpy as np
import pytest
from scipy.integrate import quad

from pcmsim.devices import (
    age_s,
    fast_std,
    load_parameter_set,
    marginal_read,
    relative_std,
    slow_modes,
)
from pcmsim.rng import stream

VALUES = load_parameter_set("pcm-gst-90nm").values


@pytest.mark.parametrize("age", [1.0, 20.0, 86420.0, 1e6])
def test_modes_started_at_the_pulse_add_up_to_the_published_variance(age):
    """ln((t + t_r) / 2 t_r) for γ = 1; three modes a decade leave a ripple of 0.1 %."""
    found = slow_modes(VALUES).accumulated_variance(age) + fast_std(VALUES) ** 2
    assert found == pytest.approx(np.log((age + 250e-9) / 500e-9), rel=1e-3)


@pytest.mark.parametrize("exponent", [1.1, 1.21, 1.5])
def test_a_steeper_spectrum_accumulates_its_own_variance(exponent):
    """∫ c λ^-γ (1 - e^(-λ t)) dλ up to the fastest rate of a read, c of the superposition."""
    steep = load_parameter_set("pcm-gst-90nm").with_values(read_noise_exponent=exponent).values
    c = (2 * np.pi) ** (exponent - 1) * np.sin(np.pi * (2 - exponent) / 2)
    low, split, high = np.log([1e-8, 100.0, np.exp(-np.euler_gamma) / 500e-9])
    slow, _ = quad(
        lambda x: c * np.exp((1 - exponent) * x) * -np.expm1(-np.exp(x) * 3620.0), low, split
    )
    fast, _ = quad(lambda x: c * np.exp((1 - exponent) * x), split, high)
    assert relative_std(steep, 3620.0) ** 2 == pytest.approx(slow + fast, rel=2e-3)


def test_a_device_younger_than_a_read_has_no_noise():
    assert relative_std(VALUES, 1e-8) == 0.0


def test_the_level_at_10_us_is_that_of_the_published_band():
    """0.67 µS between 250 ns and 20 s, 0.81 µS at one day (Q = 0.0159626)."""
    q_g = 0.0159626 * 10.0
    assert q_g * relative_std(VALUES, 20.0) == pytest.approx(0.668, abs=5e-4)
    assert q_g * relative_std(VALUES, age_s(VALUES, 86400.0)) == pytest.approx(0.812, abs=5e-4)


def test_a_marginal_read_spreads_as_stated_and_never_below_zero():
    """Standard deviation within four standard errors of 400,000 reads."""
    g, q = np.full(400_000, 10.0, np.float32), np.full(400_000, 0.016, np.float32)
    read = marginal_read(VALUES, g, q, 3620.0, stream(1, "read"))
    expected = 0.16 * relative_std(VALUES, 3620.0)
    assert abs(read.std() - expected) < 4 * expected / np.sqrt(2 * g.size)
    assert abs(read.mean() - 10.0) < 4 * expected / np.sqrt(g.size)
    wild = marginal_read(VALUES, g, q * 20, 3620.0, stream(1, "read"))
    assert wild.min() == 0.0


def test_reading_leaves_its_arguments_alone():
    g, q = np.array([3.0, 4.0], np.float32), np.array([0.1, 0.2], np.float32)
    marginal_read(VALUES, g, q, 50.0, stream(1, "read"))
    np.testing.assert_array_equal(g, [3.0, 4.0])
    np.testing.assert_array_equal(q, np.array([0.1, 0.2], np.float32))


def test_no_noise_amplitude_means_no_noise():
    g = np.array([3.0, 4.0])
    np.testing.assert_array_equal(marginal_read(VALUES, g, np.zeros(2), 50.0, stream(1, "read")), g)
