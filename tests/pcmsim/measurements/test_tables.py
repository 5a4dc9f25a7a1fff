"""Tables of a lab: what stands in them is in the records, in the units of the records."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcmsim.calibration.checks import check_campaign
from pcmsim.errors import DataError, UsageError
from pcmsim.measurements import (
    build_columns,
    load_columns,
    read_campaign,
    read_measurements,
    read_table,
    write_campaign,
)
from pcmsim.yamltext import load_yaml

COLUMNS = {
    "device": {"name": "device"},
    "g_target": {"name": "target", "unit": "uS"},
    "t_s": {"name": "t", "unit": "s"},
    "g": {"name": "g", "unit": "uS"},
}
TEXT = "device,target,t,g\n7,5,1,4.0\n7,5,10,3.5\n9,5,1,5.0\n9,5,10,4.5\n"
DATA = Path(os.environ.get("PCMSIM_DATA", "../shared/data")) / "devices"


def mapped(columns=COLUMNS, kind="drift", **settings):
    return build_columns(
        {"kind": kind, "instrument": {"t_read_s": 1e-6}, "columns": columns} | settings
    )


@pytest.fixture
def table(tmp_path):
    def write(text, name="a.csv"):
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def drift_of(path, columns=None):
    (traces,) = read_table(path, columns or mapped()).drift
    return traces


def test_a_long_table_has_one_row_for_each_device(table):
    traces = drift_of(table(TEXT))
    assert traces.device.tolist() == [7, 9]
    assert traces.t_s.tolist() == [1.0, 10.0]
    assert traces.g.tolist() == [[4.0, 3.5], [5.0, 4.5]]
    assert traces.g_target.tolist() == [5.0, 5.0]
    assert traces.programming.tolist() == [0, 0]
    assert traces.converged.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("raw", "column"),
    [
        (10e-6, {"unit": "S"}),
        (0.01, {"unit": "mS"}),
        (10.0, {"unit": "µS"}),
        (1e4, {"unit": "nS"}),
        (1e5, {"unit": "ohm"}),
        (100.0, {"unit": "kΩ"}),
        (0.1, {"unit": "Mohm"}),
        (2e-6, {"unit": "A", "read_v": 0.2}),
        (2000.0, {"unit": "nA", "read_v": 0.2}),
        (512.0, {"unit": "counts", "gain_us": 0.02, "offset": 12.0}),
        (11.0, {"unit": "uS", "offset": 1.0}),
        (5.0, {"unit": "uS", "scale": 2.0}),
    ],
)
def test_ten_microsiemens_are_ten_in_every_unit(table, raw, column):
    columns = COLUMNS | {"g": {"name": "g"} | column}
    found = drift_of(table(f"device,target,t,g\n1,10,1,{raw!r}\n"), mapped(columns))
    assert found.g[0, 0] == pytest.approx(10.0, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "seconds"), [("s", 1), ("ms", 1e-3), ("us", 1e-6), ("min", 60), ("h", 3600)]
)
def test_times_are_seconds(table, unit, seconds):
    columns = COLUMNS | {"t_s": {"name": "t", "unit": unit}}
    assert drift_of(table(TEXT), mapped(columns)).t_s == pytest.approx([seconds, 10 * seconds])


def test_a_unit_in_the_heading_is_enough_and_must_not_contradict(table):
    path = table(TEXT.replace(",g\n", ",g [S]\n"))
    columns = COLUMNS | {"g": {"name": "g [S]"}}
    assert drift_of(path, mapped(columns)).g[0, 0] == pytest.approx(4e6)
    with pytest.raises(DataError, match=r"'g \[S\]' says S, the column map says uS"):
        drift_of(path, mapped(COLUMNS | {"g": {"name": "g [S]", "unit": "uS"}}))


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (TEXT.replace(",", "\t"), {}),
        (TEXT.replace(",", ";").replace(".", ","), {"decimal": "comma"}),
        (TEXT.replace(",", "  "), {"separator": "space"}),
        (TEXT.replace("\n", "\r\n"), {}),
        (b"\xef\xbb\xbf" + TEXT.encode(), {}),
        (TEXT.encode("utf-16"), {"encoding": "utf-16"}),
        ("# a\n" + TEXT.replace("9,5,1,", "# b, c\n9,5,1,") + "#end\n\n\n", {}),
        ("lab book 7\nno table yet\n" + TEXT, {"skip": 2}),
        (TEXT.replace("\n", "\n-,uS,s,uS\n", 1), {"units_row": True}),
        (TEXT.replace("\n", ",,\n"), {}),
        (TEXT.replace("t,g\n", "t,g\n").replace("\n7", ",\n7").replace("\n9", ",\n9"), {}),
        (TEXT + ",,,\n,,,\n", {}),
        (TEXT.replace("7,", '"7",'), {}),
        (TEXT.replace(",", " , "), {}),
    ],
)
def test_dialects_of_text_tables_say_the_same(table, text, settings):
    found, plain = drift_of(table(text), mapped(**settings)), drift_of(table(TEXT))
    for name in ("device", "g_target", "t_s", "g"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))


def test_excel_and_compressed_tables_say_the_same(table, tmp_path):
    pd.read_csv(table(TEXT)).to_excel(tmp_path / "a.xlsx", index=False)
    packed = table(gzip.compress(TEXT.encode()), "a.csv.gz")
    for path in (tmp_path / "a.xlsx", packed):
        np.testing.assert_array_equal(drift_of(path).g, drift_of(table(TEXT)).g)


@pytest.mark.parametrize("spelling", ["", "NaN", "nan", "nAn", "N/A", "null", "-", "None", "#N/A"])
def test_missing_reads_are_nan_and_counted(table, spelling):
    path = table(TEXT.replace("4.5", spelling).replace("9,5,1,5.0\n", ""))
    (tmp := path.with_name("a.csv.yaml")).write_text(
        "kind: drift\ninstrument: {t_read_s: 1.0e-6}\ncolumns:\n  device: {name: device}\n"
        "  g_target: {name: target, unit: uS}\n  t_s: {name: t, unit: s}\n"
        "  g: {name: g, unit: uS}\n"
    )
    campaign, sources = read_measurements([path])
    (traces,) = campaign.drift
    assert np.isnan(traces.g[1]).all()
    assert sources[0].counts == {"drift traces": 2, "missing reads": 2}
    assert [source.kind for source in sources] == ["table", "column map"]
    assert load_columns(tmp).kind == "drift"


def test_names_of_devices_are_numbered_in_order_and_never_merged(table):
    assert drift_of(table(TEXT.replace("7,", "B,").replace("9,", "A,"))).device.tolist() == [0, 1]
    assert drift_of(table(TEXT.replace("9,", "007,"))).device.tolist() == [0, 1]


def test_times_that_differ_slightly_are_one_time_and_others_are_refused(table):
    near = drift_of(table(TEXT.replace("9,5,10,", "9,5,10.05,")))
    assert near.t_s == pytest.approx([1.0, 10.025])
    assert near.g.shape == (2, 2)
    with pytest.raises(DataError, match=r"have a read at 10, others at 10\.2, none both"):
        drift_of(table(TEXT.replace("9,5,10,", "9,5,10.2,")))
    apart = drift_of(table(TEXT.replace("9,5,10,", "9,5,100,")))
    assert np.isnan(apart.g).tolist() == [[False, False, True], [False, True, False]]
    steps = "".join(f"{d},5,{10 * 1.006**d},4.0\n" for d in range(10, 20))
    with pytest.raises(DataError, match="have no place on a grid; rows may differ by 1 %"):
        drift_of(table(TEXT + steps))


def test_lost_reads_leave_gaps_in_bursts_and_the_interval_is_found(table):
    t = [5.0, 5.1, 5.2, 5.4, 5.5]
    rows = "".join(f"{d},5,{x + 0.001 * d},{d + x}\n" for d in (1, 2) for x in t)
    (reads,) = read_table(table("device,target,t,g\n" + rows), mapped(kind="reads")).reads
    assert reads.interval_s == pytest.approx(0.1)
    assert reads.t_s == pytest.approx([5.001, 5.002])
    assert np.isnan(reads.g).tolist() == [[False, False, False, True, False, False]] * 2
    text = "device,target,t,g\n1,5,1,1\n1,5,1.1,1\n1,5,1.25,1\n1,5,1.35,1\n1,5,1.45,1\n"
    with pytest.raises(DataError, match=r"row 3 follows after 0.15 s, reads usually after 0.1 s"):
        read_table(table(text), mapped(kind="reads"))


def test_a_wide_table_with_a_time_column_is_the_transposed_records(table):
    text = "t [min],a,b,\n1,4,5,\n10,3,,\n"
    columns = {
        "t_s": {"name": "t [min]"},
        "g_target": {"value": [4.0, 5.0], "unit": "uS"},
        "g": {"unit": "uS"},
    }
    found = drift_of(table(text), mapped(columns, layout="wide"))
    assert found.t_s.tolist() == [60.0, 600.0]
    assert found.g_target.tolist() == [4.0, 5.0]
    np.testing.assert_array_equal(found.g, [[4.0, 3.0], [5.0, np.nan]])


STAIRCASE = {
    "read_after_s": {"value": 1.0, "unit": "ms"},
    "interval_s": {"value": 0.1, "unit": "s"},
    "g": {"unit": "A", "read_v": 0.1},
}


def test_a_wide_staircase_has_a_column_for_each_climb(table):
    columns = STAIRCASE | {"device": {"value": 3}}
    wide = mapped(columns, kind="staircase", layout="wide", traces={"each": "cycle"})
    found = read_table(table("r1,r2\n1e-6,2e-6\n3e-6,\n"), wide).staircases
    np.testing.assert_allclose(found.g[:, :, 0], [[10.0, 30.0], [20.0, np.nan]])
    assert found.device.tolist() == [3, 3]
    assert found.cycle.tolist() == [0, 1]
    assert found.read_after_s.tolist() == [1e-3]


def test_a_long_staircase_has_a_place_for_each_pulse_and_read(table):
    text = "d,p,after,g\n1,1,2,5\n1,1,1,4\n1,2,1,6\n"
    columns = {
        "device": {"name": "d"},
        "pulse": {"name": "p"},
        "read_after_s": {"name": "after", "unit": "s"},
        "interval_s": {"value": 9.0, "unit": "s"},
        "g": {"name": "g", "unit": "uS"},
    }
    found = read_table(table(text), mapped(columns, kind="staircase")).staircases
    expected = [[[np.nan, np.nan], [4.0, 5.0], [6.0, np.nan]]]
    np.testing.assert_array_equal(found.g, expected)


CURVE = {
    "device": {"value": 0},
    "sweep": {"restarts": True},
    "amplitude": {"name": "v", "unit": "mV"},
    "t_s": {"value": 1.0, "unit": "s"},
    "g": {"name": "R", "unit": "kohm"},
}


def test_sweeps_are_counted_where_the_amplitude_starts_again(table):
    text = "v,R\n100,100\n200,200\n100,1000\n200,2000\n"
    curve = read_table(table(text), mapped(CURVE, kind="curve")).curve
    np.testing.assert_allclose(curve.g, [[10.0, 5.0], [1.0, 0.5]])
    assert curve.sweep.tolist() == [0, 1]
    assert curve.amplitude == pytest.approx([0.1, 0.2])
    assert curve.unit == "V"


def test_a_curve_in_volts_stays_one_in_a_file(table, tmp_path):
    campaign = read_table(table("v,R\n100,100\n200,200\n"), mapped(CURVE, kind="curve"))
    write_campaign(tmp_path / "a.h5", campaign)
    found = read_campaign(tmp_path / "a.h5").curve
    assert found.unit == "V"
    np.testing.assert_array_equal(found.g, campaign.curve.g)


def test_verdicts_of_a_yield_map_are_words(table):
    columns = {
        "device": {"name": "d"},
        "g_min": {"name": "lo", "unit": "uS"},
        "g_max": {"name": "hi", "unit": "uS"},
        "state": {"name": "s", "table": {"ok": 0.0, "open": 1.0}},
    }
    yields = mapped(columns, kind="yields")
    found = read_table(table("d,lo,hi,s\n4,0.1,20,ok\n5,0.1,,open\n"), yields).yields
    assert found.state.tolist() == [0, 1]
    assert found.column.tolist() == [0, 1]
    with pytest.raises(DataError, match="column s: row 1: 'OK' is not in the table"):
        read_table(table("d,lo,hi,s\n4,0.1,20,OK\n"), yields)


def test_files_with_maps_of_their_own_become_one_campaign(table, tmp_path):
    write_campaign(tmp_path / "b.h5", read_table(table(TEXT), mapped()))
    text = "v,R\n100,100\n200,200\n"
    table("kind: curve\ninstrument: {t_read_s: 1.0e-6}\ncolumns:\n  device: {value: 0}\n"
          "  amplitude: {name: v, unit: mV}\n  t_s: {value: 1.0, unit: s}\n"
          "  g: {name: R, unit: kohm}\n", "c.csv.yaml")  # fmt: skip
    campaign, sources = read_measurements([tmp_path / "b.h5", table(text, "c.csv")])
    assert [source.name for source in sources] == ["b.h5", "c.csv", "c.csv.yaml"]
    assert campaign.curve.unit == "V"
    assert next(iter(campaign.drift)).g.shape == (2, 2)
    with pytest.raises(UsageError, match=r"d.csv is a table; say .* d.csv.yaml beside it"):
        read_measurements([table(TEXT, "d.csv")])


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(1e-3, 1e3), min_size=6, max_size=6), st.permutations(range(6)))
def test_numbers_survive_a_text_table_bit_for_bit_in_any_order(tmp_path_factory, g, order):
    rows = [f"{d},5,{10.0**k!r},{g[2 * d + k]!r}\n" for d in range(3) for k in range(2)]
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text("device,target,t,g\n" + "".join(rows[k] for k in order))
    found = drift_of(path)
    expected = np.reshape(g, (3, 2))[found.device]
    np.testing.assert_array_equal(found.g, expected)


PUBLISHED = (
    "crosssim/set.csv",
    "gong_reram/gong_et_al.csv",
    "pcm_partial_reset/Partial_Reset_PCM.csv",
    "rram_relax_techC/model.tsv",
    "rram_relax_techC/relaxdata.min.tsv.gz",
)


def documented():
    """The column maps of the document, in the order of `PUBLISHED`."""
    blocks = Path("docs/measurement-format.md").read_text().split("```yaml\n")
    maps = blocks[2].split("```")[0].split("---\n")
    return dict(zip(PUBLISHED, maps, strict=True))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_column_maps_of_the_document_are_valid(name):
    build_columns(load_yaml(documented()[name], name), name)


def real(name):
    if not (DATA / name).is_file():
        pytest.skip(f"{DATA / name} is absent; name its folder in PCMSIM_DATA")
    return read_table(DATA / name, build_columns(load_yaml(documented()[name], name)))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "member", "shape", "first"),
    [
        ("crosssim/set.csv", "staircases", (39, 192, 1), 1605.88),
        ("gong_reram/gong_et_al.csv", "staircases", (1, 1000, 1), 6.5556),
        ("pcm_partial_reset/Partial_Reset_PCM.csv", "curve", (380, 40), 1e6 / 39847.5),
        ("rram_relax_techC/model.tsv", "drift", (16292, 6), 19.288330078125),
        ("rram_relax_techC/relaxdata.min.tsv.gz", "drift", (16292, 6), 0.480232238769531),
    ],
)
def test_published_measurements_are_read_with_one_map_each(name, member, shape, first):
    found = getattr(real(name), member)
    found = found[0] if member == "drift" else found
    assert found.g.shape == shape
    assert found.g.flat[0] == pytest.approx(first, rel=1e-12)


@pytest.mark.data
def test_two_tables_of_the_same_devices_agree_and_pass_the_checks():
    small, full = real("rram_relax_techC/model.tsv"), real("rram_relax_techC/relaxdata.min.tsv.gz")
    check_campaign(small)
    a, b = (c.drift[0] for c in (small, full))
    at = np.argsort(b.device)[np.searchsorted(np.sort(b.device), a.device)]
    np.testing.assert_array_equal(b.g[at], a.g)
    assert np.isnan(a.g).sum() == 16292 * 6 - 89115
