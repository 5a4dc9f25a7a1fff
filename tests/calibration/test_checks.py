"""Faults and warnings of records are named by data set and row."""

import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from campaigns import campaign_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pcmsim.calibration.checks import campaign_faults, campaign_findings, check_campaign
from pcmsim.calibration.checks_keys import level_findings, turn_findings
from pcmsim.calibration.checks_reads import summary
from pcmsim.calibration.findings import FAULT, WARNING
from pcmsim.calibration.records import Campaign, DriftTraces, Instrument
from pcmsim.errors import DataError

PLAN = {"targets": [5.0], "devices_per_level": 30, "programmings": 1}
SMALL = {
    "drift": {"targets": [5.0, 10.0], "devices_per_level": 40},
    "reads": {"targets": [5.0], "devices_per_level": 40, "count": 40},
    "staircase": {"devices": 25, "pulses": 4},
    "set_drift": {"devices": 25, "pulses": 2},
    "curve": {"devices": 25, "count": 6},
    "yields": {"rows": 8, "columns": 8},
}


@cache
def small():
    return campaign_of(1, **SMALL)


def changed(**fields):
    campaign = campaign_of(1, drift=PLAN)
    return replace(campaign, drift=(replace(campaign.drift[0], **fields),))


def of(member, **fields):
    """The small campaign with other fields in one of its records."""
    record = getattr(small(), member)
    if member in ("drift", "reads"):
        return replace(small(), **{member: (replace(record[0], **fields), *record[1:])})
    return replace(small(), **{member: replace(record, **fields)})


def part():
    return campaign_of(1, drift=PLAN).drift[0]


def spoilt(row, column, value):
    g = part().g.copy()
    g[row, column] = value
    return g


def put(array, place, value):
    array = np.array(array, copy=True)
    array[place] = value
    return array


def found(campaign, severity):
    return [f.text() for f in campaign_findings(campaign) if f.severity == severity]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"g": spoilt(3, 2, np.inf)}, "drift: row 3: read 2 of device 3 is infinite"),
        ({"g": spoilt(4, 1, -1.0)}, "drift: row 4: read 1 of device 4 is -1 uS"),
        ({"g": part().g * 1e-6}, "were the reads in S, or the targets"),
        ({"g": part().g * 1e-3}, "were the reads in mS, or the targets"),
        ({"g": part().g * 1e3}, "were the reads in nS, or the targets"),
        ({"g": 1e6 / part().g}, "were the reads in ohm? State"),
        ({"g": 1e3 / part().g}, "were the reads in kohm? State"),
        ({"t_s": part().t_s[::-1]}, "they must increase"),
        ({"t_s": put(part().t_s, 4, part().t_s[3])}, "t_s[4] = 67.7209 s follows 67.7209 s"),
        ({"t_s": np.append(0.0, part().t_s[1:])}, "must be above 0"),
        ({"t_s": put(part().t_s, 3, np.nan)}, "t_s[3] = nan s must be above 0 and finite"),
        ({"device": np.zeros(30, int)}, "device 0, programming 0 is already in row 0"),
        ({"device": np.arange(30) / 2.0}, "device holds float64; it must hold whole numbers"),
        ({"programming": np.full(30, -1)}, "row 0: programming = -1 of device 0; they count from"),
        ({"converged": put(np.ones(30, int), 7, 2)}, "row 7: converged = 2 must be 0 or 1"),
        ({"g_target": np.full(30, -5.0)}, "g_target = -5 uS must be 0 (RESET) or more"),
        ({"g_target": np.full(30, np.nan)}, "g_target = nan uS must be 0 (RESET) or more"),
        ({"g_target": np.full(30, 5e-6)}, "targets are about 5e-06 uS; were they in S"),
        ({"device": np.arange(29)}, "29 devices but 30 rows"),
        ({"t_s": part().t_s[:-1]}, "25 reads in a row, but t_s has shape (24,)"),
        ({"g": part().g[0]}, "g has 1 dimensions; it needs 2"),
        ({"g": part().g[:0]}, "there are no reads"),
        ({"g": part().g.tolist()}, "g must be a numpy array"),
        ({"g": part().g.astype(str)}, "it must hold real numbers"),
        ({"g": np.full((30, 25), np.nan)}, "there is no read that is a number"),
        ({"g": np.full((30, 25), 0.0)}, "all 750 reads are 0 uS"),
        ({"g": spoilt(slice(None), 7, np.nan)}, "no device has a read in column 7; leave the col"),
    ],
)
def test_a_fault_of_drift_is_named_by_data_set_and_row(fields, message):
    with pytest.raises(DataError) as caught:
        check_campaign(changed(**fields))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("member", "fields", "message"),
    [
        ("reads", {"interval_s": 0.0}, "reads: interval_s = 0 s must be above 0"),
        ("reads", {"interval_s": 1e-8}, "a read every 1e-08 s, but one takes t_read_s"),
        ("reads", {"t_s": put(small().reads[0].t_s, 5, -1.0)}, "reads: row 5: t_s = -1 s must"),
        ("reads", {"device": 0 * small().reads[0].device}, "reads: row 1: device 0, g_target 5"),
        ("reads", {"g": put(small().reads[0].g, (6, 3), -2.0)}, "reads: row 6: read 3 of"),
        ("reads", {"g": 1e-6 * small().reads[0].g}, "reads: reads are about"),
        (
            "staircases",
            {"g": put(small().staircases.g, (2, 3, 1), np.inf)},
            "staircase: row 2: read 1 after pulse 3 of device 2 is infinite",
        ),
        ("staircases", {"cycle": 0 * small().staircases.cycle}, "staircase: row 25: device 0, cyc"),
        ("staircases", {"interval_s": 0.02}, "the last read is 20 s after a pulse, but the next"),
        ("staircases", {"read_after_s": np.array([20.0, 15.0])}, "read_after_s[1] = 15 s follows"),
        ("staircases", {"g": small().staircases.g[:, :, 0]}, "g has 2 dimensions; it needs 3"),
        ("staircases", {"g": 1e-6 * small().staircases.g}, "staircase: reads are about"),
        ("set_drift", {"device": 0 * small().set_drift.device}, "set_drift: row 1: device 0, prog"),
        ("set_drift", {"t_s": -small().set_drift.t_s}, "set_drift: t_s[0] = -20 s (and 24 more)"),
        ("curve", {"amplitude": small().curve.amplitude[::-1]}, "curve: amplitude[1] = 390 uA"),
        ("curve", {"amplitude": small().curve.amplitude - 150.0}, "amplitude[0] = 0 uA must be"),
        ("curve", {"unit": "furlong"}, "unit = 'furlong' of the amplitude; known are uA and V"),
        ("curve", {"t_s": np.nan}, "curve: t_s = nan s must be above 0"),
        ("curve", {"sweep": 0 * small().curve.sweep}, "curve: row 25: device 0, sweep 0 is"),
        ("curve", {"g": 1e6 / (1e-3 + small().curve.g)}, "curve: reads are about"),
        ("yields", {"state": put(small().yields.state, 9, 7)}, "yields: row 9: state = 7 of"),
        ("yields", {"g_max": put(small().yields.g_max, 4, -9.0)}, "yields: row 4: g_max of device"),
        ("yields", {"row": 0 * small().yields.row}, "yields: row 8: row 0, column 0 is already"),
        ("yields", {"device": 0 * small().yields.device}, "yields: row 1: device 0 is already"),
        ("yields", {"g_min": np.zeros(3)}, "g_min has shape (3,)"),
    ],
)
def test_a_fault_of_any_record_is_named_by_data_set_and_row(member, fields, message):
    assert any(message in line for line in found(of(member, **fields), FAULT))


@pytest.mark.parametrize(
    ("member", "fields", "message"),
    [
        ("drift", {"g": put(small().drift[0].g, 6, np.nan)}, "drift: row 6: device 6 has no read"),
        ("drift", {"g": put(small().drift[0].g, 6, 5.5)}, "row 6: all reads of device 6 are exac"),
        (
            "drift",
            {"programming": 2 * small().drift[0].programming},
            "programming 1 of device 0 is",
        ),
        ("drift", {"converged": put(small().drift[0].converged, slice(0, 25), 0)}, None),
        ("reads", {"g": put(small().reads[0].g, (slice(None), 3), np.nan)}, "a read in column 3"),
        ("set_drift", {"t_s": small().set_drift.t_s * 1e4}, "was it 3.456e+06 s in ms"),
        ("set_drift", {"t_s": small().set_drift.t_s / 60.0}, "was it 4 days in minutes"),
        ("set_drift", {"t_s": small().set_drift.t_s / 3600.0}, "was it 4 days in hours"),
        ("set_drift", {"t_s": np.linspace(20.0, 190.0, 25)}, "25 reads from 20 to 190 s cannot"),
        ("set_drift", {"converged": 0 * small().set_drift.converged}, "set_drift: 0 devices; fits"),
        ("curve", {"unit": "V"}, "amplitudes end at 450 V; were they in mV"),
        ("curve", {"amplitude": small().curve.amplitude / 1e3}, "end at 0.45 uA; were they in mA"),
        ("yields", {"g_max": np.minimum(small().yields.g_max, 25.0)}, "are exactly 25 uS, the"),
    ],
)
def test_what_is_odd_but_can_be_used_is_a_warning(member, fields, message):
    campaign = of(member, **fields)
    if message is not None:
        assert any(message in line for line in found(campaign, WARNING))
    check_campaign(campaign)


def test_a_level_of_few_devices_is_a_warning_with_the_way_out():
    (text,) = found(changed(converged=np.arange(30) < 12), WARNING)
    assert text == (
        "drift: the level 5 uS has 12 devices with a read after programming that converged; fits "
        "leave out levels of fewer than 20: measure more there"
    )


def test_reads_at_the_full_scale_are_a_warning_and_most_of_them_a_fault():
    clipped = np.minimum(part().g, np.nanpercentile(part().g, 90))
    assert any("is this the full scale" in text for text in found(changed(g=clipped), WARNING))
    useless = np.minimum(part().g, np.nanpercentile(part().g, 20))
    assert any("is this the full scale" in text for text in found(changed(g=useless), FAULT))


@pytest.mark.parametrize(
    ("fields", "severity", "message"),
    [
        ({"t_read_s": 0.0}, FAULT, "t_read_s = 0 s must be above 0"),
        ({"t_read_s": 1e6}, FAULT, "at most 10000"),
        ({"g_step": -1.0}, FAULT, "g_step = -1 uS must be 0 or more"),
        ({"g_noise_std": np.nan}, FAULT, "g_noise_std = nan uS"),
        ({"temperature_k": -4.0}, FAULT, "temperature_k = -4 K"),
        ({"temperature_k": 25.0}, WARNING, "was it in degrees Celsius"),
        ({"read_voltage_v": 200.0}, WARNING, "was it in mV"),
    ],
)
def test_an_instrument_that_cannot_be_is_named(fields, severity, message):
    lines = found(Campaign(replace(Instrument(1e-6), **fields)), severity)
    assert len(lines) == 1
    assert message in lines[0]


def test_rows_are_those_of_the_file_when_traces_come_in_parts():
    whole = campaign_of(1, drift=PLAN).drift[0]
    pieces = [slice(0, 11), slice(11, 12), slice(12, 30)]
    names = ("device", "programming", "g_target", "converged", "g")
    bad = replace(whole, g=spoilt(17, 4, -3.0), device=put(whole.device, 29, 11))
    parts = tuple(replace(bad, **{n: getattr(bad, n)[at] for n in names}) for at in pieces)
    one, many = changed(), replace(changed(), drift=parts)
    lines = list(campaign_faults(many))
    assert lines == list(campaign_faults(replace(one, drift=(bad,))))
    assert "drift: row 17: read 4 of device 17 is -3 uS" in lines[0]
    assert "drift: row 29: device 11, programming 0 is already in row 11" in lines[1]


@pytest.mark.parametrize("cut", [1, 9, 20, 29])
def test_the_summary_of_parts_is_that_of_the_whole(cut):
    g = np.minimum(part().g, 5.0)
    g[cut:] = np.minimum(g[cut:], 4.8)
    for rows in (g, g[::-1]):
        whole, parts = summary(rows), summary(rows[cut:], summary(rows[:cut]))
        np.testing.assert_array_equal(parts.read, whole.read)
        for name in ("lowest", "highest", "reads", "at_highest"):
            assert getattr(parts, name) == getattr(whole, name)


def test_a_gap_is_told_for_each_device_and_at_its_beginning():
    device, cycle = np.array([3, 3, 8, 8, 9]), np.array([0, 1, 2, 4, 0])
    lines = [f.text() for f in turn_findings(device, cycle, "cycle", "staircase")]
    assert lines == [
        "staircase: row 2: cycle 0 of device 8 is missing before cycle 2",
        "staircase: row 3: cycle 3 of device 8 is missing before cycle 4",
    ]


def test_devices_of_a_level_count_once_however_often_they_are_programmed():
    device = np.tile(np.arange(12), 2)
    usable = np.ones(24, dtype=bool)
    (few,) = level_findings(np.full(24, 5.0), device, usable, "drift")
    assert "has 12 devices" in few.what


def test_parts_of_different_times_are_refused_with_the_row():
    later = replace(part(), device=part().device + 30, t_s=2.0 * part().t_s)
    lines = list(campaign_faults(replace(changed(), drift=(part(), later))))
    assert lines == [
        "drift: row 30: times differ from those of row 0; write a file for each set of times"
    ]


def test_all_faults_are_listed_and_the_first_is_raised_with_the_count():
    campaign = changed(g=spoilt(3, 2, np.inf), t_s=part().t_s[::-1])
    assert len(list(campaign_faults(campaign))) == 2
    with pytest.raises(DataError, match=r"a.h5: drift: .* \(and 1 more\)"):
        check_campaign(campaign, "a.h5")


def test_small_negative_reads_are_noise_if_the_instrument_says_so():
    campaign = changed(g=spoilt(4, 1, -0.5))
    noisy = replace(campaign.instrument, g_noise_std=0.2)
    assert list(campaign_faults(replace(campaign, instrument=noisy))) == []


def relaxing(t_s):
    """Cells of resistive RAM that grow, some of them without some of the reads."""
    rng = np.random.default_rng(3)
    g = np.linspace(2.0, 20.0, 60)[:, None] * (1.0 + 0.05 * rng.standard_normal((60, 6)).cumsum(1))
    g[rng.random(g.shape) < 0.1] = np.nan
    target = np.repeat([5.0, 12.0, 18.0], 20)
    one = np.ones(60, dtype=np.int64)
    traces = DriftTraces(np.arange(60), 0 * one, target, one, t_s, g)
    return Campaign(Instrument(1e-3, g_noise_std=0.03), drift=(traces,))


def test_relaxing_cells_pass_and_a_time_of_zero_has_a_way_out():
    t_s = np.array([1e-3, 1.0, 10.0, 100.0, 3600.0, 86_400.0])
    assert found(relaxing(t_s), FAULT) == found(relaxing(t_s), WARNING) == []
    (text,) = found(relaxing(t_s - 1e-3), FAULT)
    assert "t_s[0] = 0 s must be above 0" in text
    assert "add the time from the pulse to the read" in text


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**31))
def test_a_virtual_campaign_has_no_fault_whatever_the_seed(seed):
    campaign = campaign_of(seed, **SMALL)
    assert found(campaign, FAULT) == []
    assert all(f.kind == "few" for f in campaign_findings(campaign))


MEMBERS = {"drift": "drift", "reads": "reads", "set_drift": "set_drift", "curve": "curve"}
PER_ROW = {"device", "programming", "sweep", "g_target", "converged", "t_s", "g"}
VALUES = {"infinite": [np.inf, -np.inf], "negative": [-1.0, -1e-1, -1e30]}


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(sorted(MEMBERS)),
    st.sampled_from(sorted(VALUES)),
    st.data(),
)
def test_one_bad_read_anywhere_is_found_and_named(member, kind, data):
    record = getattr(small(), member)
    record = record[0] if member in ("drift", "reads") else record
    row = data.draw(st.integers(0, record.g.shape[0] - 1))
    column = data.draw(st.integers(0, record.g.shape[1] - 1))
    value = data.draw(st.sampled_from(VALUES[kind]))
    order = data.draw(st.permutations(range(record.g.shape[0])))
    names = PER_ROW & set(vars(record)) - ({"t_s"} if member != "reads" else set())
    fields = {name: getattr(record, name)[order] for name in names}
    fields["g"] = put(fields["g"], (row, column), value)
    faults = [f for f in campaign_findings(of(member, **fields)) if f.severity == FAULT]
    assert [(f.dataset, f.row, f.kind) for f in faults] == [(MEMBERS[member], row, kind)]
    assert f"read {column} of device {fields['device'][row]}" in faults[0].what


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_a_row_that_comes_twice_is_found_wherever_it_stands(data):
    record = small().drift[0]
    a, b = data.draw(st.lists(st.integers(0, 79), min_size=2, max_size=2, unique=True))
    device, programming = record.device.copy(), record.programming.copy()
    device[b], programming[b] = device[a], programming[a]
    faults = list(campaign_faults(of("drift", device=device, programming=programming)))
    assert len(faults) == 1
    assert faults[0].startswith(f"drift: row {max(a, b)}: device {device[a]}, programming")
    assert f"already in row {min(a, b)};" in faults[0]


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.floats(2.0, 60.0), st.sampled_from([("S", 1e-6), ("mS", 1e-3), ("nS", 1e3), ("pS", 1e6)]))
def test_a_factor_of_a_thousand_or_a_million_is_named(g_target, unit):
    name, factor = unit
    scale = g_target / 5.0
    fields = {"g": scale * factor * part().g, "g_target": np.full(30, g_target)}
    (fault,) = campaign_faults(changed(**fields))
    assert f"were the reads in {name}, or the targets in another unit" in fault


def test_checking_52800_devices_takes_a_fraction_of_a_second():
    n = 52_800
    g = 10.0 + np.random.default_rng(1).standard_normal((n, 25))
    one, t_s = np.ones(n, dtype=np.int64), np.geomspace(20.0, 1e5, 25)
    target = np.repeat(np.linspace(8.0, 12.0, 11), n // 11)
    traces = DriftTraces(np.arange(n), 0 * one, target, one, t_s, g)
    start = time.perf_counter()
    assert list(campaign_findings(Campaign(Instrument(1e-6), drift=(traces,)))) == []
    assert time.perf_counter() - start < 1.0
