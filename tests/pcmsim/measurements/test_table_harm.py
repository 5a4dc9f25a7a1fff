"""Tables and column maps that are wrong or do harm: one line that names the place."""

import gzip
import io
import subprocess
import sys
import tracemalloc
import zipfile

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcmsim.errors import DataError, PcmsimError, UsageError
from pcmsim.measurements import build_columns, load_columns, read_measurements, read_table

COLUMNS = {
    "device": {"name": "device"},
    "g_target": {"name": "target", "unit": "uS"},
    "t_s": {"name": "t", "unit": "s"},
    "g": {"name": "g", "unit": "uS"},
}
MAP = {"kind": "drift", "instrument": {"t_read_s": 1e-6}, "columns": COLUMNS}
HEAD = "device,target,t,g\n"


def refused(path, error=DataError, **changes):
    with pytest.raises(error) as caught:
        read_table(path, build_columns(MAP | changes))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600 + len(str(path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "1,5,1,2\n1,5,10,fast\n", "column g: row 2: 'fast' is no number"),
        (HEAD + "1,5,1,1e400\n", "column g: row 1: inf is not a finite number"),
        (HEAD + "1,5,1,inf\n", "column g: row 1: inf is not a finite number"),
        (HEAD + "1,5,,2\n", "column t: row 1: t_s is missing; only conductances may be"),
        (HEAD + ",5,1,2\n", "column device: row 1: the device is missing"),
        (HEAD + "1,5,1,2\n1,5,1,3\n", "rows 1 and 2 are two reads in one place"),
        (HEAD + "1,5,1,2\n1,6,10,3\n", "row 2 has g_target = 6, but row 1 of the same trace 5"),
        (HEAD + "1,5,1,2,3\n", "row 1 has a value in column 4, but there are 4 headings"),
        ("device,target,t,g,g\n1,5,1,2,3\n", "the heading 'g' stands twice"),
        ("device,target,t,G\n1,5,1,2\n", "has no column 'g' (columns.g.name)"),
        ("device;target;t;g\n1;5;1;2,5\n", "'2,5' is no number; is it decimal: comma?"),
        (HEAD, "no data below the header"),
        ("", "no data below the header"),
        (HEAD + ",,,\n", "every row is empty"),
        (HEAD + '1,5,1,"2\n', "line 2 has a quote that is not closed"),
        (HEAD + "1,5,1,2\r1,5,10,2\n", "a carriage return within"),
        (HEAD + "1,5,\0,2\n", "line 2 holds zero bytes"),
        (HEAD + "1" * 2_000_000 + "\n", "line 2 is longer than"),
        (HEAD + "1," * 5000 + "\n", "line 2 has more than 4096 columns"),
        ("a," * 5000 + "\n1\n", "line 1 has more than 4096 columns"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_the_place(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text, newline="")
    assert message in refused(tmp_path / "a.csv")


def test_another_encoding_is_named_with_the_way_out(tmp_path):
    (tmp_path / "a.csv").write_bytes(HEAD.encode() + "1,5,1,2µ\n".encode("latin-1"))
    assert "state encoding: latin-1" in refused(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes((HEAD + "1,5,1,2\n").encode("utf-16-le"))
    assert "encoding: utf-16" in refused(tmp_path / "b.csv")


def test_resistance_zero_is_no_infinite_conductance(tmp_path):
    (tmp_path / "a.csv").write_text(HEAD + "1,5,1,0\n")
    ohms = COLUMNS | {"g": {"name": "g", "unit": "ohm"}}
    assert "row 1: g would be infinite" in refused(tmp_path / "a.csv", columns=ohms)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": COLUMNS | {"devise": {"name": "a"}}}, "did you mean columns.device?"),
        ({"decimals": "comma"}, "decimals is not a known key; did you mean decimal?"),
        ({"kind": "drfit"}, "kind = 'drfit'"),
        ({"columns": COLUMNS | {"g": {"name": "g", "unit": "A"}}}, "columns.g: a current is"),
        ({"columns": COLUMNS | {"g": {"name": "g", "unit": "counts"}}}, "gain_us, uS per count"),
        ({"columns": COLUMNS | {"g": {"name": "g", "unit": "V"}}}, "columns.g.unit = 'V'; known"),
        ({"columns": COLUMNS | {"t_s": {"name": "t", "unit": "S"}}}, "columns.t_s.unit = 'S'"),
        ({"columns": COLUMNS | {"g": {"name": "g"}}}, "columns.g.unit is missing"),
        ({"columns": COLUMNS | {"g": {"name": "g", "number": 3}}}, "one of name, number and value"),
        ({"columns": COLUMNS | {"g": {"unit": "uS"}}}, "columns.g needs one of name"),
        ({"columns": COLUMNS | {"g": {"name": "g", "unit": "uS", "scale": 0.0}}}, "must not be 0"),
        ({"columns": {"device": {"name": "device"}}}, "columns.g_target is missing; kind: drift"),
        ({"columns": COLUMNS | {"sweep": {"value": 1}}}, "sweep means nothing to kind: drift"),
        ({"header": False}, "has a name, but header: false"),
        ({"columns": COLUMNS | {"converged": {"value": 0.5}}}, "must be a whole number"),
        ({"instrument": {}}, "instrument.t_read_s is missing"),
    ],
)
def test_a_column_map_that_is_wrong_is_refused_by_dotted_path(tmp_path, changes, message):
    (tmp_path / "a.csv").write_text(HEAD + "1,5,1,2\n")
    assert message in refused(tmp_path / "a.csv", PcmsimError, **changes)


def test_a_column_map_runs_no_code(tmp_path):
    (tmp_path / "a.yaml").write_text("kind: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UsageError, match="not valid YAML"):
        load_columns(tmp_path / "a.yaml")
    with pytest.raises(UsageError, match="cannot be read"):
        load_columns(tmp_path / "none.yaml")


def test_other_endings_are_refused_with_those_that_are_read(tmp_path):
    (tmp_path / "a.xls").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"end in \.h5, .*\.xlsx"):
        read_measurements([tmp_path / "a.xls"])


def test_a_compressed_table_may_not_swell_without_end(tmp_path):
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=9) as file:
        file.write(HEAD.encode())
        for _ in range(128):
            file.write((b"1,5,1,2".ljust(2**14) + b"\n") * 64)
    (tmp_path / "a.csv.gz").write_bytes(bomb.getvalue())
    tracemalloc.start()
    message = refused(tmp_path / "a.csv.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "split it, or write it as HDF5" in message
    assert peak < 64 * 2**20
    (tmp_path / "b.csv.gz").write_bytes(bomb.getvalue()[:1000])
    assert "cannot be read" in refused(tmp_path / "b.csv.gz")
    (tmp_path / "c.csv.gz").write_bytes(b"no gzip")
    assert "cannot be read" in refused(tmp_path / "c.csv.gz")


@pytest.fixture
def sheet(tmp_path):
    frame = pd.DataFrame({"device": [1], "target": [5.0], "t": [1.0], "g": [2.0]})
    frame.to_excel(tmp_path / "a.xlsx", index=False)

    def edited(old, new, member="xl/worksheets/sheet1.xml"):
        with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        assert old in parts[member]
        parts[member] = parts[member].replace(old, new)
        with zipfile.ZipFile(tmp_path / "b.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        return tmp_path / "b.xlsx"

    return edited


@pytest.mark.parametrize("place", [b'r="XFD1048576"', b"r = 'XFD1048576'", b'r="&#88;FD1048576"'])
def test_a_sheet_that_claims_a_far_cell_is_refused_before_space_is_reserved(sheet, place):
    path = sheet(b'r="D2"', place)
    assert "claims cells to column 16,384 and row 1,048,576" in refused(path)


def test_a_sheet_that_unpacks_to_gigabytes_is_refused(sheet, tmp_path):
    path = sheet(b"</worksheet>", b"</worksheet>")
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("xl/zeros.bin", "w", force_zip64=True) as part,
    ):
        for _ in range(65):
            part.write(bytes(2**23))
    assert "at most 536,870,912" in refused(path)


def test_entities_of_a_sheet_are_not_multiplied(sheet):
    laughs = (
        b'<!DOCTYPE a [<!ENTITY l0 "'
        + b"ha" * 1000
        + b'">'
        + b"".join(b'<!ENTITY l%d "%s">' % (k, b"&l%d;" % (k - 1) * 50) for k in range(1, 8))
    )
    path = sheet(b"<worksheet", laughs + b']><worksheet x="&l7;"')
    assert "b.xlsx" in refused(path)


def test_a_cell_of_text_in_a_sheet_is_named(sheet):
    path = sheet(b'<c r="D2" t="n"><v>2</v></c>', b'<c r="D2" t="str"><v>two</v></c>')
    assert "column g: row 1: 'two' is no number" in refused(path)
    assert "cannot be read as a sheet" in refused(path, sheet="other")


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_text_of_any_kind_is_read_or_refused_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(HEAD.encode() + content)
    try:
        read_table(path, build_columns(MAP))
    except PcmsimError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


@pytest.mark.slow
def test_damaged_files_of_all_kinds_kill_no_process(tmp_path):
    command = [sys.executable, "tests/fuzz_measurements.py", str(tmp_path), "200", "7"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert found.returncode == 0, found.stderr[-2000:]
    assert len(found.stdout.splitlines()) == 5
