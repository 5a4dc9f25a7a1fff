import numpy as np
import pytest

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip
from pcmsim.crossbar.converters import pulse_widths, sampled

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_pulse_widths_are_linear_in_the_input(bits):
    """Exactly on the grid of unit pulses, and to half a pulse between."""
    levels = 2 ** (bits - 1) - 1
    grid = np.arange(-levels, levels + 1) / levels
    np.testing.assert_array_equal(pulse_widths(grid, bits), grid)
    x = RNG.uniform(-1.0, 1.0, 1000)
    assert np.abs(pulse_widths(x, bits) - x).max() <= 0.5 / levels + 1e-12
    np.testing.assert_array_equal(pulse_widths(-x, bits), -pulse_widths(x, bits))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sampling_twice_changes_nothing(dtype):
    y, full = RNG.normal(0.0, 3.0, (50, 4)).astype(dtype), np.array([1.0, 2.0, 5.0, 20.0])
    once = sampled(y, 8, full)
    assert once.dtype == dtype
    np.testing.assert_array_equal(sampled(once, 8, full), once)
    assert np.all(np.abs(once) <= full * (1 + 1e-6))
    inside = np.abs(y) < full
    assert np.all(
        np.abs(once - y)[inside] <= (np.broadcast_to(full / 254, y.shape)[inside]) * 1.001
    )


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_a_converter_has_as_many_codes_as_its_bits_allow(bits):
    """2^(bits-1) - 1 on either side of zero, the last at full scale."""
    codes = np.unique(sampled(np.linspace(-3.0, 3.0, 20_001), bits, np.array(2.0)))
    assert codes.size == 2 * (2 ** (bits - 1) - 1) + 1
    assert codes[-1] == pytest.approx(2.0)


def test_spikes_pass_converters_of_any_width():
    spikes = (RNG.random((6, 30)) < 0.3).astype(np.float64)
    np.testing.assert_array_equal(pulse_widths(spikes, 2), spikes)


def test_a_chip_converts_the_outputs_of_each_tile():
    """Two row tiles: the sum of two sampled partial products, not the sample of their sum."""
    weight, x = RNG.uniform(-1.0, 1.0, (20, 5)), RNG.uniform(0.0, 1.0, (7, 20))
    hardware = Hardware(
        device="ideal", tile_rows=10, input_bits=6, output_bits=4, output_bound=2.0, scale="column"
    )
    chip = Chip(hardware, 1, dtype=np.float64)
    chip.program("w", weight)
    full, widths = 2.0 * np.abs(weight).max(axis=0), pulse_widths(x, 6)
    parts = [sampled(widths[:, p] @ weight[p], 4, full) for p in (slice(0, 10), slice(10, 20))]
    np.testing.assert_allclose(chip.multiply("w", x), parts[0] + parts[1], atol=1e-12)
    assert np.abs(chip.multiply("w", x) - x @ weight).max() > 0.05


def test_many_bits_are_exact_to_their_step():
    weight, x = RNG.uniform(-1.0, 1.0, (20, 5)), RNG.uniform(0.0, 1.0, (7, 20))
    chip = Chip(Hardware(device="ideal", input_bits=16, output_bits=16), 1, dtype=np.float64)
    chip.program("w", weight)
    np.testing.assert_allclose(chip.multiply("w", x), x @ weight, atol=20 * 2**-15 + 10 * 2**-15)
