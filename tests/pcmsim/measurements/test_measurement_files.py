"""Measurement files: what is written is read, and what would do harm is refused."""

import time
from contextlib import suppress
from dataclasses import replace

import h5py
import numpy as np
import pytest
import xarray as xr
from campaigns import campaign_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pcmsim.calibration.records import Campaign, DriftTraces, Instrument, RepeatedReads
from pcmsim.errors import DataError, PcmsimError
from pcmsim.measurements import read_campaign, read_measurements, texts, write_campaign

SMALL = {
    "drift": {"targets": [5.0, 10.0], "devices_per_level": 30},
    "reads": {"targets": [5.0], "devices_per_level": 25, "count": 40},
    "staircase": {"devices": 25, "pulses": 4},
    "set_drift": {"devices": 25, "pulses": 2},
    "curve": {"devices": 25, "count": 6},
    "yields": {"rows": 8, "columns": 8},
}


@pytest.fixture(scope="module")
def campaign():
    return campaign_of(1, **SMALL)


@pytest.fixture
def path(campaign, tmp_path):
    write_campaign(tmp_path / "a.h5", campaign, {"started": "2026-01-01T00:00:00Z"})
    return tmp_path / "a.h5"


def test_a_campaign_is_read_back_as_it_was(campaign, path):
    found = read_campaign(path)
    assert found.instrument == campaign.instrument
    drift = next(iter(found.drift))
    for name in ("device", "programming", "g_target", "converged", "g"):
        whole = np.concatenate([getattr(part, name) for part in campaign.drift])
        np.testing.assert_array_equal(getattr(drift, name), whole)
    for name in ("staircases", "set_drift", "curve", "yields"):
        for field, value in vars(getattr(campaign, name)).items():
            np.testing.assert_array_equal(getattr(getattr(found, name), field), value)
    np.testing.assert_array_equal(found.reads[0].g, campaign.reads[0].g)
    assert found.reads[0].interval_s == campaign.reads[0].interval_s


def test_traces_are_read_in_parts_again_and_again(path):
    drift = read_campaign(path, part_bytes=25 * 8 * 7).drift
    rows = [part.g.shape[0] for part in drift]
    assert max(rows) == 7
    assert sum(rows) == sum(part.g.shape[0] for part in drift) == 120


@pytest.mark.parametrize("group", ["drift", "reads", "staircase", "set_drift", "curve", "yields"])
def test_xarray_opens_every_group_with_dimensions_and_units(path, group):
    with xr.open_dataset(path, group=group, engine="h5netcdf") as found:
        assert all("phony" not in str(name) for name in found.sizes)
        assert any(v.attrs.get("units") == "uS" for v in found.data_vars.values())
        names = [v.attrs["long_name"] for v in found.variables.values()]
        assert all(type(name) is str for name in names)


def external(file):
    del file["drift/g"]
    file["drift/g"] = h5py.ExternalLink("/etc/hostname", "/g")


def soft(file):
    del file["drift/g"]
    file["drift/g"] = h5py.SoftLink("/reads/g")


def objects(file):
    del file["drift/g"]
    file["drift"].create_dataset("g", data=["a", "b"], dtype=h5py.string_dtype())


def compound(file):
    del file["yields/g_max"]
    file["yields"].create_dataset("g_max", data=np.zeros(64, [("a", "f8")]))


def absurd(file):
    del file["drift/g"]
    file["drift"].create_dataset("g", shape=(10**11, 25), dtype="f8", chunks=(1024, 25))


def elsewhere(file):
    del file["drift/g"]
    values = [("nothing.bin", 0, 120 * 25 * 8)]
    file["drift"].create_dataset("g", shape=(120, 25), dtype="f8", external=values)


def virtual(file):
    del file["drift/g"]
    layout = h5py.VirtualLayout(shape=(120, 25), dtype="f8")
    layout[:] = h5py.VirtualSource("other.h5", "g", shape=(120, 25))
    file["drift"].create_virtual_dataset("g", layout)


def wrong_shape(file):
    del file["drift/device"]
    file["drift/device"] = np.arange(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external, "g is a link to elsewhere"),
        (soft, "g is a link to elsewhere"),
        (objects, "drift/g holds object; it must hold numbers"),
        (compound, "yields/g_max holds"),
        (absurd, "declares the shape"),
        (elsewhere, "keeps its values in another file"),
        (virtual, "keeps its values in another file"),
        (wrong_shape, "rows, device has 3"),
        (lambda f: f["drift/g"].attrs.update(units="S"), "has units 'S'; write 'uS'"),
        (lambda f: f["drift"].pop("t_s"), "drift/t_s is missing"),
        (lambda f: f.create_group("magic"), "magic is no kind of measurement"),
        (lambda f: f.attrs.update(t_read_s="fast"), "t_read_s = 'fast' must be a number"),
        (lambda f: f.attrs.update(format="other"), "has format = 'other'"),
        (lambda f: f.attrs.pop("t_read_s"), "the attribute t_read_s"),
    ],
)
def test_a_file_that_is_wrong_or_does_harm_is_refused_in_one_line(path, change, message):
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(DataError) as caught:
        list(read_campaign(path).drift)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_of_two_instruments_are_not_mixed(campaign, path, tmp_path):
    write_campaign(tmp_path / "b.h5", campaign)
    with h5py.File(tmp_path / "b.h5", "r+") as file:
        file.attrs["t_read_s"] = 1e-6
    with pytest.raises(DataError, match=r"b.h5 has t_read_s = 1e-06, a.h5 has 2.5e-07"):
        read_measurements([path, tmp_path / "b.h5"])


def one_file(path, instrument, first=0, **members):
    number = np.arange(first, first + 30)
    t_s = np.geomspace(20.0, 1e5, 5)
    g = 5.0 * (t_s / 20.0) ** -0.05 * (1.0 + 0.01 * number[:, None] / number[-1])
    drift = DriftTraces(number, 0 * number, np.full(30, 5.0), 0 * number + 1, t_s, g)
    write_campaign(path, Campaign(instrument, drift=(drift,), **members))
    return path


def test_files_of_one_chip_say_together_what_each_knows(tmp_path):
    a = one_file(tmp_path / "a.h5", Instrument(1e-6, g_step=0.1))
    told = Instrument(1e-6, temperature_k=300.0, read_voltage_v=0.2, chip="A7", name="bench 2")
    b = one_file(tmp_path / "b.h5", told, first=30)
    campaign, _ = read_measurements([a, b])
    assert campaign.instrument == replace(told, g_step=0.1)
    assert [part.device[0] for part in campaign.drift] == [0, 30]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"chip": "A7"}, {"chip": "B2"}, "b.h5 has chip = B2, a.h5 has A7; calibrate them one"),
        ({"g_step": 0.1}, {"g_step": 0.2}, "b.h5 has g_step = 0.2, a.h5 has 0.1"),
        ({"t_read_s": 1e-9}, {"t_read_s": 2e-9}, "b.h5 has t_read_s = 2e-09, a.h5 has 1e-09"),
    ],
)
def test_files_that_contradict_are_named_with_both_values(tmp_path, first, second, message):
    a = one_file(tmp_path / "a.h5", Instrument(**{"t_read_s": 1e-6} | first))
    b = one_file(tmp_path / "b.h5", Instrument(**{"t_read_s": 1e-6} | second), first=30)
    with pytest.raises(DataError, match=message):
        read_measurements([a, b])


def test_a_fault_in_one_of_several_files_is_named_with_its_file_and_row(tmp_path):
    a = one_file(tmp_path / "a.h5", Instrument(1e-6))
    b = one_file(tmp_path / "b.h5", Instrument(1e-6), first=30)
    with h5py.File(b, "r+") as file:
        file["drift/g"][4, 2] = -7.0
    with pytest.raises(DataError, match=r"b.h5: drift: row 4: read 2 of device 34 is -7 uS"):
        read_measurements([a, b])


def test_texts_have_a_fixed_length_and_those_of_variable_length_are_read_all_the_same(path):
    with h5py.File(path, "r+") as file:
        kind = h5py.h5a.open(file.id, b"format").get_type()
        assert not kind.is_variable_str()
        file.attrs["chip"] = "Chip µ7"
        file["drift/g"].attrs["units"] = "µS"
        file["curve/amplitude"].attrs["units"] = "V"
    found = read_campaign(path)
    assert found.instrument.chip == "Chip µ7"
    assert found.curve.unit == "V"


def damaged_heap(path):
    """A text of variable length, in a heap whose objects step back by their own header."""
    with h5py.File(path, "r+") as file:
        file.attrs["chip"] = "a chip with a name to find"
    content = bytearray(path.read_bytes())
    size = content.index(b"a chip with a name") - 8
    content[size : size + 8] = (2**64 - 16).to_bytes(8, "little")
    path.write_bytes(bytes(content))


def test_a_damaged_heap_of_texts_is_refused_within_the_limit(path, monkeypatch):
    monkeypatch.setattr(texts, "LIMIT_S", 2.0)
    damaged_heap(path)
    start = time.perf_counter()
    with pytest.raises(DataError, match="cannot be read within 2 s; copy it again"):
        read_campaign(path)
    assert time.perf_counter() - start < 10.0


def test_rows_longer_than_a_chunk_are_cut_so_that_they_can_be_read(tmp_path):
    g = np.ones((1, 400_000))
    one = np.ones(1)
    reads = RepeatedReads(one.astype(int), 5.0 * one, one, 1e-5, g)
    write_campaign(tmp_path / "a.h5", Campaign(Instrument(1e-6), reads=(reads,)))
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.prod(file["reads/g"].chunks) * 8 <= 2**20
    np.testing.assert_array_equal(read_campaign(tmp_path / "a.h5").reads[0].g, g)


def test_names_in_a_file_cannot_speak_to_the_terminal(path):
    with h5py.File(path, "r+") as file:
        file["drift"]["\x1b[2J"] = h5py.SoftLink("/reads/g")
    with pytest.raises(DataError) as caught:
        read_campaign(path)
    assert str(caught.value).isprintable()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none.h5 is no file"):
        read_measurements([tmp_path / "none.h5"])


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 255)), min_size=1, max_size=30))
def test_damage_to_the_bytes_leads_to_nothing_but_one_clear_error(tmp_path_factory, damage):
    folder = tmp_path_factory.getbasetemp()
    fine, hurt = folder / "fine.h5", folder / "hurt.h5"
    if not fine.exists():
        write_campaign(fine, campaign_of(1, **SMALL))
    content = bytearray(fine.read_bytes())
    for place, value in damage:
        content[int(place * (len(content) - 1))] = value
    hurt.write_bytes(bytes(content))
    with suppress(PcmsimError):
        found, _ = read_measurements([hurt])
        for part in found.drift:
            assert part.g.shape[1] == part.t_s.size


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=2000))
def test_bytes_of_any_kind_are_no_measurement(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.h5"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_campaign(path)
