import numpy as np
import pytest

from pcmsim.mitigations.statistics import Statistics

DAYS = 4 * 86400.0


def moments(site, correction):
    _, outputs = site.play(correction)
    found = {}
    for name, y in outputs.items():
        y = site.corrected(name, y, correction)
        found[name] = y.mean(axis=0), y.std(axis=0)
    return found


@pytest.mark.parametrize("spec", [{}, {"hidden": (10, 8)}])
def test_moments_of_every_column_are_brought_back_whatever_happened_to_it(spec, make_site):
    site = make_site("still", **spec)
    known, wanted = Statistics().reference(site), moments(site, {})
    chance = np.random.default_rng(2)
    for name in site.matrices:
        target = site.targets(name)
        site.write(name, target * chance.uniform(0.4, 1.0, target.shape))
    found = moments(site, Statistics().correct(site, known))
    for name in site.matrices:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-5)


def test_recurrent_connections_are_restored_too(make_site, logits):
    site = make_site("alike", recurrent=True)
    known, wanted = Statistics().reference(site), logits(site)
    site.chip.clock.wait(DAYS)
    found = Statistics().correct(site, known)
    assert any(name.endswith("recurrent") for name in found)
    np.testing.assert_allclose(logits(site, found), wanted, atol=2e-4)


def test_a_column_that_shows_nothing_keeps_its_factor(make_site):
    site = make_site("still")
    name = site.matrices[0]
    known = Statistics().reference(site)
    target = site.targets(name)
    target[..., 4] = 0.0
    site.write(name, target)
    factor, offset = Statistics().correct(site, known)[name]
    assert factor[4] == 1.0
    assert offset[4] == pytest.approx(known["mean of " + name][4], abs=1e-9)
