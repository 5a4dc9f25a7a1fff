import numpy as np
import pytest
import renewal

from pcmsim.devices import (
    Modes,
    fast_std,
    fluctuation,
    load_parameter_set,
    modes,
    relative_std,
    slow_modes,
)
from pcmsim.errors import UsageError
from pcmsim.rng import key

VALUES = load_parameter_set("pcm-gst-90nm").values
BAND = slow_modes(VALUES)
KEY = key(1, "noise")
# Forty modes from 1e-6 to 1e7 /s, three per decade: the band of the published structure function.
WIDE = modes(1e-6 * 10 ** (-1 / 6), 1e7 * 10 ** (1 / 6))


@pytest.mark.parametrize(
    ("now_s", "since_s"), [(3.7, 0.0), (5000.3, 12.5), (9e5, 0.0), (9e5, None)]
)
def test_the_kernel_is_its_twin_device_by_device(now_s, since_s):
    """Single against double precision in position and amplitude."""
    found = fluctuation(BAND, (200,), KEY, now_s, since_s)
    since = -np.inf if since_s is None else since_s
    twin = [
        renewal.fluctuation(KEY, i, BAND.rates_per_s, BAND.stds, now_s, since) for i in range(200)
    ]
    np.testing.assert_allclose(found, twin, atol=2e-5)


@pytest.mark.parametrize("lag_s", [1.0, 10.0, 100.0, 1000.0])
def test_the_structure_function_is_that_of_1_over_f_noise(lag_s):
    """Published for Q = 0.02; four standard errors of 100,000 devices, stationary process."""
    published = {1.0: 1.3663e-2, 10.0: 1.5505e-2, 100.0: 1.7347e-2, 1000.0: 1.9189e-2}[lag_s]
    exact = 2 * 0.02**2 * np.sum(WIDE.stds**2 * (1 - np.exp(-WIDE.rates_per_s * lag_s)))
    assert exact == pytest.approx(published, abs=6e-7)
    a, b = (fluctuation(WIDE, (100_000,), KEY, t, None) for t in (5000.0, 5000.0 + lag_s))
    squares = (0.02 * (b.astype(np.float64) - a)) ** 2
    assert abs(squares.mean() - published) < 4 * squares.std() / np.sqrt(squares.size)


@pytest.mark.parametrize(("exponent", "tolerance"), [(1.0, 0.003), (1.21, 0.004)])
def test_the_modes_have_the_spectrum_of_the_law_inside_their_band(exponent, tolerance):
    """One-sided sum of Lorentzians 4 σ² λ / (λ² + ω²) against f^-γ, two decades inside the band.

    A steeper spectrum feels the lower edge of the band further up, hence the wider tolerance.
    """
    band = modes(1e-8, 1e9, exponent)
    f = np.logspace(-3, 5, 200)[:, None]
    lorentz = 4 * band.stds**2 * band.rates_per_s / (band.rates_per_s**2 + (2 * np.pi * f) ** 2)
    np.testing.assert_allclose(lorentz.sum(axis=1) * f[:, 0] ** exponent, 1.0, atol=tolerance)


def test_the_measured_spectrum_of_the_generator_is_1_over_f():
    """Welch estimate of 2,048 devices sampled every 0.1 s: S f = 1 within four standard errors.

    The fastest modes sampled lie below the sampling rate, so that nothing folds back into view.
    """
    from scipy.signal import welch

    band = modes(1e-4, 1.0)
    trace = np.stack([fluctuation(band, (2048,), KEY, 10 + 0.1 * i, None) for i in range(512)])
    f, s = welch(trace.astype(np.float64), fs=10.0, nperseg=512, axis=0, detrend=False)
    inside = (f > 0.1) & (f < 0.8)
    exact = (
        4
        * band.stds**2
        * band.rates_per_s
        / (band.rates_per_s**2 + (2 * np.pi * f[inside, None]) ** 2)
    ).sum(1)
    power = s[inside]
    z = (power.mean(axis=1) - exact) / (power.std(axis=1) / np.sqrt(2048))
    # Leakage of the slower modes through the window adds up to a few per cent at the low end.
    assert np.all(np.abs(power.mean(axis=1) / exact - 1) < 0.1)
    assert abs(np.median(z)) < 4


@pytest.mark.parametrize("age", [20.0, 21.0, 3620.0, 345620.0])
def test_both_forms_of_noise_have_the_same_size_at_every_age(age):
    """Slow and fast parts against the marginal variance; four standard errors of 100,000."""
    slow = fluctuation(BAND, (100_000,), KEY, age - 20.0, -20.0).astype(np.float64)
    total = slow.var() + fast_std(VALUES) ** 2
    error = 4 * slow.var() * np.sqrt(2 / slow.size) + 1e-3 * slow.var()
    assert abs(total - relative_std(VALUES, age) ** 2) < error


@pytest.mark.parametrize("rate", [1e-3, 1.0])
def test_a_mode_counted_from_the_pulse_has_the_stated_covariance(rate):
    """σ²(1 - e^(-λ s)) e^(-λ (t - s)) for one mode; four standard errors of 200,000 devices."""
    band = Modes(np.array([rate]), np.array([1.0]))
    s, t = 0.8 / rate, 1.5 / rate
    a, b = (fluctuation(band, (200_000,), KEY, x, 0.0).astype(np.float64) for x in (s, t))
    expected = (1 - np.exp(-0.8)) * np.exp(-0.7)
    assert abs(np.mean(a * b) - expected) < 4 * np.std(a * b) / np.sqrt(a.size)


def test_a_device_agrees_with_itself_a_second_later_and_forgets_in_months():
    first, soon, late = (fluctuation(BAND, (50_000,), KEY, t, 0.0) for t in (1000.0, 1001.0, 1e8))
    expected = 1 - np.sum(BAND.stds**2 * (1 - np.exp(-BAND.rates_per_s))) / first.var()
    assert np.corrcoef(first, soon)[0, 1] == pytest.approx(expected, abs=0.03)
    assert np.corrcoef(first, soon)[0, 1] > 0.5
    assert abs(np.corrcoef(first, late)[0, 1]) < 4 / np.sqrt(50_000)


def test_averaging_cannot_remove_slow_noise():
    """Of 4096 reads a second apart at Q = 0.02 remains 0.0526, not 0.00173 as if white."""
    devices, total = 400, 0.0
    for i in range(4096):
        total = total + fluctuation(WIDE, (devices,), KEY, 1000.0 + i, None).astype(np.float64)
    left = 0.02 * (total / 4096).std()
    assert abs(left - 0.0526) < 4 * 0.0526 / np.sqrt(2 * devices) + 5e-5


def test_noise_is_a_function_of_time_and_not_of_who_looked_before():
    looked = [fluctuation(BAND, (100,), KEY, t, 0.0) for t in (1.0, 5.0, 700.0)]
    np.testing.assert_array_equal(fluctuation(BAND, (100,), KEY, 700.0, 0.0), looked[2])


def test_noise_starts_from_nothing_at_programming():
    np.testing.assert_array_equal(fluctuation(BAND, (1000,), KEY, 77.0, 77.0), np.zeros(1000))


def test_every_device_and_every_key_has_its_own_history():
    a = fluctuation(BAND, (20_000,), KEY, 1e5, 0.0)
    b = fluctuation(BAND, (20_000,), key(1, "noise", 2), 1e5, 0.0)
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(20_000)
    assert abs(np.corrcoef(a[:-1], a[1:])[0, 1]) < 4 / np.sqrt(20_000)
    assert np.unique(a).size > 19_900


def test_times_that_double_precision_cannot_tell_apart_are_refused():
    with pytest.raises(UsageError, match="too late for noise"):
        fluctuation(BAND, (3,), KEY, 1e14, 0.0)
    fluctuation(BAND, (3,), KEY, 1e12, 0.0)


def test_devices_with_pulses_of_their_own_are_read_as_if_alone():
    pulse_s = np.random.default_rng(0).choice([0.0, 3.0, 600.0, 699.9, 700.0, 900.0], (40, 5))
    found = fluctuation(BAND, (40, 5), KEY, 700.0, pulse_s)
    for one_s in np.unique(pulse_s):
        alone = fluctuation(BAND, (40, 5), KEY, 700.0, float(one_s))
        np.testing.assert_array_equal(found[pulse_s == one_s], alone[pulse_s == one_s])
    assert np.unique(found).size > 50


def test_an_array_of_pulses_of_another_shape_is_refused():
    with pytest.raises(UsageError, match=r"one time or of shape \(3, 2\); got \(2, 3\)"):
        fluctuation(BAND, (3, 2), KEY, 1.0, np.zeros((2, 3)))
