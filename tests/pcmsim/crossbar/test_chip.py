import numpy as np
import pytest
from conductance import conductance_moments

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip
from pcmsim.devices import conductance, fast_std, load_parameter_set, slow_modes
from pcmsim.errors import UsageError

RNG = np.random.default_rng(0)
W = RNG.normal(0.0, 0.3, (40, 30))
X = RNG.uniform(0.0, 1.0, (16, 40)).astype(np.float32)
DAY_S = 86400.0


def made(seed=1, weight=W, **hardware):
    chip = Chip(Hardware(**hardware), seed)
    chip.program("w", weight)
    return chip


def test_the_chorale_network_takes_52_800_devices():
    chip = Chip(seed=0)
    chip.program("hidden", RNG.normal(size=(88, 150)))
    chip.program("readout", RNG.normal(size=(150, 88)))
    assert chip.n_devices == 52_800


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pairs", [1, 2])
def test_ideal_devices_multiply_as_software_does_for_ever(dtype, pairs):
    chip = Chip(Hardware(device="ideal", pairs=pairs), 1, dtype=dtype)
    chip.program("w", W)
    chip.clock.wait(100 * DAY_S)
    y = chip.multiply("w", X)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, X @ W, atol=2e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("noise", ["correlated", "marginal", "none"])
def test_the_same_seed_and_operations_give_the_same_numbers(noise):
    a, b, other = (made(seed, read_noise=noise) for seed in (1, 1, 2))
    for chip in (a, b, other):
        chip.clock.wait(3600.0)
    np.testing.assert_array_equal(a.multiply("w", X), b.multiply("w", X))
    assert not np.array_equal(a.multiply("w", X), other.multiply("w", X))


def test_reads_change_neither_what_is_programmed_nor_how_it_drifts():
    """Nor what slow noise shows: one chip is read for an hour, the other never."""
    read, left = made(), made()
    for _ in range(10):
        read.clock.wait(360.0)
        read.multiply("w", X)
        read.weights("w")
    left.clock.wait_until(read.clock.now_s)
    np.testing.assert_array_equal(read.conductances("w"), left.conductances("w"))
    read.address_reads("now")
    left.address_reads("now")
    np.testing.assert_array_equal(read.multiply("w", X), left.multiply("w", X))
    read.program("w", W)
    left.program("w", W)
    np.testing.assert_array_equal(read.conductances("w"), left.conductances("w"))


def test_looking_twice_at_one_time_shows_the_same_slow_noise():
    chip = made(read_noise="marginal")
    chip.clock.wait(60.0)
    again = made(read_noise="marginal")
    again.clock.wait(60.0)
    np.testing.assert_array_equal(chip.multiply("w", X), again.multiply("w", X))
    np.testing.assert_array_equal(chip.multiply("w", X), again.multiply("w", X))
    chip.clock.wait(1.0)
    later = chip.multiply("w", X)
    assert not np.array_equal(later, made(read_noise="marginal").multiply("w", X))


def test_two_reads_a_second_apart_differ_by_what_a_second_can_change():
    """Fast noise, and slow modes renewed within the second: Σ σ²(1 - e^-λ). 20,000 devices."""
    chip = made(weight=RNG.uniform(0.2, 1.0, (100, 100)))
    chip.clock.wait(1e5)
    first = chip.weights("w")
    chip.clock.wait(1.0)
    apart = (chip.weights("w") - first).std() / np.sqrt(2)
    state, band = chip.matrices["w"].states[0], slow_modes(chip.values)
    changed = fast_std(chip.values) ** 2 + np.sum(band.stds**2 * (1 - np.exp(-band.rates_per_s)))
    device = (chip.conductances("w") * state.noise) ** 2 * changed
    expected = np.sqrt(device.sum(axis=(0, 1)).mean()) * chip.matrices["w"].scale[0]
    assert apart == pytest.approx(expected, rel=0.05)
    fresh = np.sqrt(changed / (fast_std(chip.values) ** 2 + np.sum(band.stds**2)))
    assert fresh < 0.75  # fresh draws would differ by a third more


def test_noise_of_a_product_is_that_of_the_devices_that_take_part():
    """Spread over 20,000 products against Σ x² (Q G σ_fast)² of both devices of each pair."""
    chip = made()
    chip.clock.wait(3600.0)
    chip.multiply("w", X)
    x = np.tile(X[0], (20_000, 1))
    spread = chip.multiply("w", x).astype(float).std(axis=0)
    state, scale = chip.matrices["w"].states[0], chip.matrices["w"].scale
    shown = chip.reading.persistent("w", 0, state, 3600.0)
    device = (shown * state.noise * fast_std(chip.values)) ** 2
    expected = np.sqrt(X[0].astype(float) ** 2 @ device.sum(axis=(0, 1))) * scale
    np.testing.assert_allclose(spread, expected, rtol=4.5 / np.sqrt(2 * 20_000))


@pytest.mark.parametrize("t_s", [0.0, 1.0, 3600.0])
def test_a_read_of_all_devices_spreads_as_the_ensemble_of_its_age(t_s):
    """Correlated and marginal reads of 40,000 devices: mean and std within 4.5 standard errors."""
    healthy = load_parameter_set("pcm-gst-90nm").with_values(
        p_stuck_reset=0.0, p_stuck_set=0.0, p_untunable=0.0
    )
    target = 10.0
    for noise in ("correlated", "marginal"):
        chip = Chip(Hardware(read_noise=noise), 3, parameter_set=healthy)
        chip.program("w", np.full((200, 200), 1.0) * np.where(np.eye(200) > 0, 1.0, 0.4))
        chip.clock.wait(t_s)
        read = chip.read("w")[0, 0][~np.eye(200, dtype=bool)].astype(float)
        mean, std = conductance_moments(target, t_s, read_noise=True)
        assert abs(read.mean() - mean) < 4.5 * std / np.sqrt(read.size)
        assert abs(read.std() - std) < 4.5 * std / np.sqrt(2 * read.size)
        assert chip.read("w").min() >= 0.0


def test_tiles_and_one_array_hold_the_same_weights():
    tiled = made(device="ideal", tile_rows=16, tile_columns=7)
    assert len(tiled.matrices["w"].tiles) == 3 * 5
    assert tiled.n_devices == 2 * W.size
    np.testing.assert_allclose(tiled.multiply("w", X), X @ W, atol=2e-5)


def test_no_two_tiles_or_matrices_share_devices_or_noise():
    """Own exponents, errors and slow noise: correlations within four standard errors of 1,024."""
    chip = Chip(Hardware(tile_rows=32, tile_columns=32), 1)
    weight = np.full((64, 32), 0.7)
    for name in ("a", "b"):
        chip.program(name, weight)
    chip.clock.wait(1e5)
    quantities = []
    for name in ("a", "b"):
        for i, state in enumerate(chip.matrices[name].states):
            slow = chip.reading.persistent(name, i, state, 1e5) / conductance(
                chip.values, state, 1e5
            )
            quantities.append((state.nu_device, state.g, slow))
    for kind in zip(*quantities, strict=True):
        rows = np.array([np.clip(q[0].ravel(), -30, 30) for q in kind], dtype=float)
        off = np.corrcoef(rows) - np.eye(4)
        assert np.abs(off).max() < 4 / np.sqrt(1024)


def test_more_pairs_average_programming_error():
    """n pairs reduce it by √n; ratio within 5 % for 8,000 weights, RESET and faults left out."""
    calm = load_parameter_set("pcm-gst-90nm").with_values(
        p_stuck_reset=0.0, p_stuck_set=0.0, p_untunable=0.0, reset_median=0.0
    )
    weight, errors = RNG.uniform(0.2, 1.0, (80, 100)), []
    for pairs in (1, 4):
        chip = Chip(Hardware(pairs=pairs, read_noise="none"), 1, parameter_set=calm)
        chip.program("w", weight)
        errors.append((chip.weights("w") - weight).std())
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.05)


def test_programming_again_keeps_the_devices_and_their_faults():
    chip = made(weight=RNG.normal(size=(100, 100)))
    faults = chip.matrices["w"].states[0].fault.copy()
    assert faults.any()
    chip.clock.wait(DAY_S)
    drifted = chip.conductances("w")
    chip.program("w", np.flipud(RNG.normal(size=(100, 100))))
    state = chip.matrices["w"].states[0]
    np.testing.assert_array_equal(state.fault, faults)
    assert state.programmed_at_s == DAY_S
    assert not np.array_equal(chip.conductances("w"), drifted)
    assert chip.n_devices == 20_000


def test_leading_dimensions_pass_through():
    chip = made(read_noise="none")
    y = chip.multiply("w", X.reshape(4, 4, 40))
    assert y.shape == (4, 4, 30)
    np.testing.assert_array_equal(y.reshape(16, 30), chip.multiply("w", X))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda chip: chip.multiply("v", X), "no matrix 'v'"),
        (lambda chip: chip.multiply("w", X[:, :3]), "has 40 rows"),
        (lambda chip: chip.multiply("w", X * np.nan), "NaN or infinite"),
        (lambda chip: chip.program("w", W[:5]), "occupies an array"),
        (lambda chip: chip.program("v", W * np.nan), r"v\[0, 0\] = nan"),
        (lambda chip: chip.program("v", W * 1e40), "scale the matrix"),
        (lambda chip: chip.program("v", W * 1e-14), "scale the matrix"),
        (lambda chip: chip.program("v", W * 1j), "real numbers"),
        (lambda chip: chip.multiply("w", X * 1j), "real numbers"),
        (lambda chip: chip.program("", W), "without a slash"),
        (lambda chip: chip.program("a/b", W), "without a slash"),
        (lambda chip: chip.clock.wait(-1.0), "duration_s"),
    ],
)
def test_what_a_chip_cannot_do_is_refused_and_changes_nothing(call, message):
    chip, untouched = made(), made()
    with pytest.raises(UsageError, match=message):
        call(chip)
    np.testing.assert_array_equal(chip.multiply("w", X), untouched.multiply("w", X))
    assert list(chip.matrices) == ["w"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_chip_that_is_looked_at_often_shows_the_same_numbers(dtype):
    """Its one pass and its memory against the plain way, through pulses and programming."""
    chips = [Chip(Hardware(scale="column"), 1, dtype=dtype, often=often) for often in (True, False)]
    rng = np.random.default_rng(5)
    for chip in chips:
        chip.program("w", W)
    for step in range(6):
        counts = rng.integers(-1, 3, (2, 1, *W.shape)) * (rng.random((2, 1, *W.shape)) < 0.1)
        where = rng.random(counts.shape) < 0.02
        seen = []
        for chip in chips:
            chip.clock.wait(10.0 ** (step - 3))
            chip.pulse("w", counts)
            few = chip.read("w", where)
            chip.write("w", np.full(counts.shape, 5.0), where)
            seen.append((few, chip.multiply("w", X), chip.read("w"), chip.weights("w")))
        for a, b in zip(*seen, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


def test_a_read_of_a_few_devices_shows_what_a_read_of_all_shows_of_them():
    """Without fresh noise, so that both show the same: 60 of 2,400 devices, after pulses."""
    calm = load_parameter_set("pcm-gst-90nm").with_values(noise_rate_split=1.9e6)
    chip = Chip(Hardware(), 1, parameter_set=calm)
    chip.program("w", W)
    chip.pulse("w", RNG.integers(0, 2, (2, 1, *W.shape)))
    chip.clock.wait(1000.0)
    where = RNG.random((2, 1, *W.shape)) < 0.025
    few = chip.read("w", where)
    np.testing.assert_allclose(few, chip.read("w")[where], rtol=1e-6)
    assert few.shape == (where.sum(),)


def test_hurried_reads_show_the_same_and_leave_nothing_behind():
    plain, hurried = Chip(seed=4), Chip(seed=4)
    for chip in (plain, hurried):
        chip.program("w", np.eye(5))
        chip.clock.wait(3600.0)
    with hurried.reading.hurried():
        for _ in range(3):
            plain.clock.wait(1e-3)
            hurried.clock.wait(1e-3)
            np.testing.assert_allclose(hurried.read("w"), plain.read("w"), rtol=1e-5, atol=1e-4)
        assert hurried.reading._followers
    assert not hurried.reading.often
    assert not hurried.reading._followers
