"""Retraining on the chip. The network is one that was trained on the synthetic chorales."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from pcmsim.config import Renewal
from pcmsim.loop import evaluate
from pcmsim.mitigations import COMPENSATIONS, Retrain, refresh_of
from pcmsim.networks import load_network

DAYS = 2 * 86400.0
DEFAULT = Renewal(every_s=DAYS, what="retrain")
IDLE = Renewal(
    every_s=DAYS, what="retrain", learning_rate=1e-12, digital_learning_rate=1e-12, epochs=1
)


@pytest.fixture
def site_of(make_site, trained):
    def make(devices="real", **changes):
        return make_site(devices, network=load_network(trained), **changes)

    return make


def metric(site, kind, known):
    site.chip.address_reads(site.chip.clock.now_s.hex())
    correction = COMPENSATIONS[kind].correct(site, known)
    return evaluate(site.network, site.dataset.test, site.multiplier(correction)).per_step


def everything(site):
    state = {name: p.detach().numpy().copy() for name, p in site.network.named_parameters()}
    state |= {"gain of " + name: gain for name, gain in site.gains.items()}
    return state | {"g of " + name: site.chip.conductances(name) for name in site.matrices}


def test_it_beats_one_factor_per_matrix_then_and_two_days_later(site_of):
    gain = []
    for seed in range(3):
        plain, trained = site_of(seed=seed), site_of(seed=seed)
        known = COMPENSATIONS["global"].reference(plain)
        for site in (plain, trained):
            site.chip.clock.wait(DAYS)
        Retrain(DEFAULT).act(trained)
        renewed = COMPENSATIONS["global"].reference(trained)
        now = metric(plain, "global", known) - metric(trained, "global", renewed)
        for site in (plain, trained):
            site.chip.clock.wait_until(2.0 * DAYS)
        later = metric(plain, "global", known) - metric(trained, "global", renewed)
        gain.append((now, later))
    assert np.min(gain) > 0.0
    assert refresh_of(DEFAULT).renews_reference


def test_what_the_chip_was_asked_is_counted(site_of, spied):
    site = site_of()
    site.chip.clock.wait(DAYS)
    done = spied(site.chip)
    Retrain(Renewal(every_s=DAYS, what="retrain", g_threshold=0.1)).act(site)
    assert replace(site.cost, digital_macs=0) == done.cost
    assert site.cost.programmed > 0
    assert 1.5 * site.cost.macs < site.cost.digital_macs <= 2 * site.cost.macs
    written = sum(
        int((np.broadcast_to(s.programmed_at_s, s.shape) >= DAYS).sum())
        for name in site.matrices
        for s in site.chip.matrices[name].states
    )
    assert 0 < written <= site.cost.programmed


def test_drift_that_is_common_becomes_part_of_the_gains_every_time(site_of):
    """At rates that teach nothing: the gains are the factor, and nothing else has changed."""
    site = site_of("alike")
    wanted = deepcopy(site.network.state_dict())
    for days in (1.0, 3.0):
        site.chip.clock.wait_until(days * 86400.0)
        Retrain(IDLE).act(site)
        factor = (1.0 + site.chip.clock.now_s / site.chip.values.t0_s) ** 0.06
        for gain in site.gains.values():
            np.testing.assert_allclose(gain, factor, rtol=1e-4)
    for name, value in site.network.state_dict().items():
        torch.testing.assert_close(value, wanted[name], rtol=1e-5, atol=1e-6)
    assert site.cost.programmed == 0


def test_gains_that_were_learnt_are_where_the_next_training_begins(site_of):
    site = site_of("alike")
    site.chip.clock.wait(DAYS)
    Retrain(DEFAULT).act(site)
    learnt = {name: gain / site.restored[name] for name, gain in site.gains.items()}
    assert max(np.abs(gain - 1.0).max() for gain in learnt.values()) > 0.01
    Retrain(IDLE).act(site)
    for name, gain in learnt.items():
        np.testing.assert_allclose(site.gains[name] / site.restored[name], gain, rtol=1e-4)


def test_the_network_holds_what_devices_were_told(site_of):
    """A change below the threshold leaves neither a device nor the belief other than before."""
    site = site_of("still")
    Retrain(Renewal(every_s=DAYS, what="retrain", g_threshold=0.05)).act(site)
    assert site.cost.programmed > 0
    for name, weight in site.network.matrices().items():
        np.testing.assert_allclose(site.chip.weights(name), weight.detach().numpy(), atol=1e-5)


def test_chips_share_nothing_and_the_same_chip_trains_to_the_same_bits(site_of):
    first, other, second = site_of(), site_of(seed=6), site_of()
    for site in (first, other, second):
        site.chip.clock.wait(DAYS)
    first.weights(first.matrices[0])
    before = everything(other)
    for site in (first, second):
        Retrain(DEFAULT).act(site)
    after = everything(first)
    for name, value in everything(second).items():
        np.testing.assert_array_equal(value, after[name], err_msg=name)
    for name, value in everything(other).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    assert all(p.grad is None for p in first.network.parameters())
    assert not first.chip.reading.often


def test_each_chip_and_each_time_shuffles_in_its_own_order(site_of):
    """On devices without chance and drift nothing else differs."""
    found = []
    for seed, start_s in ((5, 0.0), (6, 0.0), (5, 1e6)):
        site = site_of("still", seed=seed)
        site.chip.clock.wait(start_s)
        Retrain(DEFAULT).act(site)
        found.append(everything(site)["readout.bias"])
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
