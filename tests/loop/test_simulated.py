import numpy as np
import pytest

from pcmsim.config import Hardware, Timing
from pcmsim.crossbar import Chip
from pcmsim.errors import DataError, UsageError
from pcmsim.loop import MockCrossbar, Restorable, SimulatedArrays, Worn

SHAPES = {"a": (4, 3), "b": (3, 5)}
SHAPE = (2, 1, 4, 3)
TARGET = np.random.default_rng(2).permutation(np.linspace(0.0, 25.0, 24)).reshape(SHAPE)
WHERE = np.zeros(SHAPE, dtype=bool)
WHERE[0, 0, 1, :2] = WHERE[1, 0, 3, 2] = True
TIMING = Timing(multiply_s=1.0, read_s=10.0, pulse_s=100.0, program_s=1000.0)


def arrays(seed=3, **hardware):
    return SimulatedArrays(SHAPES, Hardware.model_validate(hardware), seed)


def assert_same(first, second):
    """But for rounding: a chip that is looked at often adds up in another order."""
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-4)


def counts():
    found = np.zeros(SHAPE, dtype=np.int32)
    found[0, 0, 0] = (5, 0, -1)
    found[1, 0, 2] = (0, 3, -1)
    return found


@pytest.mark.parametrize(
    ("operation", "seconds"),
    [
        (lambda a: a.program(TARGET), 24 * 1000.0),
        (lambda a: a.program(TARGET, WHERE), 3 * 1000.0),
        (lambda a: a.program(TARGET, np.zeros(SHAPE, dtype=bool)), 0.0),
        (lambda a: a.pulse(counts()), 10 * 100.0),
        (lambda a: a.pulse(np.zeros(SHAPE, dtype=np.int32)), 0.0),
        (lambda a: a.read(), 8 * 10.0),
        (lambda a: a.read(WHERE), 2 * 10.0),
        (lambda a: a.multiply(np.ones((7, 4))), 7 * 1.0),
    ],
)
def test_operations_take_the_times_they_are_said_to(operation, seconds):
    both = arrays(device="ideal", timing=TIMING)
    operation(both["a"])
    assert both["a"].clock.now_s == both["b"].clock.now_s == seconds


def test_a_closed_loop_takes_its_own_time_and_its_devices_are_written_within_it():
    array = arrays(programming="verify", timing=TIMING)["a"]
    array.program(TARGET)
    assert 0.0 < array.clock.now_s < 1.0
    assert np.abs(array.read() - TARGET).max() < 6.0


def test_what_happens_first_is_done_before_its_time_has_passed():
    """A product sees devices as old as they are when its first input comes."""
    array = arrays(device="pcm-gst-90nm", read_noise="none", timing=TIMING)["a"]
    array.program(np.full(SHAPE, 20.0))
    began_s, chip = array.clock.now_s, arrays(read_noise="none", timing=TIMING).chip
    chip.write("a", np.full(SHAPE, 20.0))
    chip.clock.wait(began_s)
    x = np.eye(4, dtype=np.float32)
    np.testing.assert_array_equal(array.multiply(x), chip.multiply("a", x))
    chip.clock.wait(4.0)
    np.testing.assert_array_equal(array.read(), chip.read("a"))


@pytest.mark.parametrize("programming", ["statistical", "verify"])
def test_the_array_is_a_matrix_of_the_chip(programming):
    both = arrays(programming=programming)
    hardware = both.chip.hardware
    chip = Chip(hardware, 3)
    for name, shape in SHAPES.items():
        chip.allocate(name, shape)
    array, x = both["a"], np.linspace(-1.0, 1.0, 20).reshape(5, 4).astype(np.float32)
    array.program(TARGET)
    chip.write("a", TARGET)
    for now in (lambda: chip.pulse("a", counts()), lambda: chip.write("a", TARGET[::-1], WHERE)):
        chip.clock.wait_until(array.clock.now_s)
        assert_same(array.multiply(x), chip.multiply("a", x))
        chip.clock.wait_until(array.clock.now_s)
        assert_same(array.read(), chip.read("a"))
        array.clock.wait(500.0)
        chip.clock.wait_until(array.clock.now_s)
        assert_same(array.read(WHERE), chip.read("a", WHERE))
        chip.clock.wait_until(array.clock.now_s)
        now()
        if now.__code__.co_names[-1] == "counts":
            array.pulse(counts())
        else:
            array.program(TARGET[::-1], WHERE)
    chip.clock.wait_until(max(array.clock.now_s, chip.clock.now_s))
    assert_same(array.read(), chip.read("a"))


def test_a_restored_chip_goes_on_as_if_nothing_had_been():
    both = arrays()
    both["a"].program(TARGET)
    both["b"].program(np.full((2, 1, 3, 5), 4.0))
    both["a"].clock.wait(3600.0)
    both["a"].pulse(counts())
    state = both.snapshot()

    def goes_on(some):
        found = [some["a"].read(), some["b"].multiply(np.ones((2, 3))), some["a"].clock.now_s]
        some["a"].pulse(counts())
        some["b"].program(np.full((2, 1, 3, 5), 9.0))
        return [*found, some["a"].read(), some["b"].read(), some["b"].wear()["resets"]]

    wanted = goes_on(both)
    array = both["a"]
    both.restore(state)
    other = arrays()
    other["a"].clock.wait(5.0)
    other.restore(state)
    for some in (both, other):
        for one, two in zip(goes_on(some), wanted, strict=True):
            np.testing.assert_array_equal(one, two)
    with pytest.raises(DataError, match="another chip"):
        arrays(seed=99).restore(state)
    assert array.clock is both.chip.clock, "crossbars that were handed out belong to the new chip"


def test_a_snapshot_of_another_chip_or_a_damaged_one_is_refused_and_changes_nothing():
    both = arrays(device="ideal")
    both["a"].program(TARGET)
    foreign = SimulatedArrays({"c": (4, 3)}, Hardware(device="ideal"), 1).snapshot()
    state = both.snapshot()
    for bad in (foreign, state[: len(state) // 2], b""):
        with pytest.raises(DataError):
            both.restore(bad)
        np.testing.assert_array_equal(both["a"].read(), TARGET.astype(np.float32))


def test_wear_counts_what_devices_have_been_through():
    array = arrays(device="ideal")["a"]
    new = array.wear()
    assert new == {"set_pulses": 0.0, "resets": 24.0, "most_set_pulses": 0.0, "most_resets": 1.0}
    array.pulse(counts())
    array.pulse(np.maximum(counts(), 0))
    assert array.wear() == {
        "set_pulses": 16.0,
        "resets": 24.0 + 2.0,
        "most_set_pulses": 10.0,
        "most_resets": 2.0,
    }


def test_wear_is_that_of_all_tiles():
    array = arrays(device="ideal", tile_rows=2, tile_columns=2)["a"]
    array.pulse(counts())
    assert array.wear()["set_pulses"] == 8.0
    assert array.wear()["most_set_pulses"] == 5.0


@pytest.mark.parametrize(
    "operation",
    [
        lambda a: a.read(WHERE.astype(int)),
        lambda a: a.read(WHERE[:1]),
        lambda a: a.program(TARGET, WHERE.astype(int)),
        lambda a: a.program(TARGET, WHERE[:, :, :2]),
        lambda a: a.multiply(np.ones(4)),
        lambda a: a.multiply(np.ones((2, 3, 4))),
        lambda a: a.multiply(np.ones((2, 3))),
        lambda a: a.pulse(np.ones(SHAPE)),
        lambda a: a.program(np.full(SHAPE, -1.0)),
    ],
)
@pytest.mark.parametrize("kind", ["mock", "simulated"])
def test_what_makes_no_sense_is_refused_and_takes_no_time(operation, kind):
    array = arrays(device="ideal")["a"] if kind == "simulated" else MockCrossbar(SHAPE)
    array.program(TARGET)
    began_s = array.clock.now_s
    with pytest.raises(UsageError):
        operation(array)
    assert array.clock.now_s == began_s
    np.testing.assert_allclose(array.read(), TARGET, atol=1e-5)


def test_targets_of_devices_that_were_not_chosen_are_not_looked_at():
    for array in (arrays(device="ideal")["a"], MockCrossbar(SHAPE)):
        array.program(TARGET)
        array.program(np.where(WHERE, 3.0, np.nan), WHERE)
        np.testing.assert_allclose(array.read(), np.where(WHERE, 3.0, TARGET), atol=1e-5)


def test_simulated_arrays_can_be_kept_and_count_their_wear():
    both = arrays(device="ideal")
    assert isinstance(both, Restorable)
    assert isinstance(both["a"], Worn)
    assert not isinstance(MockCrossbar(SHAPE), Worn)
    assert (list(both), len(both)) == (["a", "b"], 2)


def test_arrays_around_a_chip_show_its_devices_in_microsiemens_and_leave_it_as_it_is():
    chip, weight = Chip(Hardware(device="ideal", scale="column"), 3), np.eye(4)[:, :3] * 0.5
    chip.program("a", weight)
    chip.program("b", np.ones((3, 5)))
    found = SimulatedArrays.around(chip, ["a"])
    assert (list(found), found.chip, found["a"].shape) == (["a"], chip, SHAPE)
    np.testing.assert_allclose(found["a"].multiply(np.eye(4)), weight / 0.5 * 25.0, rtol=1e-6)
    np.testing.assert_allclose(chip.weights("a"), weight, rtol=1e-6)
    found["a"].program(TARGET)
    np.testing.assert_allclose(chip.read("a"), TARGET, rtol=1e-6)
