from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch

from pcmsim.config import ActivityBounds, Bptt, Data, Eprop, Network, Ostl, Training, TruncatedBptt
from pcmsim.datasets import Dataset, Split, load, pad
from pcmsim.loop import fit, judging, load_checkpoint
from pcmsim.loop.learners import make_learner, method_of
from pcmsim.networks import SpikingNetwork

RULES = [
    Bptt(),
    TruncatedBptt(rule="truncated_bptt", steps=4),
    Ostl(rule="ostl", block_steps=4),
    Ostl(rule="ostl", recurrence="without_h", feedback="random"),
    Ostl(rule="ostl", update="step", update_steps=5, block_steps=2),
    Eprop(rule="eprop"),
]


@pytest.fixture(scope="module")
def dataset():
    whole = load(Data(name="synthetic"), seed=1)
    return Dataset("few", Split("train", whole.train.rolls[:6]), whole.valid, whole.test, "")


def network_of(seed=9):
    spec = Network(unit="ssnu", hidden=(8,), recurrent=True)
    return SpikingNetwork(spec, torch.Generator().manual_seed(seed), torch.float64)


def learn(learning, network, batch):
    """Losses and gradients that a learner yields, without a step in between."""
    found = []
    for loss in make_learner(learning, network, 0)(network, batch, None, nullcontext):
        found.append((loss, {n: p.grad.clone() for n, p in network.named_parameters()}))
    return found


def same(first, second, tolerance=1e-12):
    return all(float((first[n] - second[n]).abs().max()) < tolerance for n in first | second)


def test_deferred_ostl_gives_the_gradient_of_bptt_in_one_piece(dataset):
    network, batch = network_of(), pad(dataset.train.rolls[:3])
    ((loss, wanted),) = learn(Bptt(), network, batch)
    for block in (1, 7, 1000):
        ((found_loss, found),) = learn(Ostl(rule="ostl", block_steps=block), network, batch)
        assert same(found, wanted)
        assert found_loss == pytest.approx(loss, rel=1e-12)


def test_deferred_updates_are_the_sum_of_those_of_steps(dataset):
    network, batch = network_of(), pad(dataset.train.rolls[:3])
    ((loss, wanted),) = learn(Ostl(rule="ostl"), network, batch)
    for every in (1, 5):
        parts = learn(Ostl(rule="ostl", update="step", update_steps=every), network, batch)
        assert len(parts) == -(-len(batch.inputs) // every)
        assert sum(part for part, _ in parts) == pytest.approx(loss, rel=1e-12)
        total = {name: sum(gradients[name] for _, gradients in parts) for name in wanted}
        assert same(total, wanted)


def test_an_update_within_the_sequence_is_felt_by_its_next_step(dataset):
    batch, learning = pad(dataset.train.rolls[:1]), Ostl(rule="ostl", update="step")
    still = [loss for loss, _ in learn(learning, network_of(), batch)]
    network, moved = network_of(), []
    for loss in make_learner(learning, network, 0)(network, batch, None, nullcontext):
        moved.append(loss)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= 0.02 * parameter.grad
    assert moved[0] == still[0]
    assert sum(moved) < sum(still) - 1.0


def test_truncation_cuts_gradients_but_not_states(dataset):
    network, batch = network_of(), pad(dataset.train.rolls[:2])
    ((loss, wanted),) = learn(Bptt(), network, batch)
    ((whole_loss, whole),) = learn(TruncatedBptt(rule="truncated_bptt", steps=1000), network, batch)
    ((cut_loss, cut),) = learn(TruncatedBptt(rule="truncated_bptt", steps=1), network, batch)
    assert same(whole, wanted)
    assert loss == pytest.approx(whole_loss) == pytest.approx(cut_loss)
    # One step at a time: the error of a step meets the outputs before it, and goes no further.
    x, targets, mask = (torch.from_numpy(a) for a in (batch.inputs, batch.targets, batch.mask))
    y = network.hidden0(x.double()).detach()
    error = torch.where(mask[..., None], torch.sigmoid(network.readout(y)) - targets, 0.0)
    current = (error @ network.readout.weight.T * y * (1.0 - y)).flatten(0, 1)
    before = torch.cat([torch.zeros_like(y[:1]), y[:-1]]).flatten(0, 1)
    torch.testing.assert_close(cut["hidden0.recurrent"], before.T @ current)
    torch.testing.assert_close(cut["readout.weight"], wanted["readout.weight"])
    assert not same(cut, wanted, 1e-2)


def test_rules_follow_the_paths_that_their_names_say():
    network = network_of()
    paths = [method_of(rule, network, 0) for rule in (RULES[2], RULES[3], RULES[5])]
    assert [(m.recurrence, m.reset) for m in paths] == [(True, True), (False, True), (False, False)]
    assert [sorted(m.feedback) for m in paths] == [[], ["readout.weight"], []]


@pytest.mark.parametrize(
    ("learning", "activity"), [*((rule, None) for rule in RULES), (Bptt(), ActivityBounds(upper=0))]
)
def test_gradients_are_taken_where_the_disturbance_is_open_and_steps_where_it_is_not(
    learning, activity, dataset
):
    opened = []

    @contextmanager
    def seen():
        opened.append(True)
        yield
        opened.append(False)

    network = network_of()
    before = [p.clone() for p in network.parameters()]
    batch = pad(dataset.train.rolls[:1])
    for _ in make_learner(learning, network, 0, activity)(network, batch, None, seen):
        assert opened[-2:] == [True, False]
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


OPTIMISERS = [("adamw", 0.02, 0.0), ("adam", 0.02, 0.0), ("rmsprop", 0.005, 0.0),
              ("sgd", 1e-3, 0.0), ("sgd", 1e-3, 0.9)]  # fmt: skip
RUNS = [(rule, OPTIMISERS[3]) for rule in RULES] + [(RULES[2], way) for way in OPTIMISERS]


@pytest.mark.parametrize(("learning", "way"), RUNS)
def test_every_rule_and_optimiser_learns_and_goes_on_bit_for_bit(learning, way, dataset, tmp_path):
    optimiser, rate, momentum = way
    settings = Training(
        epochs=4, batch_size=2, learning_rate=rate, optimiser=optimiser, momentum=momentum
    )

    def kill(report):
        if report.epoch == 3:
            raise KeyboardInterrupt

    unbroken, resumed = network_of().float(), network_of().float()
    found = fit(unbroken, dataset, settings, 3, learning=learning)
    with pytest.raises(KeyboardInterrupt):
        fit(network_of().float(), dataset, settings, 3, tmp_path, on_epoch=kill, learning=learning)
    fit(resumed, dataset, settings, 3, tmp_path, load_checkpoint(tmp_path), learning=learning)
    losses = [report.train_loss for report in found.history]
    assert losses[-1] < losses[0] - 1.0
    for name, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_losses_of_bptt_and_ostl_agree_while_they_learn_in_single_precision(dataset):
    settings = Training(epochs=4, batch_size=1, learning_rate=1e-3, optimiser="sgd", shuffle=False)
    histories = [
        fit(network_of().float(), dataset, settings, 0, learning=rule).history
        for rule in (Bptt(), Ostl(rule="ostl", block_steps=5))
    ]
    for first, second in zip(*histories, strict=True):
        assert second.train_loss == pytest.approx(first.train_loss, abs=1e-5)
        assert second.valid_metric == pytest.approx(first.valid_metric, abs=1e-5)


def test_without_shuffling_sequences_come_in_the_order_of_the_data(dataset, monkeypatch):
    rolls = tuple(np.eye(length, 88, dtype="u1") for length in range(2, 8))
    short = Dataset("short", Split("train", rolls), dataset.valid, dataset.test, "")
    lengths = []

    def spy(network, outputs, batch):
        lengths.append(int(batch.mask.sum()))
        return judged(network, outputs, batch)

    judged = judging.loss
    monkeypatch.setattr(judging, "loss", spy)
    settings = Training(epochs=2, batch_size=1, learning_rate=1e-3, shuffle=False)
    fit(network_of().float(), short, settings, 0)
    assert lengths == 2 * [1, 2, 3, 4, 5, 6]
