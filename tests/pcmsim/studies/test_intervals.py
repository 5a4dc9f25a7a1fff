import numpy as np
import pytest
from scipy import stats

from pcmsim.rng import stream
from pcmsim.studies import chips_needed, mean_over_chips, paired


def test_the_interval_is_that_of_scipy():
    values = stream(0, "values").normal(8.9, 0.07, 12)
    found = mean_over_chips(values)
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert found.mean - found.half_width == pytest.approx(low)
    assert found.mean + found.half_width == pytest.approx(high)


def test_intervals_hold_the_true_mean_as_often_as_they_say():
    """Of 4,000 samples of five chips; four standard errors of a share of 0.95 are 0.014."""
    rng = stream(1, "coverage")
    found = [mean_over_chips(rng.normal(0.0, 1.0, 5)) for _ in range(4000)]
    held = np.mean([abs(f.mean) <= f.half_width for f in found])
    assert held == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 4000))


def test_chips_that_were_not_measured_are_left_out():
    found = mean_over_chips(np.array([1.0, np.nan, 3.0]))
    assert (found.mean, found.n) == (2.0, 2)
    assert mean_over_chips(np.array([np.nan])).n == 0


def test_one_chip_has_no_spread():
    found = mean_over_chips(np.array([2.0]))
    assert (found.std, found.half_width) == (None, None)


@pytest.mark.parametrize("std", [0.0, 0.01, 0.07, 1.3])
@pytest.mark.parametrize("half_width", [0.005, 0.02, 0.5])
def test_the_number_of_chips_is_the_smallest_that_is_enough(std, half_width):
    def width(n):
        return stats.t.ppf(0.975, n - 1) * std / np.sqrt(n)

    n = chips_needed(std, half_width)
    assert width(n) <= half_width
    assert n == 2 or width(n - 1) > half_width


def test_what_chips_have_in_common_drops_out_of_paired_differences():
    rng = stream(2, "pairs")
    chips, gains = rng.normal(0.0, 1.0, 40), rng.normal(-0.1, 0.01, 40)
    found = paired(chips + gains, chips)
    assert abs(found.mean + 0.1) < 4 * 0.01 / np.sqrt(40)
    assert found.half_width < 0.01
