"""Training with the hardware in the loop: its laws, and that it can be taken up anywhere."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from pcmsim.config import Data, Hardware, Loop, Network
from pcmsim.datasets import load
from pcmsim.devices import load_parameter_set
from pcmsim.errors import DataError
from pcmsim.loop import (
    HardwareError,
    LoopNetwork,
    SimulatedArrays,
    WeightArray,
    begin,
    evaluate,
    follow,
    restore_training,
    save_training,
    train_in_loop,
)
from pcmsim.networks import SpikingNetwork

SPEC = Network(unit="ssnu", hidden=(12,))
RULES = {
    "reprogram": {"name": "reprogram", "g_threshold": 0.3},
    "accumulate": {"name": "accumulate"},
    "stochastic": {"name": "stochastic", "g_scale": 2.0},
    "round_robin": {"name": "round_robin"},
    "digital": {"name": "digital"},
}


@pytest.fixture(scope="module")
def dataset():
    return load(Data(name="synthetic"), seed=1)


def loop_of(*rules, epochs=1, **changes):
    phases = [
        {"rule": RULES[rule], "epochs": epochs, "wait_s": 30.0, "gain_learning_rate": 1e-3}
        for rule in rules
    ]
    values = {"phases": phases, "batch_size": 4, "corrections": 1, "dropout": 0.1}
    return Loop.model_validate({**values, **changes})


def made(loop, device="pcm-gst-90nm", pairs=1, seed=7, unit="ssnu", **keys):
    """A network on the arrays of a chip, ready to begin."""
    hardware = Hardware(scale="column", pairs=pairs, device=device)
    spec = Network.model_validate(SPEC.model_dump(mode="json") | {"unit": unit} | keys)
    network = SpikingNetwork(spec, torch.Generator().manual_seed(3))
    shapes = {name: tuple(w.shape) for name, w in network.matrices().items()}
    arrays = SimulatedArrays(shapes, hardware, seed)
    values = load_parameter_set(device).values
    mapped = {
        name: WeightArray.fitted(arrays[name], w.detach().numpy(), values, hardware)
        for name, w in network.matrices().items()
    }
    return begin(LoopNetwork(network, mapped), loop), arrays


def everything(run, arrays):
    """All that a later step depends on, and the history without what a wall clock measured."""
    state = {name: value.numpy() for name, value in run.model.state_dict().items()}
    for name, memory in run.memories.items():
        state |= {f"{name}/{key}": value for key, value in memory.items()}
    for name, matrix in arrays.chip.matrices.items():
        for field in ("g", "nu", "sets", "set_pulses", "resets", "programmed_at_s"):
            state[f"{name}/{field}"] = np.asarray(getattr(matrix.states[0], field))
        state[f"{name}/read"] = arrays.chip.read(name)
    history = [replace(report, seconds=0.0) for report in run.history]
    return state, history, arrays.chip.clock.now_s


def same(first, second):
    for name in first[0] | second[0]:
        np.testing.assert_array_equal(first[0][name], second[0][name], err_msg=name)
    assert first[1:] == second[1:]


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(
    ("rules", "changes", "pairs"),
    [
        (("reprogram", "digital"), {}, 1),
        (("accumulate", "reprogram"), {"refresh": {"every": 2}}, 1),
        (("stochastic",), {"forward": "readback", "readback_every": 3}, 1),
        (("round_robin",), {}, 2),
    ],
    ids=["reprogram", "accumulate", "readback", "pairs"],
)
def test_training_goes_on_from_any_batch_bit_for_bit(
    dataset, tmp_path, rules, changes, pairs, batch
):
    loop = loop_of(*rules, **changes)
    unbroken, arrays = made(loop, pairs=pairs)

    def keep(run):
        if run.position.batch == batch and run.position.phase == len(rules) - 1:
            save_training(run, arrays, tmp_path)

    train_in_loop(unbroken, dataset, loop, 5, keep)
    resumed, again = made(loop, pairs=pairs)
    assert restore_training(resumed, again, tmp_path)
    assert (resumed.position.phase, resumed.position.batch) == (len(rules) - 1, batch)
    train_in_loop(resumed, dataset, loop, 5)
    same(everything(unbroken, arrays), everything(resumed, again))


def test_training_goes_on_from_the_end_of_a_phase_and_does_nothing_after_the_last(
    dataset, tmp_path
):
    loop = loop_of("reprogram", "accumulate")
    run, arrays = made(loop)
    marks = []
    train_in_loop(run, dataset, loop, 5, lambda r: marks.append(r.position))
    save_training(run, arrays, tmp_path)
    resumed, again = made(loop)
    restore_training(resumed, again, tmp_path)
    before = everything(resumed, again)
    restore_training(resumed, again, tmp_path)
    train_in_loop(resumed, dataset, loop, 5)
    same(before, everything(resumed, again))
    assert [m.phase for m in marks] == sorted(m.phase for m in marks)
    assert marks[-1].phase == 2


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
@pytest.mark.parametrize("rule", ["reprogram", "accumulate"])
def test_a_network_learns_on_noisy_devices_from_random_weights(dataset, unit, rule):
    """Measured loss of the training split falls well below where it began."""
    loop = loop_of(rule, epochs=8, batch_size=2, dropout=0.0, corrections=0)
    rate = {"learning_rate": 0.02, "digital_learning_rate": 0.02, "wait_s": 0.0}
    loop = loop.model_copy(
        update={"phases": tuple(phase.model_copy(update=rate) for phase in loop.phases)}
    )
    run, _ = made(loop, unit=unit)
    train_in_loop(run, dataset, loop, 5)
    losses = [report.train_loss for report in run.history[1:]]
    assert losses[-1] < 0.7 * losses[0]
    assert run.history[-1].valid_metric < 0.7 * run.history[0].valid_metric


def test_devices_that_are_left_alone_only_drift_while_thresholds_learn(dataset):
    loop = loop_of("digital", corrections=0)
    run, arrays = made(loop)
    untouched = {}

    def first(r):
        if not untouched:
            untouched.update({n: m.states[0].g.copy() for n, m in arrays.chip.matrices.items()})

    train_in_loop(run, dataset, loop, 5, first)
    for name, g in untouched.items():
        np.testing.assert_array_equal(arrays.chip.matrices[name].states[0].g, g)
    threshold = run.model.network.hidden0.threshold
    assert not torch.equal(threshold, torch.ones_like(threshold))
    assert run.history[-1].programmed == run.history[-1].set_pulses == 0


def test_one_exponent_for_all_devices_is_restored_exactly_after_each_wait(dataset):
    """What is measured after a day equals what was measured before, without noise."""
    loop = loop_of("digital", corrections=0)
    run, arrays = made(loop, device="ideal")
    parameter_set = load_parameter_set("ideal").with_values(nu_mean={"constant": 0.05})
    object.__setattr__(arrays.chip.reading, "values", parameter_set.values)
    for array, name in zip(run.model.arrays.values(), run.model.weights, strict=True):
        array.write(run.model.weights[name].detach().numpy())
        for i, state in enumerate(arrays.chip.matrices[name].states):
            arrays.chip.matrices[name].states[i] = replace(state, nu=np.full_like(state.g, 0.05))
    run.model.programmed()
    before = evaluate(run.model.network, dataset.test, run.model.multiply)
    arrays.chip.clock.wait(86400.0)
    aged = evaluate(run.model.network, dataset.test, run.model.multiply)
    run.model.restore()
    after = evaluate(run.model.network, dataset.test, run.model.multiply)
    assert abs(aged.per_step - before.per_step) > 0.05
    assert after.per_step == pytest.approx(before.per_step, abs=1e-4)


@pytest.mark.parametrize("damage", ["flip", "cut", "other"])
def test_a_checkpoint_that_is_damaged_or_of_another_network_is_refused(dataset, tmp_path, damage):
    loop = loop_of("reprogram")
    run, arrays = made(loop)
    train_in_loop(run, dataset, loop, 5)
    save_training(run, arrays, tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 3])
    other = SPEC.model_copy(update={"hidden": (13,)}) if damage == "other" else SPEC
    fresh, again = made(loop)
    if damage == "other":
        network = SpikingNetwork(other)
        arrays13 = SimulatedArrays(
            {n: tuple(w.shape) for n, w in network.matrices().items()}, Hardware(), 1
        )
        mapped = {
            n: WeightArray.fitted(arrays13[n], w.detach().numpy(), arrays13.chip.values, Hardware())
            for n, w in network.matrices().items()
        }
        fresh, again = begin(LoopNetwork(network, mapped), loop), arrays13
    with pytest.raises(DataError, match=r"checkpoint\.safetensors"):
        restore_training(fresh, again, tmp_path)
    shutil.rmtree(tmp_path)
    assert not restore_training(fresh, again, tmp_path)


def still(rule, **changes):
    """A loop of one epoch whose learning rates are next to nothing."""
    phase = {"rule": RULES[rule], "epochs": 1, "learning_rate": 1e-12}
    return loop_of(rule, phases=[{**phase, "digital_learning_rate": 1e-12}], **changes)


def test_weights_that_were_clipped_stay_where_they_were_written(dataset):
    """Software believes what devices were told, so learning nothing moves no device."""
    loop = still("reprogram", corrections=0)
    hardware = Hardware(scale="column", clip_std=1.0)
    network = SpikingNetwork(SPEC, torch.Generator().manual_seed(3))
    shapes = {name: tuple(w.shape) for name, w in network.matrices().items()}
    arrays = SimulatedArrays(shapes, hardware, 7)
    mapped = {
        name: WeightArray.fitted(arrays[name], w.detach().numpy(), arrays.chip.values, hardware)
        for name, w in network.matrices().items()
    }
    run = begin(LoopNetwork(network, mapped), loop)
    train_in_loop(run, dataset, loop, 5)
    assert run.history[0].programmed == sum(2 * w.numel() for w in network.matrices().values())
    assert run.history[1].programmed == 0


def test_where_devices_are_left_alone_software_does_not_believe_otherwise(dataset):
    loop = loop_of("digital", corrections=0, refresh={"g_above": 0.1, "g_difference": 25.0})
    run, _ = made(loop)
    before = {name: w.detach().clone() for name, w in run.model.weights.items()}
    train_in_loop(run, dataset, loop, 5)
    for name, weight in run.model.weights.items():
        assert torch.allclose(weight, before[name], rtol=1e-6, atol=0.0)
    assert run.history[-1].resets == 0


def test_weights_that_are_read_back_age_like_the_devices(dataset):
    """Read again at each time: the metric moves with the days as that of measured products does."""
    found = {}
    for forward in ("multiply", "readback"):
        loop = still("digital", corrections=0, forward=forward)
        run, _ = made(loop)
        run.model.reads_back = forward == "readback"
        train_in_loop(run, dataset, loop, 5)
        rows = follow(run.model, dataset.test, dataset.train, ["none"], [0.0, 86400.0])
        found[forward] = [row.per_step for row in rows]
    change = np.diff(list(found.values()), axis=1).ravel()
    assert abs(change[0]) > 0.02
    assert change[1] == pytest.approx(change[0], abs=0.3 * abs(change[0]))


def test_convolutions_train_in_the_loop_and_are_followed_with_every_compensation(dataset):
    loop = loop_of("reprogram")
    layer = {"channels": 3, "kernel": 3, "stride": 2, "pool": 2}
    run, arrays = made(loop, image=(1, 8, 11), convolutions=(layer,), hidden=(8,))
    few = {name: getattr(dataset, name).first(4) for name in ("train", "valid")}
    train_in_loop(run, replace(dataset, **few), loop, 5)
    seconds = arrays.chip.clock.now_s
    evaluate(run.model.network, dataset.test.first(1), run.model.multiply)
    steps = len(dataset.test.rolls[0]) - 1
    assert arrays.chip.clock.now_s - seconds == pytest.approx(steps * (15 + 2) * 1e-6, rel=1e-3)
    kinds = ["none", "global", "affine"]
    some = (dataset.test.first(2), dataset.train.first(4))
    rows = follow(run.model, *some, kinds, [0.0, 864000.0])
    found = np.array([row.per_step for row in rows]).reshape(2, 3)
    assert found[0] == pytest.approx(found[0, 0], abs=0.3)
    assert abs(found[1, 2] - found[0, 2]) < abs(found[1, 0] - found[0, 0])


class Once:
    """An array that fails at its next pulse or programming, once, if it is told to."""

    def __init__(self, crossbar):
        self.crossbar, self.fails = crossbar, False

    def __getattr__(self, name):
        return getattr(self.crossbar, name)

    def program(self, *args):
        self._fail()
        self.crossbar.program(*args)

    def pulse(self, counts):
        self._fail()
        self.crossbar.pulse(counts)

    def _fail(self):
        if self.fails:
            self.fails = False
            raise HardwareError("hidden: program failed")


def test_when_one_array_fails_the_change_of_the_others_waits_for_them(dataset):
    """What is owed in the end is what it would have been: nothing of the batch is lost."""
    fine = {"name": "accumulate", "g_step": 1000.0}
    loop = loop_of("reprogram", corrections=0)
    loop = Loop.model_validate(
        {**loop.model_dump(), "phases": [{"rule": fine, "epochs": 1, "learning_rate": 1e-3}]}
    )
    owed = []
    for fails in (False, True):
        run, _ = made(loop)
        array = run.model.arrays["hidden0.weight"]
        array.crossbar = Once(array.crossbar)

        def arm(r, crossbar=array.crossbar, fails=fails):
            if fails and r.position.batch == 2:
                r.memories["hidden0.weight"]["owed"][0, 0] = 2000.0
                crossbar.fails = True
            elif r.position.batch == 2:
                r.memories["hidden0.weight"]["owed"][0, 0] = 2000.0

        try:
            train_in_loop(run, dataset, loop, 5, arm)
        except HardwareError:
            assert "late" in run.memories["readout.weight"]
            train_in_loop(run, dataset, loop, 5)
        owed.append(run.memories["readout.weight"]["owed"])
    assert np.abs(owed[0]).max() > 0.05
    np.testing.assert_allclose(owed[1], owed[0], atol=0.05 * np.abs(owed[0]).max())
