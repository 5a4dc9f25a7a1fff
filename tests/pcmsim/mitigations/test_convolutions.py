"""What plays calibration sequences leaves out the padding of patches too."""

from dataclasses import replace

import numpy as np
import pytest

from pcmsim.mitigations import COMPENSATIONS

DAYS = 4 * 86400.0
IMAGE = {
    "unit": "ssnu",
    "image": (1, 8, 11),
    "convolutions": ({"channels": 3, "kernel": 3, "stride": 2, "pool": 2},),
    "hidden": (6,),
}


def test_every_patch_of_a_step_that_is_real_is_played(make_site):
    site = make_site("still", **IMAGE)
    inputs, outputs = site.play()
    steps = sum(site.dataset.train.steps()[:3])
    assert inputs["conv0.weight"].shape == (steps * 15, 9)
    assert outputs["conv0.weight"].shape == (steps * 15, 3)
    assert inputs["hidden0.weight"].shape == (steps, 6)
    notes = site.dataset.train.batch(range(3))
    window = site.network.windows["conv0"]
    played = inputs["conv0.weight"].sum()
    wanted = (notes.inputs[notes.mask] @ window.uses().numpy()).sum()
    assert played == pytest.approx(wanted)


@pytest.mark.parametrize("name", ["affine", "statistics", "bias"])
def test_drift_that_is_common_to_all_devices_is_undone(name, make_site, logits):
    site = make_site("alike", **IMAGE)
    known, wanted = COMPENSATIONS[name].reference(site), logits(site)
    site.chip.clock.wait(DAYS)
    assert np.abs(logits(site) - wanted).max() > 0.02
    found = COMPENSATIONS[name].correct(site, known)
    np.testing.assert_allclose(logits(site, found), wanted, atol=2e-4)


@pytest.mark.parametrize("recurrent", [False, True])
def test_padding_is_left_out_of_every_matrix_recurrent_ones_too(recurrent, make_site, dataset):
    rolls = tuple(roll[:n] for roll, n in zip(dataset.train.rolls, (9, 4, 6), strict=False))
    short = replace(dataset, train=replace(dataset.train, rolls=rolls))
    site = make_site("still", data=short, recurrent=recurrent)
    inputs, outputs = site.play()
    assert len(inputs) == 2 + recurrent
    for name in inputs:
        assert len(inputs[name]) == len(outputs[name]) == 8 + 3 + 5, name
