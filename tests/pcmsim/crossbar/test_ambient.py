"""From a configuration to an ambient, and what a chip in one shows, does and saves."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from pcmsim.config import Hardware, Temperature
from pcmsim.crossbar import Chip, ambient_of, chip_bytes, load_chip, restore_chip, save_chip
from pcmsim.devices import Ambient, conductance, load_parameter_set
from pcmsim.errors import DataError, UsageError

RNG = np.random.default_rng(0)
W = RNG.normal(0.0, 0.3, (40, 30))
X = RNG.uniform(0.0, 1.0, (16, 40)).astype(np.float32)
DAY_S = 86400.0
QUIET = Hardware(read_noise="none")
WARM = Ambient((0.0,), (50.0,))
BAKE = Ambient((0.0, 100.0, 3700.0), (25.0, 85.0, 25.0))
OFFICE_DAY = Path(__file__).parents[3] / "configs" / "office-day.csv"


def written(ambient=None, hardware=QUIET, dtype=np.float32, **settings):
    chip = Chip(hardware, 3, dtype=dtype, ambient=ambient, **settings)
    chip.program("w", W)
    return chip


def test_a_formula_is_taken_in_the_middle_of_each_step():
    found = ambient_of(Temperature(formula="t_s/10", step_s=100.0), 250.0)
    assert found == Ambient((0.0, 100.0, 200.0), (5.0, 15.0, 25.0))
    assert found.at(1e6) == 25.0


def test_a_last_step_that_is_cut_by_the_period_is_taken_in_its_own_middle():
    found = ambient_of(Temperature(formula="t_s/10", step_s=100.0, period_s=240.0), 1e9)
    assert found == Ambient((0.0, 100.0, 200.0), (5.0, 15.0, 22.0), 240.0)


def test_a_constant_and_a_table_become_what_they_say(tmp_path):
    assert ambient_of(Temperature(celsius=85.0), 10.0) == Ambient((0.0,), (85.0,))
    (tmp_path / "day.csv").write_text(
        "t_s,temperature_c\n0,20\n\n3600, 22.5\n", encoding="utf-8-sig"
    )
    found = ambient_of(Temperature(csv="day.csv", period_s=7200.0), 10.0, tmp_path)
    assert found == Ambient((0.0, 3600.0), (20.0, 22.5), 7200.0)


def test_the_office_day_is_cool_at_night_and_warm_in_the_afternoon():
    office = ambient_of(Temperature(csv=str(OFFICE_DAY), period_s=DAY_S), DAY_S)
    assert (office.lowest_c, office.highest_c) == (19.0, 24.0)
    assert office.at(3 * 3600.0) == 19.0
    assert office.at(15 * 3600.0 + 5 * DAY_S) == 24.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must be t_s,temperature_c"),
        ("time,temp\n0,20\n", "first line must be t_s,temperature_c; it is 'time,temp'"),
        ("t_s,temperature_c\n", "0 rows; from 1 to"),
        ("t_s,temperature_c\n0,20\n5,warm\n", "line 3: '5,warm' is not a time"),
        ("t_s,temperature_c\n0,20\n5\n", "line 3: '5' is not a time"),
        ("t_s,temperature_c\n0,20,1\n", "line 2: '0,20,1'"),
        ("t_s,temperature_c\n0,nan\n", "line 2: '0,nan'"),
        ("t_s,temperature_c\n5,20\n", "must start at 0 s; it starts at 5 s"),
        ("t_s,temperature_c\n0,20\n9,21\n9,22\n", "must increase; 9 s follows 9 s"),
        ("t_s,temperature_c\n0,20\n99,21\n", "period_s must be finite and above 99 s"),
        ("t_s,temperature_c\n0,-300\n", "above -273.15"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        ambient_of(Temperature(csv="t.csv", period_s=50.0), 10.0, tmp_path)


def test_missing_tables_and_endless_formulas_are_refused_before_any_work(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        ambient_of(Temperature(csv="nowhere.csv"), 10.0, tmp_path)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        ambient_of(Temperature(csv="binary.csv"), 10.0, tmp_path)
    with pytest.raises(UsageError, match=r"3\.6e\+09 steps of 1 s"):
        ambient_of(Temperature(formula="25", step_s=1.0), 3.6e9)
    with pytest.raises(UsageError, match="span_s"):
        ambient_of(Temperature(formula="25"), float("inf"))


@pytest.mark.parametrize("noise", ["correlated", "marginal", "none"])
@pytest.mark.parametrize("often", [False, True])
def test_a_chip_at_the_reference_temperature_is_a_chip_without_ambient(noise, often):
    hardware = Hardware(read_noise=noise)
    one = written(None, hardware, often=often)
    other = written(Ambient((0.0, 5.0), (25.0, 25.0)), hardware, often=often)
    for chip in (one, other):
        chip.clock.wait(1000.0)
        chip.pulse("w", np.ones(chip.conductances("w").shape, int))
        chip.clock.wait(1000.0)
    for see in ("conductances", "read", "weights"):
        np.testing.assert_array_equal(getattr(one, see)("w"), getattr(other, see)("w"))
    np.testing.assert_array_equal(one.multiply("w", X), other.multiply("w", X))


@pytest.mark.parametrize("often", [False, True])
def test_conductances_reads_weights_and_products_see_the_same_temperature(often):
    chip, cool = written(WARM, often=often), written(often=often)
    for each in (chip, cool):
        each.clock.wait(DAY_S)
    state = chip.matrices["w"].states[0]
    g = conductance(chip.values, state, DAY_S, ambient=WARM)
    np.testing.assert_array_equal(chip.conductances("w"), g)
    np.testing.assert_array_equal(chip.read("w"), g)
    weights = (g[0, 0] - g[1, 0]) * chip.matrices["w"].scale
    np.testing.assert_allclose(chip.weights("w"), weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(chip.multiply("w", X), X @ weights, rtol=1e-4, atol=1e-5)
    assert np.abs(chip.weights("w")).mean() > 1.1 * np.abs(cool.weights("w")).mean()


@pytest.mark.parametrize("noise", ["correlated", "marginal"])
@pytest.mark.parametrize("often", [False, True])
def test_noise_keeps_its_relative_size_and_its_clock(noise, often):
    """The same noise on the same devices, whatever the temperature."""
    hardware = Hardware(read_noise=noise)
    warm, cool = (written(a, hardware, often=often, dtype=np.float64) for a in (WARM, None))
    relative = []
    for chip in (warm, cool):
        chip.clock.wait(DAY_S)
        large = chip.matrices["w"].states[0].g > 2.0
        relative.append(chip.read("w")[large] / chip.conductances("w")[large])
    np.testing.assert_allclose(*relative, rtol=1e-9)
    assert relative[0].std() > 0.01


def test_a_few_devices_are_read_at_the_temperature_of_all():
    chip = written(WARM)
    chip.clock.wait(60.0)
    where = np.zeros(chip.conductances("w").shape, bool)
    where[0, 0, 3, :5] = True
    np.testing.assert_allclose(chip.read("w", where), chip.conductances("w")[where], rtol=1e-6)


def test_a_change_of_temperature_shows_although_the_devices_rest():
    chip = written(BAKE)
    chip.clock.wait_until(99.0)
    before = np.abs(chip.weights("w")).mean()
    chip.clock.wait_until(100.0)
    assert np.abs(chip.weights("w")).mean() > 1.5 * before
    chip.clock.wait_until(3700.0)
    assert np.abs(chip.weights("w")).mean() < before


def test_pulses_of_a_chip_find_the_drift_of_its_bake():
    chips = [written(a, dtype=np.float64) for a in (BAKE, None)]
    for chip in chips:
        chip.clock.wait_until(3800.0)
        chip.pulse("w", np.ones(chip.conductances("w").shape, int))
    baked, cool = (chip.matrices["w"].states[0] for chip in chips)
    moved = (baked.fault == 0) & (cool.g > 5.0)
    assert baked.g[moved].mean() < 0.95 * cool.g[moved].mean()


def test_the_closed_loop_is_refused_while_it_is_warm_before_any_device_is_touched():
    chip = written(BAKE)
    assert chip.program("w", W, method="verify").seconds < 100.0
    chip.clock.wait_until(200.0)
    before = chip.conductances("w")
    with pytest.raises(UsageError, match="described at 25 °C and it is 85 °C"):
        chip.program("w", -W, method="verify")
    np.testing.assert_array_equal(chip.conductances("w"), before)
    chip.program("w", -W)
    assert not np.array_equal(chip.conductances("w"), before)


def test_a_chip_refuses_temperatures_that_its_set_does_not_hold_at():
    with pytest.raises(UsageError, match="up to 85 °C"):
        Chip(ambient=Ambient((0.0,), (120.0,)))
    with pytest.raises(UsageError, match="holds at 25 °C only"):
        Chip(Hardware(device="ideal"), ambient=WARM)
    Chip(Hardware(device="ideal"), ambient=Ambient((0.0,), (25.0,)))
    wider = load_parameter_set("pcm-gst-90nm").entries["temperature"].value | {"highest_c": 130.0}
    set_of_mine = load_parameter_set("pcm-gst-90nm").with_values(temperature=wider)
    Chip(ambient=Ambient((0.0,), (120.0,)), parameter_set=set_of_mine)


@pytest.mark.parametrize("period_s", [None, 7200.0])
def test_a_chip_file_keeps_the_ambient(tmp_path, period_s):
    chip = written(Ambient((0.0, 100.0, 3700.0), (25.0, 61.7, 25.0), period_s))
    chip.clock.wait(1000.0)
    save_chip(chip, tmp_path / "chip.h5")
    restored = load_chip(tmp_path / "chip.h5")
    assert restored.ambient == chip.ambient
    for each in (chip, restored):
        each.clock.wait(7200.0)
    np.testing.assert_array_equal(restored.conductances("w"), chip.conductances("w"))


def test_a_profile_of_a_million_steps_fits_into_a_chip_file():
    steps = 1_000_000
    chip = Chip(ambient=Ambient(np.arange(steps) * 600.0, RNG.uniform(15.0, 30.0, steps)))
    assert restore_chip(chip_bytes(chip)).ambient == chip.ambient


def test_files_of_chips_without_ambient_have_the_format_they_had(tmp_path):
    for ambient, number in ((None, 2), (WARM, 3)):
        save_chip(written(ambient), tmp_path / "chip.h5")
        with h5py.File(tmp_path / "chip.h5") as file:
            assert file.attrs["pcmsim_chip_format"] == number


def test_a_file_with_a_broken_ambient_is_refused(tmp_path):
    for name, value in (
        ("ambient_starts_s", [5.0, 1.0, 2.0]),
        ("ambient_temperature_c", [900.0] * 3),
    ):
        save_chip(written(BAKE), tmp_path / "chip.h5")
        with h5py.File(tmp_path / "chip.h5", "a") as file:
            file.attrs[name] = value
        with pytest.raises(DataError, match="cannot be read as a chip"):
            load_chip(tmp_path / "chip.h5")
