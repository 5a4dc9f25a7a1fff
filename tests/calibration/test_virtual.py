"""Virtual campaigns against the closed forms of the physics."""

import numpy as np
import pytest
from campaigns import NOTHING, VALUES, campaign_of

from pcmsim.calibration.checks import campaign_faults
from pcmsim.calibration.virtual import measure_campaign
from pcmsim.config import build_plan, load_plan
from pcmsim.devices import load_parameter_set
from pcmsim.errors import UsageError

DRIFT = {"targets": [5.0], "devices_per_level": 20_000, "programmings": 1}


def test_the_shipped_plan_is_the_default():
    assert load_plan("configs/campaign.yaml") == build_plan({})


def test_means_fall_as_published():
    """Mean of (t/20 s)^-nu at 5 uS after an hour and a day, from independent quadrature."""
    times = {"first_s": 20.0, "last_s": 86400.0, "count": 3}
    part = campaign_of(1, drift=DRIFT | {"times": times}).drift[0]
    g = part.g[np.asarray(part.converged, bool)]
    for k, factor in ((0, 1.0), (2, 0.66630)):
        stderr = np.nanstd(g[:, k]) / np.sqrt(g.shape[0])
        assert abs(np.nanmean(g[:, k]) - 5.0 * factor) < 4 * stderr


def test_the_first_read_spreads_by_placement_and_noise():
    part = campaign_of(2, drift=DRIFT).drift[0]
    g = part.g[np.asarray(part.converged, bool), 0]
    noise = 0.02505 * 5.0 * np.sqrt(np.log(20.0 / 5e-7))
    expected = np.hypot(0.60956, noise)
    assert np.nanstd(g) == pytest.approx(expected, rel=4 / np.sqrt(2 * g.size) + 0.01)


def test_the_same_seed_measures_the_same_and_sections_do_not_disturb_each_other():
    reads = {"targets": [5.0], "devices_per_level": 20, "count": 8}
    small = DRIFT | {"devices_per_level": 50}
    both, alone = campaign_of(3, drift=small, reads=reads), campaign_of(3, reads=reads)
    np.testing.assert_array_equal(both.reads[0].g, alone.reads[0].g)
    again = campaign_of(3, drift=small)
    np.testing.assert_array_equal(both.drift[0].g, again.drift[0].g)
    assert not np.array_equal(again.drift[0].g, campaign_of(4, drift=small).drift[0].g)


def test_the_instrument_rounds_and_loses_samples():
    plan = build_plan(
        NOTHING
        | {
            "drift": DRIFT | {"devices_per_level": 500},
            "instrument": {"adc_bits": 8, "full_scale_us": 25.5, "missing": 0.2},
        }
    )
    campaign = measure_campaign(load_parameter_set("pcm-gst-90nm"), plan, 0)
    g = campaign.drift[0].g
    assert campaign.instrument.g_step == pytest.approx(0.1)
    np.testing.assert_allclose(np.nan_to_num(g / 0.1), np.round(np.nan_to_num(g / 0.1)), atol=1e-9)
    assert np.isnan(g).mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / g.size))


def test_a_campaign_has_no_faults():
    assert list(campaign_faults(campaign_of(5, drift=DRIFT | {"devices_per_level": 100}))) == []


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"drift": {"targets": [30.0]}}, "drift.targets reach 30 uS, above g_max"),
        ({"drift": {"targts": [3.0]}}, "drift.targts is not a known key; did you mean"),
        ({"instrument": {"t_read_s": 1.0}}, "at most 0.005 s"),
        ({"staircase": {"interval_s": 10.0}}, "read_after_s must increase"),
        ({"curve": {"first_ua": 500.0}}, "first_ua must be below last_ua"),
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(sections, message):
    with pytest.raises(UsageError, match=message):
        campaign_of(0, **sections)


def test_a_set_without_pulses_cannot_be_measured_for_them():
    bare = load_parameter_set("pcm-gst-90nm")
    entries = {
        name: entry for name, entry in bare.entries.items()
        if not name.startswith(("set_", "wear_", "melt", "rejuvenation"))
    }  # fmt: skip
    bare = type(bare)(bare.name, bare.title, bare.source, entries).checked()
    with pytest.raises(UsageError, match="no pulse model"):
        campaign_of(0, bare, staircase={})
    assert VALUES.set_pulse is not None
