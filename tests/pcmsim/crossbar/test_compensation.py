import numpy as np
import pytest

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip, compensated, factors, readout
from pcmsim.devices import load_parameter_set

RNG = np.random.default_rng(0)
W = RNG.normal(0.0, 0.3, (40, 30))
X = RNG.uniform(0.0, 1.0, (16, 40)).astype(np.float32)
SAME_EXPONENT = {
    "programming_std": {"constant": 0.0},
    "nu_mean": {"constant": 0.06},
    "nu_std": {"constant": 0.0},
    "p_stuck_reset": 0.0,
    "p_stuck_set": 0.0,
    "p_untunable": 0.0,
}


@pytest.mark.parametrize("kind", ["global", "column"])
def test_with_one_exponent_for_all_devices_compensation_restores_the_product_exactly(kind):
    same = load_parameter_set("pcm-gst-90nm").with_values(**SAME_EXPONENT)
    chip = Chip(Hardware(read_noise="none"), 1, parameter_set=same)
    chip.program("w", W)
    before, reference = chip.multiply("w", X), readout(chip, kind)
    chip.clock.wait(345600.0)
    drifted = chip.multiply("w", X)
    np.testing.assert_allclose(drifted / before, (345620 / 20) ** -0.06, rtol=1e-4)
    factor = factors(reference, readout(chip, kind))
    np.testing.assert_allclose(compensated(drifted, "w", factor), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("t_s", "fall"), [(3600.0, 0.77601), (86400.0, 0.66502), (345600.0, 0.62185)]
)
def test_the_factor_is_the_inverse_of_the_mean_fall(t_s, fall):
    """E[(t/20)^-ν] at and above 8.3 µS, counted from the pulse; noiseless, without faults or RESET.

    Of 20,000 devices the mean fall has a standard error of σ_ν ln(t/20) / √20000 of itself.
    """
    plain = load_parameter_set("pcm-gst-90nm").with_values(
        p_stuck_reset=0.0, p_stuck_set=0.0, p_untunable=0.0, reset_median=0.0
    )
    chip = Chip(Hardware(read_noise="none"), 1, parameter_set=plain)
    chip.program("w", np.where(RNG.random((100, 200)) < 0.5, -1.0, 1.0))
    reference = readout(chip, "global")
    chip.clock.wait(t_s - 20.0)
    factor = factors(reference, readout(chip, "global"))["w"]
    assert factor.shape == (1,)
    error = 0.008 * np.log(t_s / 20.0) / np.sqrt(20_000)
    assert abs(1.0 / factor[0] / fall - 1.0) < 4 * error + 1e-5


def test_a_readout_is_the_mean_absolute_conductance_of_each_column():
    chip = Chip(Hardware(device="ideal", scale="column"), 1)
    chip.program("w", W)
    g = W / np.abs(W).max(axis=0) * 25.0
    np.testing.assert_allclose(readout(chip, "column")["w"], np.abs(g).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(readout(chip, "global")["w"], [np.abs(g).mean()], rtol=1e-5)
    assert readout(chip, "none") == {}


def test_a_readout_shares_the_law_of_one_hot_products():
    """Column means over 300 readouts of each kind agree within four standard errors."""
    chip = Chip(Hardware(), 1)
    chip.program("w", W)
    chip.clock.wait(3600.0)
    direct = np.array([np.abs(chip.weights("w")).mean(axis=0) for _ in range(300)])
    eye = np.eye(40, dtype=np.float32)
    one_hot = np.array([np.abs(chip.multiply("w", eye)).mean(axis=0) for _ in range(300)])
    error = np.sqrt((direct.var(axis=0) + one_hot.var(axis=0)) / 300)
    assert np.all(np.abs(direct.mean(axis=0) - one_hot.mean(axis=0)) < 4 * error)
    np.testing.assert_allclose(direct.std(axis=0), one_hot.std(axis=0), rtol=4 / np.sqrt(300))


def test_a_dead_array_has_a_finite_factor():
    chip = Chip(Hardware(device="ideal"), 1)
    chip.program("w", np.zeros((4, 3)))
    factor = factors(readout(chip, "column"), readout(chip, "column"))["w"]
    np.testing.assert_array_equal(factor, np.ones(3))


def test_without_a_factor_the_output_passes_unchanged():
    y = np.array([1.0, 2.0])
    assert compensated(y, "w", {}) is y
