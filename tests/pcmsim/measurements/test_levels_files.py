"""Closed-loop levels in files: HDF5 and tables of a lab give the same record."""

from dataclasses import fields

import numpy as np
import pytest
import xarray as xr
from campaigns import campaign_of

from pcmsim.calibration.checks import check_campaign
from pcmsim.errors import DataError, UsageError
from pcmsim.measurements import (
    build_columns,
    campaign_counts,
    read_campaign,
    read_measurements,
    read_table,
    write_campaign,
)

COLUMNS = {
    "device": {"name": "dev"},
    "g_target": {"name": "target", "unit": "uS"},
    "iterations": {"name": "n"},
    "converged": {"name": "ok"},
    "tolerance": {"value": 800.0, "unit": "nS"},
    "verify_after_s": {"value": 1.0, "unit": "ms"},
    "g_verify": {"name": "I_v [nA]", "read_v": 0.2},
    "read_after_s": {"name": "t [ms]"},
    "g": {"name": "G [S]"},
}
TABLE = """dev,target,n,ok,I_v [nA],t [ms],G [S]
4,10,3,1,2000,10,9.5e-6
4,10,3,1,2000,1000,8.5e-6
4,20,30,0,,10,1.0e-6
4,20,30,0,,1000,
5,10,1,1,2100,10,9.9e-6
5,10,1,1,2100,1000,9.0e-6
"""


@pytest.fixture(scope="module")
def campaign():
    return campaign_of(1, levels={"targets": [5.0, 10.0], "devices_per_level": 30})


def of_table(tmp_path, text=TABLE, columns=COLUMNS, **settings):
    (tmp_path / "a.csv").write_text(text)
    values = {"kind": "levels", "instrument": {"t_read_s": 1e-6}, "columns": columns}
    return read_table(tmp_path / "a.csv", build_columns(values | settings))


def same(found, expected):
    for field in fields(expected):
        name = field.name
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_levels_are_read_back_as_they_were(campaign, tmp_path):
    write_campaign(tmp_path / "a.h5", campaign)
    same(read_campaign(tmp_path / "a.h5").levels, campaign.levels)
    with xr.open_dataset(tmp_path / "a.h5", group="levels", engine="h5netcdf") as found:
        assert found["g"].dims == ("row", "read_after_s")
        assert found["g_verify"].attrs["units"] == "uS"
        assert found.attrs["tolerance"] == 0.8


def test_a_table_gives_reads_in_units_of_the_records(tmp_path):
    found = of_table(tmp_path)
    levels = found.levels
    assert levels.device.tolist() == [4, 4, 5]
    assert levels.g_target.tolist() == [10.0, 20.0, 10.0]
    assert levels.iterations.tolist() == [3, 30, 1]
    assert levels.converged.tolist() == [1, 0, 1]
    assert (levels.tolerance, levels.verify_after_s) == pytest.approx((0.8, 1e-3))
    np.testing.assert_allclose(levels.g_verify, [10.0, np.nan, 10.5])
    np.testing.assert_allclose(levels.read_after_s, [0.01, 1.0])
    np.testing.assert_allclose(levels.g, [[9.5, 8.5], [1.0, np.nan], [9.9, 9.0]])
    check_campaign(found)
    assert campaign_counts(found) == {"devices programmed in a loop": 3, "missing reads": 2}


def test_a_table_written_as_hdf5_is_the_same_campaign(tmp_path):
    found = of_table(tmp_path)
    write_campaign(tmp_path / "b.h5", found)
    campaign, (source,) = read_measurements([tmp_path / "b.h5"])
    same(campaign.levels, found.levels)
    assert source.counts == {"devices programmed in a loop": 3, "missing reads": 2}


def test_two_files_with_levels_are_refused(campaign, tmp_path):
    for name in ("a.h5", "b.h5"):
        write_campaign(tmp_path / name, campaign)
    with pytest.raises(DataError, match="several files hold levels"):
        read_measurements([tmp_path / "a.h5", tmp_path / "b.h5"])


@pytest.mark.parametrize(
    ("text", "columns", "settings", "message"),
    [
        (TABLE.replace("2000,1000", "2001,1000"), {}, {}, "row 2 has g_verify = 10.005"),
        (TABLE.replace("2000,1000", ",1000"), {}, {}, "row 2 has g_verify = nan"),
        (TABLE.replace("5,10,1,1,2100,10,", "5,10,2,1,2100,10,"), {}, {}, "has iterations = 1"),
        (TABLE.replace("3,1,2000,10,", "2.5,1,2000,10,"), {}, {}, "iterations = 2.5 must be a wh"),
        (TABLE, {"tolerance": {"value": 1.0, "unit": "ohm"}}, {}, "tolerance.unit = 'ohm'; known"),
        (TABLE, {"g_verify": None}, {}, "columns.g_verify is missing; kind: levels needs"),
        (TABLE, {"device": None, "g": {"unit": "S"}}, {"layout": "wide"}, "layout: long"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path, text, columns, settings, message):
    given = {k: v for k, v in (COLUMNS | columns).items() if v is not None}
    with pytest.raises((DataError, UsageError)) as caught:
        of_table(tmp_path, text, given, **settings)
    assert message in str(caught.value)
