"""Learning rules on arrays: gradients of what was measured, in the order in which it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pcmsim.clock import Clock
from pcmsim.config import Bptt, Data, Eprop, Hardware, Loop, Network, Ostl, TruncatedBptt
from pcmsim.datasets import Dataset, Split, load, pad
from pcmsim.devices import load_parameter_set
from pcmsim.errors import PcmsimError
from pcmsim.loop import (
    HardwareError,
    LoopNetwork,
    MockCrossbar,
    SimulatedArrays,
    WeightArray,
    begin,
    make_loop_learner,
    restore_training,
    save_training,
    train_in_loop,
)
from pcmsim.networks import SpikingNetwork

OSTL = Ostl(rule="ostl")
STEPWISE = Ostl(rule="ostl", update="step", update_steps=5, block_steps=2)
EPROP = Eprop(rule="eprop", update="step", update_steps=5)


@pytest.fixture(scope="module")
def dataset():
    found = load(Data(name="synthetic"), seed=1)
    few = Split("train", tuple(roll[:16] for roll in found.train.rolls[:6]))
    return Dataset("few", few, Split("valid", found.valid.rolls[:2]), found.test, "")


def network_of(recurrent=True, dtype=torch.float64, hidden=(6,), unit="ssnu", **layers):
    spec = Network(unit=unit, hidden=hidden, recurrent=recurrent, **layers)
    return SpikingNetwork(spec, torch.Generator().manual_seed(9), dtype)


def on_exact_arrays(network):
    """The network on arrays that do what they are told, with gains and factors that are not 1."""
    clock, arrays = Clock(), {}
    for name, weight in network.matrices().items():
        shape = tuple(weight.shape)
        crossbar = MockCrossbar((2, 1, *shape), clock=clock)
        arrays[name] = WeightArray(crossbar, 25.0, np.full(shape[1], 0.2))
        arrays[name].write(weight.detach().numpy())
    model = LoopNetwork(network, arrays)
    generator = torch.Generator().manual_seed(4)
    for number, name in enumerate(model.weights):
        gain = model.gain(name)
        drawn = torch.rand(gain.shape, generator=generator, dtype=gain.dtype)
        gain.data = 0.5 + drawn
        model.restore_by(name, 1.3 + 0.2 * number)
    return model


def gradients(learning, model, batch):
    """Parts and gradients of a batch without an update in between."""
    found = []
    for part in make_loop_learner(learning, model.network, 0)(model, batch, None):
        found.append((part, {n: p.grad.clone() for n, p in model.named_parameters()}))
    return found


@pytest.mark.parametrize(
    ("recurrent", "unit"),
    [(False, "snu"), pytest.param(True, "snu", marks=pytest.mark.slow), (True, "ssnu")],
)
def test_deferred_ostl_has_the_gradients_of_bptt_gains_and_restoring_factors_included(
    recurrent, unit, dataset
):
    model, batch = on_exact_arrays(network_of(recurrent, unit=unit)), pad(dataset.train.rolls[:3])
    ((wanted_part, wanted),) = gradients(Bptt(), model, batch)
    for block in (1, 7):
        rule = Ostl(rule="ostl", block_steps=block)
        ((part, found),) = gradients(rule, model, batch)
        assert part.loss == pytest.approx(wanted_part.loss, rel=1e-10)
        assert part.count == wanted_part.count
        for name in wanted:
            torch.testing.assert_close(found[name], wanted[name], rtol=1e-8, atol=1e-10)
    assert min(float(g.abs().max()) for g in wanted.values()) > 1e-3


def test_parts_of_a_sequence_add_up_to_the_whole(dataset):
    model, batch = on_exact_arrays(network_of()), pad(dataset.train.rolls[:3])
    ((whole_part, whole),) = gradients(OSTL, model, batch)
    parts = gradients(STEPWISE, model, batch)
    assert len(parts) == -(-len(batch.inputs) // 5)
    assert sum(part.count for part, _ in parts) == whole_part.count
    assert sum(part.loss for part, _ in parts) == pytest.approx(whole_part.loss, rel=1e-10)
    for name, wanted in whole.items():
        torch.testing.assert_close(sum(found[name] for _, found in parts), wanted)


CONVOLUTION = {"channels": 2, "kernel": 3, "stride": 2, "pool": 2}


@pytest.mark.parametrize(
    "layers", [{}, {"image": (1, 8, 11), "convolutions": (CONVOLUTION,)}], ids=["dense", "image"]
)
def test_truncation_to_more_steps_than_there_are_is_bptt(layers, dataset):
    model, batch = on_exact_arrays(network_of(**layers)), pad(dataset.train.rolls[:2])
    ((whole, wanted),) = gradients(Bptt(), model, batch)
    rule = TruncatedBptt(rule="truncated_bptt", steps=1000)
    ((_, found),) = gradients(rule, model, batch)
    ((part, cut),) = gradients(rule.model_copy(update={"steps": 2}), model, batch)
    assert part.loss == pytest.approx(whole.loss, rel=1e-10)  # what is cut is no state
    assert part.count == whole.count
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name])
    name = "network.hidden0.recurrent"
    assert not torch.allclose(cut[name], wanted[name], rtol=1e-2)


def test_losses_and_errors_are_those_of_the_devices_and_not_of_what_is_believed(dataset):
    """A readout that is in RESET answers with the bias; what is believed of it changes nothing."""
    model, batch = on_exact_arrays(network_of()), pad(dataset.train.rolls[:2])
    model.arrays["readout.weight"].crossbar.g[:] = 0.0
    ((part, found),) = gradients(OSTL, model, batch)
    assert part.loss == pytest.approx(np.log(2.0) * 88 * part.count, rel=1e-9)
    targets = torch.from_numpy(batch.targets).double()
    error = torch.where(torch.from_numpy(batch.mask)[..., None], 0.5 - targets, 0.0)
    torch.testing.assert_close(found["network.readout.bias"], error.sum((0, 1)))


def test_every_step_passes_all_layers_before_the_next_begins_and_takes_its_time(dataset):
    network = network_of(hidden=(6, 5))
    model, batch = on_exact_arrays(network), pad(dataset.train.rolls[:1])
    asked, clock = [], next(iter(model.arrays.values())).crossbar.clock
    for name, array in model.arrays.items():
        multiply = array.crossbar.multiply

        def noted(x, name=name, multiply=multiply):
            asked.append((name, len(x)))
            return multiply(x)

        array.crossbar.multiply = noted
    before_s = clock.now_s
    gradients(Ostl(rule="ostl", recurrence="without_h"), model, batch)
    steps = len(batch.inputs)
    assert asked == [(name, 1) for name in model.weights] * steps
    assert clock.now_s - before_s == len(model.weights) * steps


@pytest.mark.slow
def test_an_update_within_the_sequence_is_felt_by_its_next_step(dataset):
    batch, moved = pad(dataset.train.rolls[:1]), []
    rule = Ostl(rule="ostl", update="step")
    still = [part.loss for part, _ in gradients(rule, on_exact_arrays(network_of()), batch)]
    model = on_exact_arrays(network_of())
    for part in make_loop_learner(rule, model.network, 0)(model, batch, None):
        moved.append(part.loss)
        for name, weight in model.weights.items():
            weight.data -= 0.02 * weight.grad
            model.arrays[name].write(weight.detach().numpy())
    assert moved[0] == still[0]
    assert sum(moved) < sum(still) - 1.0


def loop_of(rule, **changes):
    rates = {"learning_rate": 0.02, "digital_learning_rate": 0.02, "gain_learning_rate": 1e-3}
    phase = {"rule": rule, "epochs": 1, **rates}
    return Loop.model_validate({"phases": [{**phase, **changes}], "batch_size": 3})


def on_chip(loop, device="pcm-gst-90nm", recurrent=False):
    hardware = Hardware(scale="column", device=device)
    network = network_of(recurrent, torch.float32)
    shapes = {name: tuple(w.shape) for name, w in network.matrices().items()}
    arrays = SimulatedArrays(shapes, hardware, 7)
    values = load_parameter_set(device).values
    mapped = {
        name: WeightArray.fitted(arrays[name], w.detach().numpy(), values, hardware)
        for name, w in network.matrices().items()
    }
    return begin(LoopNetwork(network, mapped), loop), arrays


def trained(learning, loop, dataset, on_batch=None, **chip):
    run, arrays = on_chip(loop, **chip)
    learner = make_loop_learner(learning, run.model.network, 0)
    train_in_loop(run, dataset, loop, 5, on_batch, learner=learner)
    return run, arrays


@pytest.mark.parametrize(
    "recurrent", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["forward", "recurrent"]
)
def test_on_an_ideal_chip_deferred_updates_lead_where_bptt_leads(recurrent, dataset):
    loop = loop_of({"name": "reprogram", "g_threshold": 1e-3}, epochs=2)
    ends = [
        trained(learning, loop, dataset, device="ideal", recurrent=recurrent)[0]
        for learning in (Bptt(), OSTL)
    ]
    losses = [[report.train_loss for report in run.history[1:]] for run in ends]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    for name, weight in ends[0].model.weights.items():
        moved = (ends[1].model.weights[name] - weight).detach().abs()
        # Where a gradient is nothing but rounding, Adam's first step makes much of its sign.
        assert float(moved.mean()) < 1e-3 * 0.02
    assert losses[0][1] < 0.97 * losses[0][0]


@pytest.mark.parametrize(
    "learning", [STEPWISE, pytest.param(EPROP, marks=pytest.mark.slow)], ids=["ostl", "eprop"]
)
def test_a_network_learns_online_from_noisy_devices(learning, dataset):
    loop = loop_of({"name": "accumulate"}, epochs=6)
    run, _ = trained(learning, loop, dataset)
    losses = [report.train_loss for report in run.history[1:]]
    assert losses[-1] < 0.8 * losses[0]
    assert all(report.set_pulses > 0 for report in run.history[1:])


def test_training_with_updates_within_sequences_goes_on_bit_for_bit(dataset, tmp_path):
    loop = loop_of({"name": "stochastic", "g_scale": 2.0})

    def keep(run):
        if run.position.phase == 0 and run.position.batch == 1:
            save_training(run, arrays, tmp_path)

    unbroken, arrays = on_chip(loop)
    learner = make_loop_learner(STEPWISE, unbroken.model.network, 0)
    train_in_loop(unbroken, dataset, loop, 5, keep, learner=learner)
    resumed, again = on_chip(loop)
    assert restore_training(resumed, again, tmp_path)
    train_in_loop(resumed, dataset, loop, 5, learner=learner)
    for name, value in unbroken.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    for name, matrix in arrays.chip.matrices.items():
        states = (matrix.states[0], again.chip.matrices[name].states[0])
        np.testing.assert_array_equal(states[0].g, states[1].g)
    histories = [[replace(r, seconds=0.0) for r in run.history] for run in (unbroken, resumed)]
    assert histories[0] == histories[1]
    assert unbroken.history[-1].set_pulses > 0


def test_a_sequence_whose_array_failed_is_not_begun_again(dataset):
    """What was sent stays sent, and the run goes on with the next batch."""
    loop = loop_of({"name": "accumulate", "g_step": 0.05})
    run, _ = on_chip(loop)
    learner = make_loop_learner(STEPWISE, run.model.network, 0)
    array = run.model.arrays["readout.weight"]
    sent = []

    class Failing:
        shape, clock = array.crossbar.shape, array.crossbar.clock
        read, program = array.crossbar.read, array.crossbar.program
        multiply, inner = array.crossbar.multiply, array.crossbar

        def pulse(self, counts):
            sent.append(counts)
            if len(sent) == 3:
                raise HardwareError("readout.weight: pulse failed")
            self.inner.pulse(counts)

    array.crossbar = Failing()
    with pytest.raises(PcmsimError, match="pulse failed"):
        train_in_loop(run, dataset, loop, 5, learner=learner)
    assert (run.position.phase, run.position.batch) == (0, 1)
    assert 0 < run.position.steps < sum(len(roll) - 1 for roll in dataset.train.rolls[:3]) + 99
    train_in_loop(run, dataset, loop, 5, learner=learner)
    assert run.history[-1].epoch == 1
