"""A chip that learns while it answers: what it knows when it answers, its clock, its chances."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pcmsim.clock import Clock
from pcmsim.config import Data, Hardware, Live, Loop, Network
from pcmsim.datasets import Dataset, Split, load
from pcmsim.devices import load_parameter_set
from pcmsim.loop import (
    LoopNetwork,
    SimulatedArrays,
    Stream,
    WeightArray,
    begin,
    live,
    restore_training,
    save_training,
)
from pcmsim.loop.live import Metronome
from pcmsim.networks import SpikingNetwork

RATES = {"learning_rate": 0.01, "digital_learning_rate": 0.01}
LOOP = Loop.model_validate(
    {"phases": [{"rule": {"name": "stochastic", "g_scale": 2.0}, "epochs": 1, **RATES}]}
)
LIVE = Live.model_validate(
    {"learning": {"rule": "ostl", "update": "step", "update_steps": 4}, "interval": 3}
)


@pytest.fixture(scope="module")
def dataset():
    found = load(Data(name="synthetic"), seed=1)
    few = Split("train", tuple(roll[:12] for roll in found.train.rolls[:4]))
    return Dataset("few", few, Split("valid", found.valid.rolls[:1]), found.test, "")


def made(dataset, settings=LIVE, loop=LOOP, device="pcm-gst-90nm"):
    hardware = Hardware(scale="column", device=device)
    spec = Network(unit="ssnu", hidden=(8,))
    network = SpikingNetwork(spec, torch.Generator().manual_seed(3))
    shapes = {name: tuple(w.shape) for name, w in network.matrices().items()}
    arrays = SimulatedArrays(shapes, hardware, 7)
    values = load_parameter_set(device).values
    mapped = {
        name: WeightArray.fitted(arrays[name], w.detach().numpy(), values, hardware)
        for name, w in network.matrices().items()
    }
    run = begin(LoopNetwork(network, mapped), loop)
    return run, arrays, Stream(settings, loop, dataset, 5, 0)


def lived(run, source, sequences, on_sequence=lambda run: None):
    """Reports of the intervals, until so many sequences are done."""
    found = []
    live(run, source, lambda r: r.position.batch < sequences, on_sequence, found.append)
    return found


def test_every_round_has_each_sequence_once_in_an_order_of_its_own(dataset):
    _, _, source = made(dataset)
    rounds = [[source.sequence(4 * turn + i) for i in range(4)] for turn in range(6)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in rounds)
    assert len({tuple(order) for order in rounds}) > 1


def test_a_stream_goes_on_from_any_sequence_bit_for_bit(dataset, tmp_path):
    """Also in the middle of an interval."""
    unbroken, arrays, source = made(dataset)

    def keep(run):
        if run.position.batch == 4:
            save_training(run, arrays, tmp_path)

    whole = lived(unbroken, source, 6, keep)
    resumed, again, source = made(dataset)
    assert restore_training(resumed, again, tmp_path)
    rest = lived(resumed, source, 6)
    assert [replace(r, seconds=0.0) for r in rest] == [replace(r, seconds=0.0) for r in whole[1:]]
    assert rest[0].set_pulses > 0
    for name, value in unbroken.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    for name, matrix in arrays.chip.matrices.items():
        states = (matrix.states[0], again.chip.matrices[name].states[0])
        np.testing.assert_array_equal(states[0].g, states[1].g)


def test_the_first_answers_of_a_chip_that_learns_are_those_of_a_frozen_one(dataset):
    """Their loss is measured before anything was learnt from them."""
    losses = {}
    for frozen in (False, True):
        changes = {"frozen": frozen, "interval": 1}
        deferred = LIVE.learning.model_copy(update={"update": "deferred", "update_steps": 1})
        settings = LIVE.model_copy(update={**changes, "learning": deferred})
        run, _, source = made(dataset, settings, device="ideal")
        losses[frozen] = [report.loss for report in lived(run, source, 8)]
    assert losses[False][0] == pytest.approx(losses[True][0], rel=1e-6)
    assert losses[False][-1] < losses[True][-1] - 1.0
    # The frozen one says of a sequence in the second round what it said in the first.
    assert sorted(losses[True][:4]) == pytest.approx(sorted(losses[True][4:]), rel=1e-6)


def test_a_frozen_chip_is_sent_nothing(dataset):
    run, arrays, source = made(dataset, LIVE.model_copy(update={"frozen": True}))
    devices = {}

    def first(_):
        if not devices:
            devices.update({n: m.states[0].g.copy() for n, m in arrays.chip.matrices.items()})

    reports = lived(run, source, 3, first)
    report = reports[0]
    assert report.set_pulses == report.resets == report.programmed == 0
    for name, matrix in arrays.chip.matrices.items():
        np.testing.assert_array_equal(matrix.states[0].g, devices[name])


def test_steps_and_pauses_take_their_time_on_the_chip(dataset):
    changes = {"frozen": True, "step_s": 0.5, "pause_s": 100.0}
    run, arrays, source = made(dataset, LIVE.model_copy(update=changes))
    began = []
    lived(run, source, 4, lambda _: began.append(arrays.chip.clock.now_s))
    steps = sum(len(roll) - 1 for roll in dataset.train.rolls)
    assert arrays.chip.clock.now_s - began[0] == pytest.approx(0.5 * steps + 300.0, abs=1e-6)


def test_a_late_step_is_followed_at_once():
    clock = Clock()
    tick = Metronome(clock, 1.0)
    clock.wait(2.5)
    tick()
    assert clock.now_s == 2.5
    tick()
    assert clock.now_s == 3.5


def test_a_pause_costs_nothing_that_one_factor_restores(dataset):
    """Devices of one drift exponent: with `restore` the loss after days is that of the first."""
    losses = {}
    for restore in (False, True):
        changes = {"frozen": True, "interval": 4, "pause_s": 86400.0, "restore": restore}
        run, arrays, source = made(dataset, LIVE.model_copy(update=changes), device="ideal")

        def age(r, arrays=arrays):
            if r.position.batch == 0:
                for matrix in arrays.chip.matrices.values():
                    state = matrix.states[0]
                    matrix.states[0] = replace(state, nu=np.full_like(state.g, 0.05))

        one = load_parameter_set("ideal").with_values(nu_mean={"constant": 0.05})
        object.__setattr__(arrays.chip.reading, "values", one.values)
        losses[restore] = [report.loss for report in lived(run, source, 8, age)]
    assert losses[True][1] == pytest.approx(losses[True][0], rel=1e-3)
    assert abs(losses[False][1] - losses[True][1]) > 10 * abs(losses[True][1] - losses[True][0])


def test_a_frozen_chip_gets_back_what_it_has_lost_while_it_answered_too(dataset):
    """Steps of 5,000 s and pauses of one: what was lost in the pause alone would be nothing."""
    changes = {"frozen": True, "step_s": 5000.0, "pause_s": 1.0, "restore": True}
    run, arrays, source = made(dataset, LIVE.model_copy(update=changes), device="ideal")
    one = load_parameter_set("ideal").with_values(nu_mean={"constant": 0.05})

    def age(r):
        if r.position.batch == 0:
            object.__setattr__(arrays.chip.reading, "values", one.values)
            for matrix in arrays.chip.matrices.values():
                state = matrix.states[0]
                matrix.states[0] = replace(state, nu=np.full_like(state.g, 0.05))

    lived(run, source, 2, age)
    for name in run.model.weights:
        assert run.model.restored(name) > 1.2
