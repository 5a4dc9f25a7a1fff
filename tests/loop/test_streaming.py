from dataclasses import astuple

import numpy as np
import pytest
import torch

from pcmsim.config import Hardware, Network
from pcmsim.config.hardware import Timing
from pcmsim.crossbar import Chip, chip_bytes, factors, readout, restore_chip
from pcmsim.datasets import Split
from pcmsim.datasets.synthetic import load_synthetic
from pcmsim.devices import fast_std, load_parameter_set, relative_std, slow_modes
from pcmsim.errors import UsageError
from pcmsim.loop import evaluate, measured, program_network, stream, stream_s
from pcmsim.loop.pace import Pace
from pcmsim.networks import SpikingNetwork

TEST = load_synthetic(1).test
STEPS = sum(len(roll) - 1 for roll in TEST.rolls)
SHORT = Split("test", TEST.rolls[:2])


def network_of(unit="ssnu", recurrent=False, hidden=(12,)):
    spec = Network(unit=unit, hidden=hidden, recurrent=recurrent)
    network = SpikingNetwork(spec, torch.Generator().manual_seed(5))
    with torch.no_grad():
        network.readout.bias.fill_(-2.0)
        network.hidden0.weight.mul_(3.0)
        network.hidden0.threshold.copy_(torch.linspace(-0.1, 0.4, hidden[0]))
    return network


def chip_with(network, hardware=None, seed=1, often=True, **options):
    chip = Chip(hardware or Hardware(), seed, often=often, **options)
    program_network(chip, network)
    return chip


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
@pytest.mark.parametrize(("recurrent", "hidden"), [(False, (12,)), (True, (12,)), (True, (9, 7))])
def test_on_ideal_devices_a_stream_finds_what_the_batch_and_the_software_find(
    unit, recurrent, hidden
):
    network = network_of(unit, recurrent, hidden)
    chip = chip_with(network, Hardware(device="ideal"))
    at_once, software = evaluate(network, TEST, measured(chip)), evaluate(network, TEST)
    found = stream(network, chip, TEST).evaluation
    assert astuple(found) == pytest.approx(astuple(at_once), rel=1e-5)
    assert astuple(found) == pytest.approx(astuple(software), rel=1e-5)
    assert found.per_step != pytest.approx(found.per_sequence, rel=1e-5)


def test_a_factor_is_applied_to_every_product():
    network = network_of()
    chip = chip_with(network, Hardware(device="ideal"))
    half = {name: np.array([0.5]) for name in network.matrices()}
    found = stream(network, chip, TEST, half).evaluation
    at_once = evaluate(network, TEST, measured(chip, half))
    assert astuple(found) == pytest.approx(astuple(at_once), rel=1e-5)
    assert abs(found.per_step - stream(network, chip, TEST).evaluation.per_step) > 0.01


def test_with_one_exponent_for_all_a_compensated_stream_gives_back_the_first_one():
    of_one = {"nu_mean": {"constant": 0.06}, "nu_std": {"constant": 0.0}, "stuck_set_nu": 0.06}
    devices = load_parameter_set("pcm-gst-90nm").with_values(**of_one)
    network = network_of()
    chip = chip_with(network, Hardware(read_noise="none"), parameter_set=devices)
    reference = readout(chip, "column")
    first = stream(network, chip, TEST).evaluation
    chip.clock.wait_until(30 * 86400.0)
    factor = factors(reference, readout(chip, "column"))
    none = stream(network, chip, TEST).evaluation
    found = stream(network, chip, TEST, factor).evaluation
    assert astuple(found) == pytest.approx(astuple(first), rel=1e-4)
    assert abs(none.per_step - first.per_step) > 0.01


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("step_s", [0.0, 3e-7, 0.1])
def test_steps_last_as_long_as_their_products_or_until_the_next_input(recurrent, step_s):
    network = network_of(recurrent=recurrent)
    chip = chip_with(network, Hardware(device="ideal"))
    chip.clock.wait_until(100.0)
    products = 3 if recurrent else 2
    found = stream(network, chip, TEST, step_s=step_s, gap_s=2.0)
    wanted = STEPS * max(step_s, products * 1e-6) + 7 * 2.0
    assert found.seconds == pytest.approx(wanted, rel=1e-9)
    assert found.seconds == pytest.approx(
        stream_s(network, TEST, 1e-6, step_s=step_s, gap_s=2.0), rel=1e-9
    )
    assert chip.clock.now_s == 100.0 + found.seconds


def test_a_convolution_takes_a_product_for_each_pixel_and_finds_what_the_batch_finds():
    layer = {"channels": 2, "kernel": 3, "stride": 2, "pool": 2}
    spec = Network(unit="snu", image=(1, 8, 11), convolutions=[layer], hidden=(4,), threshold=0.1)
    network = SpikingNetwork(spec, torch.Generator().manual_seed(5))
    chip = chip_with(network, Hardware(device="ideal"))
    found = stream(network, chip, SHORT, step_s=1e-5)
    steps = sum(len(roll) - 1 for roll in SHORT.rolls)
    assert found.seconds == pytest.approx(steps * (3 * 5 + 2) * 1e-6)
    assert found.seconds == pytest.approx(stream_s(network, SHORT, 1e-6, step_s=1e-5))
    at_once = evaluate(network, SHORT, measured(chip))
    assert astuple(found.evaluation) == pytest.approx(astuple(at_once), rel=1e-5)
    assert at_once.activity > 0.01


def test_a_microsecond_lasts_a_microsecond_however_late_the_clock():
    """Added one by one to 1e10 s, which has no fractions below 1.9e-6 s, they would be lost."""
    network = network_of()
    chip = chip_with(network, Hardware(device="ideal"))
    chip.clock.wait_until(1e10)
    assert stream(network, chip, TEST).seconds == pytest.approx(STEPS * 2e-6)
    assert chip.clock.now_s - 1e10 == pytest.approx(STEPS * 2e-6, abs=2e-6)


def test_products_begin_one_after_another_and_steps_when_their_input_arrives():
    network = network_of()
    chip = chip_with(network, Hardware(device="ideal", timing=Timing(multiply_s=0.25)))
    seen, multiply = [], chip.multiply

    def noted(name, x):
        seen.append((name, chip.clock.now_s))
        return multiply(name, x)

    chip.multiply = noted
    pair = Split("test", (TEST.rolls[0][:3], TEST.rolls[1][:2]))
    stream(network, chip, pair, step_s=1.0, gap_s=5.0)
    starts = [0.0, 1.0, 7.0]
    assert seen == [
        row for t in starts for row in (("hidden0.weight", t), ("readout.weight", t + 0.25))
    ]


def test_every_sequence_starts_at_rest():
    network = network_of()
    chip = chip_with(network, Hardware(device="ideal"))
    alone = [stream(network, chip, Split("test", (roll,))).evaluation for roll in TEST.rolls]
    found = stream(network, chip, TEST).evaluation
    assert found.per_sequence == pytest.approx(np.mean([e.per_step for e in alone]), rel=1e-9)


def test_the_same_seed_gives_the_same_stream_and_another_one_another():
    network = network_of()
    found = [stream(network, chip_with(network, seed=s), SHORT, step_s=0.1) for s in (1, 1, 2)]
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_a_stream_that_goes_on_from_a_saved_chip_finds_what_one_stream_finds():
    network = network_of()
    rolls = [Split("test", (roll,)) for roll in TEST.rolls[:3]]
    whole = stream(network, chip_with(network), Split("test", TEST.rolls[:3]), step_s=0.125)
    chip, parts = chip_with(network), []
    for roll in rolls:
        parts.append(stream(network, chip, roll, step_s=0.125))
        chip = restore_chip(chip_bytes(chip), often=True)
    means = [part.evaluation.per_step for part in parts]
    assert whole.evaluation.per_sequence == pytest.approx(np.mean(means), rel=1e-9)
    assert whole.seconds == sum(part.seconds for part in parts)


def test_a_stream_that_is_stopped_can_be_repeated():
    network, chip = network_of(), chip_with(network_of())
    state, seen = chip_bytes(chip), []

    def stop():
        seen.append(chip.clock.now_s)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        stream(network, chip, SHORT, step_s=0.1, on_sequence=stop)
    assert seen == [pytest.approx(0.1 * (len(SHORT.rolls[0]) - 1))]
    again = stream(network, restore_chip(state, often=True), SHORT, step_s=0.1)
    assert again == stream(network, chip_with(network), SHORT, step_s=0.1)


def test_streaming_changes_nothing_that_is_programmed():
    network = network_of()
    streamed, left_alone = chip_with(network), chip_with(network)
    stream(network, streamed, SHORT, step_s=0.1)
    left_alone.clock.wait_until(streamed.clock.now_s)
    for name, matrix in streamed.matrices.items():
        assert matrix.writes == left_alone.matrices[name].writes
        for state, other in zip(matrix.states, left_alone.matrices[name].states, strict=True):
            for field, value in vars(state).items():
                np.testing.assert_array_equal(value, vars(other)[field])
        np.testing.assert_array_equal(streamed.conductances(name), left_alone.conductances(name))


def test_a_chip_that_is_not_looked_at_often_gives_the_same_stream_to_rounding():
    network = network_of()
    often = stream(network, chip_with(network), SHORT, step_s=0.1).evaluation
    seldom = stream(network, chip_with(network, often=False), SHORT, step_s=0.1).evaluation
    assert astuple(often) == pytest.approx(astuple(seldom), rel=1e-4)


def test_streamed_and_batched_metric_are_alike_over_chips():
    """40 chips after an hour: paired means within 4 standard errors, log variances likewise.

    For 40 normal draws of each kind the standard error of a log variance is √(2/39); the
    correlation of the two only makes their difference smaller.
    """
    network = network_of()
    rows = []
    for seed in range(40):
        chip = chip_with(network, seed=seed)
        chip.clock.wait_until(3600.0)
        batched = evaluate(network, SHORT, measured(chip)).per_step
        rows.append((batched, stream(network, chip, SHORT, step_s=1e-3).evaluation.per_step))
    batched, streamed = np.array(rows).T
    difference = streamed - batched
    assert np.all(difference != 0.0)
    error = difference.std(ddof=1) / np.sqrt(len(rows))
    assert abs(difference.mean()) < 4 * error
    assert error < 0.01 * batched.std(ddof=1) * np.sqrt(len(rows))
    assert abs(np.log(streamed.var(ddof=1) / batched.var(ddof=1))) < 4 * np.sqrt(2 * 2 / 39)


Q = 0.02
QUIET = load_parameter_set("pcm-gst-90nm").with_values(
    programming_std={"constant": 0.0}, nu_mean={"constant": 0.0}, nu_std={"constant": 0.0},
    read_noise={"constant": Q}, p_stuck_reset=0.0, p_stuck_set=0.0, p_untunable=0.0,
)  # fmt: skip
AGE_S = 1000.0


def errors_of_products(read_noise, step_s, products, columns):
    """Relative errors (products, columns) of the streamed products of a single row of weights.

    A column has one device that is not in RESET, so that each product shows it alone.
    """
    chip = Chip(Hardware(read_noise=read_noise), 3, parameter_set=QUIET, often=True)
    chip.program("w", np.ones((1, columns)))
    chip.clock.wait_until(AGE_S)
    pace = Pace(chip.clock, 1e-6, step_s, 0.0)
    multiply, x, found = pace.timed(measured(chip)), torch.ones(1, 1), []
    for _ in range(products):
        found.append(multiply("w", x)[0].numpy())
        pace.end_step()
    found = np.array(found, np.float64)
    return found / found.mean() - 1.0


def slow_covariance(lag_s):
    """Covariance of the slow noise of two products, the first of which is of the age `AGE_S`."""
    band = slow_modes(QUIET.values)
    risen = -np.expm1(-band.rates_per_s * (AGE_S + QUIET.values.t0_s))
    shape = np.shape(lag_s)
    decay = np.exp(-np.multiply.outer(np.ravel(lag_s), band.rates_per_s))
    return (Q**2 * decay @ (band.stds**2 * risen)).reshape(shape)


@pytest.mark.parametrize("step_s", [2e-6, 1e-3, 0.1, 10.0])
def test_products_a_step_apart_share_the_published_part_of_their_noise(step_s):
    """Moments over 8,000 devices, within 4 of the standard errors they show."""
    first, second = errors_of_products("correlated", step_s, 2, 8000)
    total = slow_covariance(0.0) + (Q * fast_std(QUIET.values)) ** 2
    for product, wanted in ((first * second, slow_covariance(step_s)), (second**2, total)):
        assert abs(product.mean() - wanted) < 4 * product.std() / np.sqrt(8000)


def test_without_memory_products_a_step_apart_share_nothing():
    first, second = errors_of_products("marginal", 1e-3, 2, 8000)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(8000)
    assert first.std() == pytest.approx(Q * relative_std(QUIET.values, AGE_S + 20.0), rel=0.04)


def test_the_mean_of_many_products_keeps_the_slow_noise():
    """512 products 1 s apart: the published covariance, 7 times what white noise would leave.

    Its standard deviation over 500 devices, within 4 standard errors, 1/√(2·500) each.
    """
    n = 512
    found = errors_of_products("correlated", 1.0, n, 500).mean(axis=0).std()
    lags = np.arange(n)
    # Pairs of products at each lag; the first of a pair is a little older than AGE_S, which adds
    # less than 1 % to the variance.
    pairs = np.where(lags == 0, n, 2 * (n - lags)) / n**2
    fresh = (Q * fast_std(QUIET.values)) ** 2 / n
    wanted = np.sqrt(pairs @ slow_covariance(1.0 * lags) + fresh)
    assert abs(found / wanted - 1) < 4 / np.sqrt(2 * 500) + 0.01
    white = np.sqrt((slow_covariance(0.0) + fresh * n) / n)
    assert found > 7 * white


@pytest.mark.parametrize(("bad", "name"), [(-1.0, "step_s"), (np.inf, "gap_s"), (np.nan, "step_s")])
def test_times_that_are_none_are_refused_before_any_has_passed(bad, name):
    network = network_of()
    chip = chip_with(network, Hardware(device="ideal"))
    with pytest.raises(UsageError, match=rf"{name} = .*: write a time from 0"):
        stream(network, chip, TEST, **{name: bad})
    with pytest.raises(UsageError, match=rf"{name} = .*: write a time from 0"):
        stream_s(network, TEST, 1e-6, **{name: bad})
    assert chip.clock.now_s == 0.0


def test_a_split_without_sequences_and_a_chip_without_the_network_are_refused():
    network = network_of()
    chip = Chip(Hardware(device="ideal"), 1)
    with pytest.raises(UsageError, match="has no sequences"):
        stream(network, chip, Split("empty", ()))
    chip.program("hidden0.weight", np.ones((88, 12)))
    with pytest.raises(UsageError, match=r"no matrix 'readout\.weight' .* write the network"):
        stream(network, chip, TEST)
    assert chip.clock.now_s == 0.0
