import numpy as np
import pytest

from pcmsim.calibration import moments
from pcmsim.errors import UsageError


def test_a_small_sample_by_hand():
    m = moments([2.0, 4.0, 4.0, 6.0])
    assert (m.n, m.mean) == (4, 4.0)
    assert m.std == pytest.approx(np.sqrt(8 / 3))
    assert m.mean_stderr == pytest.approx(np.sqrt(8 / 3) / 2)
    # m4 / m2² = (2 * 16 / 4) / 2² = 2
    assert m.std_stderr == pytest.approx(np.sqrt(8 / 3) * np.sqrt(1 / 16))


@pytest.mark.parametrize("law", ["normal", "exponential", "uniform"])
def test_standard_errors_are_what_repeated_samples_show(law):
    """1,500 repetitions of 2,000 values: spread of z within 1 ± 0.09, five standard errors."""
    rng = np.random.default_rng(1)
    draws = getattr(rng, law)(size=(1500, 2000))
    truth = {"normal": (0.0, 1.0), "exponential": (1.0, 1.0), "uniform": (0.5, 12**-0.5)}[law]
    fits = [moments(x) for x in draws]
    z_mean = [(m.mean - truth[0]) / m.mean_stderr for m in fits]
    z_std = [(m.std - truth[1]) / m.std_stderr for m in fits]
    assert abs(np.std(z_mean) - 1) < 0.09
    assert abs(np.std(z_std) - 1) < 0.12  # the kurtosis is estimated too
    assert abs(np.mean(z_mean)) < 4 / np.sqrt(1500)


def test_equal_values_have_no_spread_and_no_error():
    assert moments([3.0, 3.0, 3.0]).std_stderr == 0.0


@pytest.mark.parametrize("sample", [[], [1.0], [1.0, np.nan], [1.0, np.inf]])
def test_a_sample_that_says_nothing_is_refused(sample):
    with pytest.raises(UsageError):
        moments(sample)
