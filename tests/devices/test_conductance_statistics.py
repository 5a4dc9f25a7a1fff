import itertools
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conductance import coefficients, conductance_moments

from pcmsim.calibration import moments
from pcmsim.devices import load_parameter_set, placement_std
from pcmsim.devices.noise import noise_amplitude
from pcmsim.jobs import sample

TARGETS = (0.0, 0.25, 1.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5, 20.0, 22.5, 25.0)
TIMES_S = (0.0, 1.0, 60.0, 3600.0, 86400.0, 345600.0, 2592000.0, 31536000.0)
N = 1_000_000
STORED = json.loads((Path(__file__).parents[1] / "reference" / "conductance.json").read_text())
CELLS = {(g, t, read): tuple(numbers) for g, t, read, *numbers in STORED["cells"]}

# Published coefficients at these targets [µS]: σ_prog, μ_ν, σ_ν, Q, rounded to five digits.
COEFFICIENTS = {
    0.25: (0.28301, 0.09578, 0.04500, 0.17558),
    1.0: (0.34020, 0.07429, 0.03434, 0.07131),
    2.5: (0.44825, 0.06009, 0.02288, 0.03931),
    5.0: (0.60956, 0.04935, 0.01422, 0.02505),
    10.0: (0.86178, 0.04900, 0.00800, 0.01596),
    15.0: (1.02016, 0.04900, 0.00800, 0.01227),
    20.0: (1.08470, 0.04900, 0.00800, 0.01017),
    25.0: (1.05538, 0.04900, 0.00800, 0.00880),
}


@cache
def _as_tabulated():
    return load_parameter_set("pcm-gst-90nm").with_values(zero_target="law")


@pytest.mark.parametrize("g_target", COEFFICIENTS)
def test_the_default_set_has_the_published_coefficients(g_target):
    values, g = _as_tabulated().values, np.array([g_target])
    found = (
        placement_std(values, g)[0],
        values.nu_mean(g / 25.0)[0],
        values.nu_std(g / 25.0)[0],
        noise_amplitude(values, g)[0],
    )
    np.testing.assert_allclose(found, COEFFICIENTS[g_target], atol=6e-6)
    np.testing.assert_allclose(found, coefficients(g_target), rtol=1e-12)


@pytest.mark.parametrize("read_noise", [False, True])
@pytest.mark.parametrize("g_target", TARGETS)
def test_a_million_devices_age_as_quadrature_and_an_independent_draw_say(g_target, read_noise):
    """Mean and standard deviation at eight times: four standard errors of the sample against
    exact quadrature, and four combined ones against a Monte Carlo made elsewhere.
    """
    found = sample(_as_tabulated(), [g_target], TIMES_S, N, read_noise=read_noise, seed=1)
    for s in found:
        mean, std = conductance_moments(s.g_target, s.t_s, read_noise)
        assert abs(s.g.mean - mean) <= 4 * s.g.mean_stderr, (s, mean)
        assert abs(s.g.std - std) <= 4 * s.g.std_stderr, (s, std)
        mean, mean_se, std, std_se = CELLS[s.g_target, s.t_s, read_noise]
        assert abs(s.g.mean - mean) <= 4 * np.hypot(s.g.mean_stderr, mean_se), (s, mean)
        assert abs(s.g.std - std) <= 4 * np.hypot(s.g.std_stderr, std_se), (s, std)


def test_the_independent_draw_has_all_208_cells():
    assert set(CELLS) == set(itertools.product(TARGETS, TIMES_S, (False, True)))


@pytest.mark.parametrize(
    ("g_target", "t_s", "read_noise", "mean", "std"),
    [
        (0.0, 0.0, False, 0.1051, 0.1538),
        (0.25, 86400.0, True, 0.1364, 0.1660),
        (2.5, 345600.0, True, 1.4245, 0.5084),
        (10.0, 3600.0, False, 7.7580, 0.7429),
        (25.0, 345600.0, True, 15.5461, 1.5568),
    ],
)
def test_quadrature_gives_the_tabulated_values(g_target, t_s, read_noise, mean, std):
    np.testing.assert_allclose(
        conductance_moments(g_target, t_s, read_noise), (mean, std), atol=6e-5
    )


@pytest.mark.parametrize(
    ("g_target", "expected"),
    [
        (1.0, {3600.0: (0.8115, 0.3125), 86400.0: (0.6539, 0.2705), 345600.0: (0.5955, 0.2569)}),
        (5.0, {3600.0: (4.2260, 0.8542), 86400.0: (3.5398, 0.7648), 345600.0: (3.2742, 0.7339)}),
        (10.0, {3600.0: (9.4095, 1.2314), 86400.0: (8.8239, 1.2220), 345600.0: (8.5774, 1.2230)}),
    ],
)
def test_the_14_nm_set_ages_as_its_fits_were_evaluated_elsewhere(g_target, expected):
    """Other values: Monte Carlo of 4e6, so its errors are half of those of one million here."""
    found = sample(load_parameter_set("pcm-hermes-14nm"), [g_target], list(expected), N, seed=5)
    for s in found:
        mean, std = expected[s.t_s]
        assert abs(s.g.mean - mean) <= 4 * 1.12 * s.g.mean_stderr + 5e-5
        assert abs(s.g.std - std) <= 4 * 1.12 * s.g.std_stderr + 5e-5


def test_the_paper_convention_counts_age_from_the_last_pulse():
    """E[(t/20)^-ν] at 1 h, 1 day and 4 days, without programming error or noise."""
    expected = {3600.0: 0.77601, 86400.0: 0.66502, 345600.0: 0.62185}
    exact = _as_tabulated().with_values(time_origin="last_pulse", programming_std={"constant": 0.0})
    for s in sample(exact, [10.0], list(expected), 200_000, read_noise=False, seed=3):
        assert abs(s.g.mean / 10.0 - expected[s.t_s]) <= 4 * s.g.mean_stderr / 10.0 + 6e-6


def test_moments_of_the_sample_are_unbiased_against_known_truth():
    z = [moments(x) for x in np.random.default_rng(4).exponential(2.0, (2000, 400))]
    t = np.array([(m.std - 2.0) / m.std_stderr for m in z])
    assert 0.85 < t.std() < 1.4  # heavy tails: the kurtosis of 400 values is itself uncertain
    assert 0.95 < np.std([(m.mean - 2.0) / m.mean_stderr for m in z]) < 1.1
