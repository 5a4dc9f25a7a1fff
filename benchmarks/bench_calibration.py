"""Fitting drift and noise of many traces: cost against the number of devices.

Run with `make bench`. Traces come from a measurement file, in parts; the peak of memory is that of
the process, campaign included.
"""

import resource

import numpy as np
import pytest

from pcmsim.calibration.drift import fit_drift
from pcmsim.calibration.noise import fit_noise
from pcmsim.calibration.records import Campaign, DriftTraces
from pcmsim.calibration.virtual import measure_campaign
from pcmsim.config import build_plan
from pcmsim.devices import load_parameter_set
from pcmsim.measurements import read_campaign, write_campaign

PLAN = {
    "drift": {"devices_per_level": 4800, "programmings": 1},
    **dict.fromkeys(("staircase", "set_drift", "curve", "yields", "levels")),
}


@pytest.fixture(scope="module")
def campaign():
    return measure_campaign(load_parameter_set("pcm-gst-90nm"), build_plan(PLAN), 0)


@pytest.mark.parametrize("devices", [10_000, 52_800, 100_000, 1_000_000])
def test_fit_drift_and_noise(benchmark, campaign, tmp_path, devices):
    write_campaign(tmp_path / "a.h5", repeated(campaign, devices))
    found = read_campaign(tmp_path / "a.h5")

    def fit():
        noise = fit_noise(found.reads, found.instrument)
        return fit_drift(found.drift, found.instrument, 25.0, 20.0, noise.exponent)

    benchmark.pedantic(fit, rounds=3 if devices < 1_000_000 else 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    benchmark.extra_info["peak_mib"] = round(peak)


def repeated(campaign, devices):
    """The traces of the campaign, again and again as those of other devices."""
    whole = {
        name: np.concatenate([getattr(part, name) for part in campaign.drift])
        for name in ("device", "programming", "g_target", "converged", "g")
    }
    n = whole["g"].shape[0]
    at = np.random.default_rng(0).permutation(np.arange(devices) % n)
    whole = {name: values[at] for name, values in whole.items()}
    whole["device"] = np.arange(devices)
    parts = (DriftTraces(t_s=campaign.drift[0].t_s, **whole),)
    return Campaign(campaign.instrument, parts, reads=campaign.reads)
