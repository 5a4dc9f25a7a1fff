import numpy as np
import pytest
import torch
from scipy.special import expit

from pcmsim.errors import UsageError
from pcmsim.mitigations.bias import Bias, offset


def answers(site, correction):
    """Logits (n, outputs) of the calibration sequences one by one, so that none is padded."""
    rolls = site.dataset.train.rolls[: site.settings.sequences]
    with torch.no_grad():
        found = [
            site.network(torch.from_numpy(roll[:-1, None]).float(), site.multiplier(correction))
            for roll in rolls
        ]
    return np.concatenate([logits[:, 0].numpy() for logits in found])


@pytest.mark.parametrize("readout", [{"name": "dense"}, {"name": "leaky", "decay": 0.95}])
def test_the_mean_prediction_of_each_output_is_that_of_the_reference(make_site, readout):
    """With gains, and columns that lost their conductance: the offset alone has to do it."""
    site = make_site("still", readout=readout)
    readout = site.matrices[-1]
    site.gains[readout] = np.linspace(0.5, 2.0, 88)
    known = Bias().reference(site)
    now = expit(answers(site, {})).mean(axis=0)
    np.testing.assert_allclose(known["mean prediction"], now, rtol=1e-5)
    target = site.targets(readout)
    target[..., ::3] *= 0.3
    site.write(readout, target)
    found = Bias().correct(site, known)
    mean = expit(answers(site, found)).mean(axis=0)
    np.testing.assert_allclose(mean, known["mean prediction"], rtol=1e-4)
    assert np.abs(found[readout][1]).max() > 0.01


def test_a_spiking_readout_is_refused_before_anything_is_measured(make_site, spied):
    site = make_site(unit="snu", readout="spiking")
    done = spied(site.chip)
    with pytest.raises(UsageError, match=r"network\.readout: spiking has not; statistics"):
        Bias().reference(site)
    assert done.cost.products == 0


def test_only_the_readout_gets_an_offset(make_site):
    site = make_site()
    known = Bias().reference(site)
    site.chip.clock.wait(86400.0)
    found = Bias().correct(site, known)
    assert [offset.shape for _, offset in found.values()] == [(1,), (88,)]
    assert not found[site.matrices[0]][1].any()


def test_offsets_are_found_for_outputs_that_are_hardly_ever_on_or_off():
    z = np.random.default_rng(1).normal(size=(300, 5)) * 2.0
    z += np.array([-14.0, -6.0, 0.0, 6.0, 14.0])
    shift = np.array([3.0, -2.0, 1.0, 2.0, -3.0])
    np.testing.assert_allclose(offset(z, expit(z + shift).mean(axis=0)), shift, rtol=1e-3)


def test_an_output_that_was_never_on_keeps_a_finite_offset():
    assert np.isfinite(offset(np.full((9, 1), -50.0), np.zeros(1))).all()
