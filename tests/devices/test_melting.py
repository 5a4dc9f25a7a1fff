import numpy as np
import pytest

from pcmsim.devices import (
    apply_melt,
    apply_set,
    conductance,
    load_parameter_set,
    manufacture,
    melt_conductance,
    melt_current,
)
from pcmsim.errors import UsageError
from pcmsim.rng import stream

PERFECT_YIELD = {"p_stuck_reset": 0.0, "p_stuck_set": 0.0, "p_untunable": 0.0}
VALUES = load_parameter_set("pcm-gst-90nm").with_values(**PERFECT_YIELD).values
N = 200_000


def melted(current_ua, n=N, where=None, now_s=0.0):
    state = manufacture(VALUES, (n,), stream(1, "make"))
    current = np.full(n, current_ua, np.float32)
    return state, apply_melt(VALUES, state, current, where, now_s, stream(1, "melt"))


def test_the_curve_is_half_its_top_at_the_middle_and_falls_by_e_fold_odds_per_width():
    """1.2 x 25 / (1 + exp((I - 300) / 40)); a shift of one standard deviation moves it by 15 µA."""
    current = np.array([260.0, 300.0, 340.0, 315.0])
    found = melt_conductance(VALUES, current, np.array([0.0, 0.0, 0.0, 1.0]))
    e = np.e
    np.testing.assert_allclose(found, [30 * e / (1 + e), 15.0, 30 / (1 + e), 15.0])


def test_the_current_for_a_conductance_leaves_it_in_the_median_device():
    g = np.linspace(1.0, 25.0, 49)
    current = melt_current(VALUES, g)
    np.testing.assert_allclose(melt_conductance(VALUES, current, np.zeros(49)), g, rtol=1e-12)
    assert np.all(np.diff(current) < 0)


def test_a_melt_spreads_as_its_three_parts_say():
    """At 300 µA: f(δ) from N(0, 15 µA), times LogN(0.08), plus N(0, 0.15 µS); by quadrature."""
    _, state = melted(300.0)
    x, w = np.polynomial.hermite_e.hermegauss(60)
    f = 30.0 / (1.0 + np.exp(-15.0 * x / 40.0))
    w = w / w.sum()
    mean = np.sum(w * f) * np.exp(0.08**2 / 2)
    variance = np.sum(w * f**2) * np.exp(2 * 0.08**2) - mean**2 + 0.15**2
    g = state.g.astype(np.float64)
    assert abs(g.mean() - mean) < 4 * np.sqrt(variance / N)
    assert abs(g.var() - variance) < 4 * variance * np.sqrt(2 / N)


def test_a_device_s_shift_stays_with_it():
    state, first = melted(300.0)
    second = apply_melt(VALUES, first, np.full(N, 300.0), None, 5.0, stream(2, "melt"))
    f = melt_conductance(VALUES, np.full(N, 300.0), state.melt_shift.astype(np.float64))
    expected = f.var() * np.exp(0.08**2)
    covariance = np.cov(first.g, second.g)[0, 1]
    assert abs(covariance - expected) < 4 * first.g.var() * np.sqrt(2 / N)


def test_a_melt_begins_a_new_life_for_those_in_the_mask_only():
    where = np.arange(N) % 4 == 0
    before, after = melted(280.0, where=where, now_s=30.0)
    np.testing.assert_array_equal(after.g[~where], before.g[~where])
    np.testing.assert_array_equal(after.resets, before.resets + where)
    np.testing.assert_array_equal(after.programmed_at_s, np.where(where, 30.0, 0.0))
    np.testing.assert_allclose(conductance(VALUES, after, 30.0)[where], after.g[where], rtol=1e-6)
    again = apply_set(VALUES, after, where.astype(int), 40.0, stream(1, "set"))
    np.testing.assert_array_equal(again.nu, after.nu)
    nu = after.nu[where & (after.g > 8)].mean(dtype=np.float64)
    assert abs(nu - 0.049) < 4 * 0.008 / np.sqrt(where.sum() / 2)


@pytest.mark.parametrize("current", [100.0, 500.0, np.nan])
def test_a_current_off_the_curve_is_refused(current):
    with pytest.raises(UsageError, match=r"150 \.\.\. 450 uA"):
        melted(current, n=3)


def test_currents_of_another_shape_are_refused():
    state = manufacture(VALUES, (3,), stream(1, "make"))
    with pytest.raises(UsageError, match="shape"):
        apply_melt(VALUES, state, np.full(2, 300.0), None, 0.0, stream(1, "melt"))
