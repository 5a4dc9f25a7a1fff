"""Published tables of real devices, from the file to the figures in docs/calibration.md."""

import re
from pathlib import Path

import numpy as np
import pytest

from pcmsim.calibration.calibrate import refuse
from pcmsim.calibration.distributions import compare
from pcmsim.calibration.response import fit_response
from pcmsim.calibration.response_sweeps import tabulate_sweeps
from pcmsim.devices import load_parameter_set
from pcmsim.errors import DataError
from pcmsim.jobs import Order, calibrate_files
from pcmsim.jobs.calibrate import fit_files
from pcmsim.measurements import read_measurements

pytestmark = pytest.mark.data
ROOT = Path(__file__).resolve().parents[3]
PLACES = {
    "set.csv": "crosssim/set.csv",
    "gong_et_al.csv": "gong_reram/gong_et_al.csv",
    "Partial_Reset_PCM.csv": "pcm_partial_reset/Partial_Reset_PCM.csv",
}


@pytest.fixture
def table(data_folder, tmp_path):
    """Path of a published table and of its map, as docs/measurement-format.md prints it."""

    def find(name, **changed):
        text = (ROOT / "docs/measurement-format.md").read_text(encoding="utf-8")
        printed = re.search(rf"^# \S+ {re.escape(name)}:.*?(?=^---|^```)", text, re.M | re.S)
        content = printed.group(0)
        for old, new in changed.items():
            content = content.replace(f"{old}: 0", f"{old}: {new}")
        path = tmp_path / f"{name}.yaml"
        path.write_text(content, encoding="utf-8")
        return data_folder / "devices" / PLACES[name], path

    return find


def order(files, name):
    return Order([files[0]], name, "2026-01-02", columns=files[1], base="ideal")


def test_the_set_ramps_give_the_increments_of_the_reference_analysis(table, tmp_path):
    out = tmp_path / "ramps.yaml"
    calibration, _ = calibrate_files(order(table("set.csv"), "ramps"), out)
    response = calibration.response
    # Mean of all 7,323 increments of I / 0.1 V; mean over the pulses of the spread over ramps.
    assert response.table.mean_all == pytest.approx(4.43, abs=0.005)
    assert response.table.std_pulse == pytest.approx(0.59, abs=0.005)
    assert (response.form, response.unit) == ("soft bounds with memory", "ramps")
    check = calibration.response_check
    assert len(check.increments) == 190
    assert {"pulse 1", "pulse 2"} <= set(check.rejected)
    assert len(check.rejected) <= 25
    assert load_parameter_set(out) == calibration.parameter_set


@pytest.mark.parametrize(("column", "residual", "read"), [(0, 0.173, 0.1135), (1, 0.177, 0.1177)])
def test_the_normalised_ramps_hold_less_read_noise_than_their_scatter(
    table, column, residual, read
):
    files = table("gong_et_al.csv", first=column, last=column)
    campaign, _ = read_measurements([files[0]], files[1])
    g = campaign.staircases.g[0, :, 0] / 10.0
    n = np.arange(g.size)
    fitted = min(
        (
            np.linalg.lstsq(np.stack([np.ones_like(n), np.exp(-n / tau)], 1), g)[:2]
            for tau in np.geomspace(50.0, 20_000.0, 60)
        ),
        key=lambda found: float(found[1][0]),
    )
    assert np.sqrt(fitted[1][0] / g.size) == pytest.approx(residual, abs=0.002)
    assert np.diff(g).std() == pytest.approx(0.166, abs=0.004)
    response = fit_response(campaign.staircases)
    assert response.rises == (column == 0)
    assert response.estimate["read_std_us"] / 10.0 == pytest.approx(read, abs=0.003)


def test_voltage_sweeps_become_a_table_and_no_set(table, tmp_path):
    files = table("Partial_Reset_PCM.csv")
    calibration, _ = fit_files(order(files, "sweeps"), tmp_path / "sweeps.yaml")
    found = calibration.sweeps
    assert (found.devices, found.sweeps, found.missing, found.not_positive) == (1, 380, 0, 0)
    assert found.log_g.std[30] == pytest.approx(0.40, abs=0.01)  # at 2.5 V, the widest
    assert found.log_g.trend[30] == pytest.approx(0.19, abs=0.01)
    assert (found.log_g.slope / found.log_g.slope_stderr)[29:].min() > 7.0
    with pytest.raises(DataError, match="380 sweeps were tabulated but determine no entry"):
        refuse(calibration)


def held_out_sweeps(curve, out, log_normal, rng):
    """Kolmogorov-Smirnov tests at each amplitude of the sweeps of the mask `out` (n,).

    They are compared with the other sweeps as they are, or with the log-normal law of their mean
    and spread. Where both sides are reads the test allows for the number of each.
    """
    tests = []
    for k, amplitude in enumerate(curve.amplitude):
        known = curve.g[~out, k]
        if log_normal:
            logs = np.log(known)
            known = np.exp(rng.normal(logs.mean(), logs.std(ddof=1), 20_000))
        tests.append(compare(f"{amplitude:g} V", curve.t_s, curve.g[out, k], known))
    return tests


def test_sweeps_in_between_are_foretold_and_the_last_ones_are_not(table):
    files = table("Partial_Reset_PCM.csv")
    campaign, _ = read_measurements([files[0]], files[1])
    sweep, rng = np.arange(380), np.random.default_rng(0)
    between = held_out_sweeps(campaign.curve, sweep // 20 % 5 == 2, False, rng)
    assert not [test.label for test in between if test.rejected()]
    normal = held_out_sweeps(campaign.curve, sweep // 20 % 5 == 2, True, rng)
    assert sum(test.rejected() for test in normal) <= 6
    last = held_out_sweeps(campaign.curve, sweep >= 304, False, rng)
    assert sum(test.rejected() for test in last) == 31
    assert tabulate_sweeps(campaign.curve).blocks == 19
