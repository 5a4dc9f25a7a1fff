import h5py
import numpy as np
import pytest

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip, load_chip, save_chip
from pcmsim.errors import DataError

RNG = np.random.default_rng(0)
W = RNG.normal(0.0, 0.3, (40, 30))
X = RNG.uniform(0.0, 1.0, (16, 40)).astype(np.float32)


@pytest.mark.parametrize("noise", ["correlated", "marginal", "none"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_restored_chip_goes_on_as_if_nothing_had_happened(tmp_path, noise, dtype):
    chip = Chip(Hardware(read_noise=noise, tile_rows=25, pairs=2), 2**64 - 3, dtype=dtype)
    chip.program("a.weight", W)
    chip.clock.wait(17.0)
    chip.multiply("a.weight", X)
    save_chip(chip, tmp_path / "chip.h5")
    restored = load_chip(tmp_path / "chip.h5")
    for each in (chip, restored):
        each.clock.wait(5000.0)
    np.testing.assert_array_equal(restored.multiply("a.weight", X), chip.multiply("a.weight", X))
    np.testing.assert_array_equal(restored.weights("a.weight"), chip.weights("a.weight"))
    for each in (chip, restored):
        each.program("a.weight", -W)
    np.testing.assert_array_equal(restored.conductances("a.weight"), chip.conductances("a.weight"))
    assert restored.parameter_set == chip.parameter_set
    assert restored.hardware == chip.hardware


def test_a_changed_parameter_set_travels_with_the_chip(tmp_path):
    chip = Chip(Hardware(), 1)
    changed = chip.parameter_set.with_values(t0_s=33.0)
    chip = Chip(Hardware(), 1, parameter_set=changed)
    chip.program("w", W)
    save_chip(chip, tmp_path / "chip.h5")
    assert load_chip(tmp_path / "chip.h5").values.t0_s == 33.0


def test_conductances_in_the_file_say_their_unit(tmp_path):
    chip = Chip(Hardware(), 1)
    chip.program("w", W)
    save_chip(chip, tmp_path / "chip.h5")
    with h5py.File(tmp_path / "chip.h5") as file:
        assert file["w/tile0/g"].attrs["units"] == "uS"
        np.testing.assert_array_equal(file["w/tile0/g"][:], chip.matrices["w"].states[0].g)


def test_a_file_that_is_no_chip_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("not a chip")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    chip = Chip(Hardware(), 1)
    chip.program("w", W)
    save_chip(chip, tmp_path / "broken.h5")
    with h5py.File(tmp_path / "broken.h5", "a") as file:
        del file["w/tile0/nu"]
    for name, message in (
        ("text.h5", "cannot be read as a chip"),
        ("other.h5", "not a chip of format"),
        ("broken.h5", "cannot be read as a chip"),
        ("none.h5", "cannot be read as a chip"),
    ):
        with pytest.raises(DataError, match=message):
            load_chip(tmp_path / name)


def test_a_place_that_refuses_is_named_and_left_alone(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        save_chip(Chip(Hardware(), 1), tmp_path / "taken" / "chip.h5")
    assert (tmp_path / "taken").read_text() == "a file"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("tile0/g", lambda g: g * np.nan),
        ("tile0/g", lambda g: g - 30.0),
        ("tile0/g", lambda g: g[:, :, :-1]),
        ("tile0/g", lambda g: g.astype(np.float64)),
        ("tile0/nu", lambda nu: nu + np.inf),
        ("scale", lambda s: s * 0.0),
        ("scale", lambda s: s[:1]),
    ],
)
def test_values_that_no_device_has_are_refused(tmp_path, field, change):
    chip = Chip(Hardware(), 1)
    chip.program("w", W)
    save_chip(chip, tmp_path / "chip.h5")
    with h5py.File(tmp_path / "chip.h5", "a") as file:
        values = change(file["w"][field][()])
        del file["w"][field]
        file["w"][field] = values
    with pytest.raises(DataError, match=field.rsplit("/", 1)[-1]):
        load_chip(tmp_path / "chip.h5")
