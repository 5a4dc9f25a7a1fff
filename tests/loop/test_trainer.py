import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pcmsim.config import Data, Network, Training
from pcmsim.datasets import Dataset, Split, load, pad
from pcmsim.errors import PcmsimError
from pcmsim.loop import evaluate, fit, judging, load_checkpoint, trainer
from pcmsim.networks import SpikingNetwork, nll

# Training goes on long after the validation loss has begun to rise.
OVERFIT = {"learning_rate": 0.1, "schedule": "constant", "epochs": 20, "dropout": 0.0}


@pytest.fixture(scope="module")
def dataset():
    return load(Data(name="synthetic"), seed=1)


def training(**changes):
    values = {"epochs": 6, "batch_size": 5, "learning_rate": 0.02, "dropout": 0.2}
    return Training(**{**values, "schedule": "cosine", **changes})


def network_of(unit="ssnu"):
    return SpikingNetwork(Network(unit=unit, hidden=(20,)), torch.Generator().manual_seed(9))


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first | second)


def timeless(history):
    return [replace(report, seconds=0.0) for report in history]


def marginal_nll(dataset):
    """NLL of the test split under each key's own frequency in the training split."""
    played = np.concatenate([roll[1:] for roll in dataset.train.rolls])
    p = np.clip(played.mean(axis=0), 1e-4, None)
    targets = np.concatenate([roll[1:] for roll in dataset.test.rolls])
    return -np.log(np.where(targets, p, 1.0 - p)).sum(axis=1).mean()


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
def test_a_trained_network_knows_more_than_how_often_each_key_is_played(dataset, unit):
    network = network_of(unit)
    fit(network, dataset, training(epochs=30, batch_size=2), seed=0)
    assert evaluate(network, dataset.test).per_step < 0.85 * marginal_nll(dataset)


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
@pytest.mark.parametrize("killed_after", [1, 3, 6])
def test_a_killed_run_goes_on_bit_for_bit(dataset, tmp_path, unit, killed_after):
    unbroken, resumed = network_of(unit), network_of(unit)
    wanted = fit(unbroken, dataset, training(), 3, tmp_path / "unbroken")

    def kill(report):
        if report.epoch == killed_after + 1:
            raise KeyboardInterrupt

    torch.manual_seed(1)
    try:
        fit(network_of(unit), dataset, training(), 3, tmp_path, on_epoch=kill)
    except KeyboardInterrupt:
        torch.manual_seed(2)  # no hidden state: neither torch's own generator nor numpy's
    start = load_checkpoint(tmp_path)
    assert len(start.history) == killed_after
    found = fit(resumed, dataset, training(), 3, tmp_path, start)
    assert timeless(found.history) == timeless(wanted.history)
    assert (found.best_epoch, found.valid_metric) == (wanted.best_epoch, wanted.valid_metric)
    assert same(weights(resumed), weights(unbroken))
    last, last_wanted = load_checkpoint(tmp_path), load_checkpoint(tmp_path / "unbroken")
    for group in ("weights", "best", "moments"):
        assert same(getattr(last, group), getattr(last_wanted, group)), group


def test_the_weights_kept_are_those_of_the_best_epoch_on_the_validation_split(dataset):
    seen = {}
    network = network_of()
    long = training(**OVERFIT)

    def keep(report):
        seen[report.epoch] = weights(network)

    found = fit(network, dataset, long, 0, on_epoch=keep)
    losses = [report.valid_metric for report in found.history]
    assert found.best_epoch == 1 + int(np.argmin(losses)) != long.epochs
    assert found.valid_metric == min(losses)
    assert same(weights(network), seen[found.best_epoch])
    assert evaluate(network, dataset.valid).per_step == found.valid_metric


def test_a_best_epoch_before_the_kill_is_not_forgotten(dataset, tmp_path):
    long = training(**OVERFIT)
    unbroken, resumed = network_of(), network_of()
    wanted = fit(unbroken, dataset, long, 0)

    def kill(report):
        if report.epoch == long.epochs:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(network_of(), dataset, long, 0, tmp_path, on_epoch=kill)
    found = fit(resumed, dataset, long, 0, tmp_path, load_checkpoint(tmp_path))
    assert found.best_epoch == wanted.best_epoch < long.epochs
    assert same(weights(resumed), weights(unbroken))


def test_one_step_follows_the_gradient_of_the_loss_summed_over_notes_steps_and_sequences(dataset):
    rolls = dataset.train.rolls[:4]
    few = Dataset("few", Split("train", rolls), dataset.valid, dataset.test, "")
    network, hand = network_of(), network_of()
    clip = training(epochs=1, batch_size=4, dropout=0.0, gradient_clip=1.0e9)
    fit(network, few, clip, 0)
    batch = pad(rolls)
    tensors = [torch.from_numpy(a) for a in (batch.inputs, batch.targets, batch.mask)]
    loss = nll(hand(tensors[0]), *tensors[1:]).sum()
    loss.backward()
    for name, parameter in hand.named_parameters():
        # The first step of Adam is the learning rate times g / (|g| + 1e-8).
        step = 0.02 * parameter.grad / (parameter.grad.abs() + 1e-8)
        after = network.get_parameter(name)
        torch.testing.assert_close(after, parameter - step, rtol=1e-4, atol=1e-5)


def test_the_training_loss_without_dropout_is_the_average_over_all_steps(dataset):
    network = network_of()
    before = evaluate(network, dataset.train).per_step
    still = training(epochs=1, dropout=0.0, learning_rate=1.0e-9)
    assert fit(network, dataset, still, 0).history[0].train_loss == pytest.approx(before, rel=1e-5)


def test_every_option_changes_the_path(dataset):
    def loss(**changes):
        return fit(network_of(), dataset, training(epochs=2, **changes), 0).valid_metric

    # Adam ignores the size of a gradient unless it is comparable with its 1e-8.
    options = ({}, {"dropout": 0.0}, {"gradient_clip": 1.0e-8}, {"weight_decay": 1.0},
               {"schedule": "constant"}, {"learning_rate": 0.03}, {"batch_size": 6})  # fmt: skip
    assert len({loss(**changes) for changes in options}) == len(options)


def test_shuffles_differ_from_seed_to_seed_and_from_epoch_to_epoch(dataset, monkeypatch):
    rolls = tuple(np.eye(length, 88, dtype="u1") for length in range(2, 12))
    short = replace(dataset, train=Split("train", rolls))
    order = []

    def spy(network, outputs, batch):
        order.append(int(batch.mask.sum()))
        return judged(network, outputs, batch)

    judged = judging.loss
    monkeypatch.setattr(judging, "loss", spy)
    for seed in (0, 1, 0):
        fit(network_of(), short, training(epochs=2, batch_size=1), seed)
    epochs = np.reshape(order, (6, 10))
    assert (np.sort(epochs, axis=1) == np.arange(1, 11)).all()  # each sequence once per epoch
    assert len({tuple(epoch) for epoch in epochs[:4].tolist()}) == 4
    assert (epochs[4:] == epochs[:2]).all()


def test_dropout_differs_from_seed_to_seed_and_from_epoch_to_epoch(dataset):
    one = replace(dataset, train=Split("train", dataset.train.rolls[:1]))  # nothing to shuffle
    still = training(epochs=2, dropout=0.5, learning_rate=1.0e-12)
    losses = [[r.train_loss for r in fit(network_of(), one, still, s).history] for s in (0, 1, 0)]
    assert len({*losses[0], *losses[1]}) == 4
    assert losses[2] == losses[0]


def test_the_log_tells_learning_rate_epoch_and_activity(dataset):
    reports = []
    network = network_of()
    found = fit(
        network, dataset, training(epochs=4, learning_rate=0.01), 0, on_epoch=reports.append
    )
    assert tuple(reports) == found.history
    assert [report.epoch for report in reports] == [1, 2, 3, 4]
    assert reports[2].learning_rate == pytest.approx(0.005)
    best = reports[found.best_epoch - 1]
    assert best.activity == evaluate(network, dataset.valid).activity


def test_a_loss_that_is_not_finite_names_the_epoch_and_the_way_out(dataset):
    network = network_of()
    with torch.no_grad():
        network.readout.weight[3, 4] = math.nan
    with pytest.raises(PcmsimError, match=r"nan in epoch 1; lower training.learning_rate"):
        fit(network, dataset, training(), 0)


def test_weights_that_explode_are_reported_before_they_are_saved(dataset, tmp_path):
    with pytest.raises(PcmsimError, match=r"epoch \d+; lower training.learning_rate \(now 1e\+30"):
        fit(network_of(), dataset, training(learning_rate=1.0e30, weight_decay=1.0e10), 0, tmp_path)
    assert load_checkpoint(tmp_path) is None


def test_training_gives_torch_its_threads_back(dataset):
    before = torch.get_num_threads()
    during = []
    torch.set_num_threads(2)
    try:
        fit(
            network_of(),
            dataset,
            training(epochs=1),
            0,
            on_epoch=lambda _: during.append(torch.get_num_threads()),
        )
        assert (during, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_spiking_weights_that_are_no_numbers_are_not_taken_for_silence(dataset, monkeypatch):
    """A spiking unit with a NaN potential never fires, so the loss alone stays finite."""
    network = network_of("snu")

    def spoil(*_):
        with torch.no_grad():
            network.hidden0.weight[0, 0] = torch.nan
        return 1.0

    monkeypatch.setattr(trainer, "_descend", spoil)
    with pytest.raises(PcmsimError, match=r"hidden0\.weight is no longer finite in epoch 1"):
        fit(network, dataset, training(), 1)
