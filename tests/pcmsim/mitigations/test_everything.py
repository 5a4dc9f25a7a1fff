import numpy as np

from pcmsim.mitigations import Everything

DAYS = 2 * 86400.0


def test_devices_are_as_after_programming_and_their_clocks_begin_now(make_site):
    site = make_site()
    started = {name: site.chip.conductances(name) for name in site.matrices}
    site.chip.clock.wait(DAYS)
    Everything().act(site)
    for name, g in started.items():
        told = site.targets(name) > 0.0
        now = site.chip.conductances(name)
        # Both draws around the same targets.
        error = np.sqrt(2.0) * (g - site.targets(name))[told].std() / np.sqrt(told.sum())
        assert abs(now[told].mean() - g[told].mean()) < 4.0 * error
        assert not np.array_equal(now, g)
        times = [state.programmed_at_s for state in site.chip.matrices[name].states]
        assert all(np.all(at_s == DAYS) for at_s in times)


def test_every_device_is_counted_and_none_is_read(make_site, spied):
    site = make_site(pairs=2)
    done = spied(site.chip)
    Everything().act(site)
    assert site.cost == done.cost
    assert (site.cost.programmed, site.cost.products) == (site.chip.n_devices, 0)
