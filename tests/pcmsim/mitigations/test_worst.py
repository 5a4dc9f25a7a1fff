import numpy as np
import pytest

from pcmsim.config import Renewal
from pcmsim.mitigations import Worst, refresh_of

DAYS = 2 * 86400.0


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_exactly_the_share_that_is_farthest_is_written_and_the_others_keep_their_clocks(
    share, make_site
):
    site, twin = make_site(), make_site()
    for each in (site, twin):
        each.chip.clock.wait(DAYS)
        each.chip.address_reads("worst", DAYS.hex())
    shown = {name: twin.chip.read(name) for name in site.matrices}
    before = {name: site.chip.conductances(name) for name in site.matrices}
    Worst(share).act(site)
    for name, g in shown.items():
        (state,) = site.chip.matrices[name].states
        written = np.broadcast_to(state.programmed_at_s, state.shape) == DAYS
        assert written.sum() == round(share * written.size)
        error = np.abs(g - site.targets(name))
        assert share == 1.0 or error[written].min() >= error[~written].max()
        left = site.chip.conductances(name)[~written]
        np.testing.assert_allclose(left, before[name][~written], rtol=1e-6)
        assert np.all(np.broadcast_to(state.programmed_at_s, state.shape)[~written] == 0.0)


def test_what_is_written_goes_to_its_target(make_site):
    site = make_site("alike")
    site.chip.clock.wait(DAYS)
    Worst(1.0).act(site)
    for name in site.matrices:
        np.testing.assert_allclose(site.chip.conductances(name), site.targets(name), rtol=1e-5)


def test_one_read_of_every_device_and_what_is_written_are_counted(make_site, spied):
    site = make_site(pairs=2)
    done = spied(site.chip)
    Worst(0.1).act(site)
    assert site.cost == done.cost
    assert site.cost.macs == site.chip.n_devices


def test_the_same_chip_at_the_same_time_does_the_same_whatever_was_read_before(make_site):
    found = []
    for reads in (0, 3):
        site = make_site()
        site.chip.clock.wait(DAYS)
        for _ in range(reads):
            site.weights(site.matrices[0])
        Worst(0.05).act(site)
        found.append(site.chip.conductances(site.matrices[0]))
    np.testing.assert_array_equal(*found)


def test_a_section_of_the_study_makes_it():
    renewal = Renewal(every_s=86400.0, what="worst", share=0.2)
    assert refresh_of(renewal) == Worst(0.2)
    assert not refresh_of(renewal).renews_reference
