"""Laws that every compensation keeps."""

from dataclasses import replace

import numpy as np
import pytest

from pcmsim.datasets import Split
from pcmsim.mitigations import COMPENSATIONS

DAYS = 4 * 86400.0
NAMES = [name for name in COMPENSATIONS if name != "none"]


def known_of(site, name):
    COMPENSATIONS[name].prepare(site)
    site.chip.address_reads(name, "reference")
    return COMPENSATIONS[name].reference(site)


def corrected(site, name, known):
    site.chip.address_reads(name, site.chip.clock.now_s.hex())
    return COMPENSATIONS[name].correct(site, known)


def same(first, second):
    assert first.keys() == second.keys()
    for key in first:
        for a, b in zip(first[key], second[key], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=key)


@pytest.mark.parametrize("hidden", [(12,), (10, 8)])
@pytest.mark.parametrize("name", NAMES)
def test_drift_that_is_common_to_all_devices_is_undone(name, hidden, make_site, logits):
    site = make_site("alike", hidden=hidden)
    known, wanted = known_of(site, name), logits(site)
    site.chip.clock.wait(DAYS)
    assert np.abs(logits(site) - wanted).max() > 0.1
    np.testing.assert_allclose(logits(site, corrected(site, name, known)), wanted, atol=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_without_drift_and_noise_nothing_is_corrected(name, make_site):
    site = make_site("still")
    known = known_of(site, name)
    site.chip.clock.wait(DAYS)
    found = corrected(site, name, known)
    assert found.keys() == set(site.matrices)
    for factor, offset in found.values():
        np.testing.assert_allclose(factor, 1.0, atol=1e-5)
        np.testing.assert_allclose(offset, 0.0, atol=1e-5)


@pytest.mark.parametrize("name", COMPENSATIONS)
def test_targets_have_no_part_in_it(name, make_site, dataset):
    """The last step of a sequence is only ever a target; other splits are no business of it."""

    def other(split):
        rolls = tuple(np.concatenate([roll[:-1], 1 - roll[-1:]]) for roll in split.rolls)
        return Split(split.name, rolls)

    empty = Split("valid", ())
    changed = replace(dataset, train=other(dataset.train), valid=empty, test=empty)
    found = []
    for data in (dataset, changed):
        site = make_site(data=data)
        known = known_of(site, name)
        site.chip.clock.wait(DAYS)
        found.append((known, corrected(site, name, known)))
    for before, after in zip(*found, strict=True):
        same(before, after)


@pytest.mark.parametrize("name", COMPENSATIONS)
def test_what_is_programmed_stays(name, make_site, devices_of):
    site = make_site()
    before, weights = devices_of(site.chip), [w.clone() for w in site.network.parameters()]
    known = known_of(site, name)
    site.chip.clock.wait(DAYS)
    corrected(site, name, known)
    same(before, devices_of(site.chip, before))
    assert all((a == b).all() for a, b in zip(weights, site.network.parameters(), strict=True))
    assert site.chip.clock.now_s == DAYS
    assert not site.gains


@pytest.mark.parametrize("name", NAMES)
def test_no_compensation_moves_the_numbers_of_another(name, make_site, logits):
    alone, beside = make_site(), make_site()
    knowns = {}
    for site, names in ((alone, [name]), (beside, COMPENSATIONS)):
        for each in names:
            knowns[each] = known_of(site, each)
        site.chip.clock.wait(DAYS)
    found = corrected(alone, name, knowns[name])
    for each in COMPENSATIONS:
        other = corrected(beside, each, knowns[each])
        if each == name:
            same(found, other)
    for site in (alone, beside):
        site.chip.address_reads("evaluation")
    np.testing.assert_array_equal(logits(alone, found), logits(beside, found))


@pytest.mark.parametrize("name", COMPENSATIONS)
def test_what_was_done_is_what_is_counted(name, make_site, spied):
    site = make_site()
    done = spied(site.chip)
    known = known_of(site, name)
    reference = site.cost
    assert reference == done.cost
    site.chip.clock.wait(DAYS)
    corrected(site, name, known)
    assert site.cost == done.cost
    if name != "none":
        assert site.cost.products > reference.products > 0


def test_levels_cost_a_product_with_each_one_hot_vector(make_site):
    site = make_site()
    known_of(site, "column")
    rows = sum(site.chip.matrices[name].shape[0] for name in site.matrices)
    assert site.cost.products == site.settings.repeats * rows
