import numpy as np
import pandas as pd
import pytest

from pcmsim.datasets.jena import load_jena, read_hours, windows
from pcmsim.errors import DataError, UsageError

FILE = "jena_climate_2009_2016.csv"
HOURS = 800


def table(hours=HOURS):
    """Every ten minutes; the pressure counts hours, the temperature goes its own way."""
    when = pd.date_range("2009-01-01 00:10", periods=6 * hours, freq="10min")
    elapsed_h = (np.arange(6 * hours) + 1) / 6
    temperature = 10 + 5 * np.sin(elapsed_h / 7) + np.random.default_rng(1).normal(size=6 * hours)
    columns = {
        "Date Time": when.strftime("%d.%m.%Y %H:%M:%S"),
        "p (mbar)": elapsed_h,
        "T (degC)": temperature,
        "wv (m/s)": np.cos(elapsed_h),
    }
    return pd.DataFrame(columns)


def save(tmp_path, frame):
    frame.to_csv(tmp_path / FILE, index=False)
    return tmp_path / FILE


def test_full_hours_are_taken_and_nothing_between(tmp_path):
    hours, columns = read_hours(save(tmp_path, table(5)))
    np.testing.assert_allclose(hours[:, 0], [1, 2, 3, 4, 5])
    assert columns == ["p (mbar)", "T (degC)", "wv (m/s)"]


def test_rows_missing_twice_or_out_of_order_land_at_their_hour(tmp_path):
    frame = table(8)
    full = frame.iloc[5::6]
    mixed = pd.concat([full.iloc[[3, 0]], full.iloc[4:], full.iloc[[5]].assign(**{"T (degC)": 99})])
    hours, _ = read_hours(save(tmp_path, mixed))
    np.testing.assert_allclose(hours[:, 0], [1, np.nan, np.nan, 4, 5, 6, 7, 8])
    assert hours[5, 1] == 99


def test_a_wind_that_was_not_measured_is_missing(tmp_path):
    frame = table(3)
    frame.loc[11, "wv (m/s)"] = -9999.0
    hours, _ = read_hours(save(tmp_path, frame))
    assert np.isnan(hours[:, 2]).tolist() == [False, True, False]


def test_the_target_is_the_temperature_a_day_later(tmp_path):
    data = load_jena(save(tmp_path, table()), steps=50)
    temperature = table()["T (degC)"].to_numpy()[5::6]
    train = temperature[:600]
    standard = (temperature - train.mean()) / train.std()
    for split, start, windows_ in ((data.train, 0, 11), (data.valid, 600, 1), (data.test, 700, 1)):
        assert len(split) == windows_
        for k in range(windows_):
            first = start + 50 * k
            np.testing.assert_allclose(
                split.inputs[k][:, 1], standard[first : first + 50], atol=1e-5
            )
            later = standard[first + 24 : first + 74]
            np.testing.assert_allclose(split.targets[k][:, 0], later, atol=1e-5)
    assert data.test.scale == pytest.approx(train.std())
    assert data.test.unit == "degC"


def test_columns_are_standardised_on_the_training_hours_alone(tmp_path):
    pressure = np.concatenate(load_jena(save(tmp_path, table()), steps=4).train.inputs)[:, 0]
    # Hours 1 to 600, of which 576 have a target.
    np.testing.assert_allclose(
        pressure, (np.arange(1, 577) - 300.5) / np.arange(600).std(), rtol=1e-5
    )


def test_no_target_lies_in_another_split(tmp_path):
    frame = table()
    later = frame.copy()
    later.loc[6 * 600 - 1 + 6 :, ["p (mbar)", "T (degC)"]] += 1000
    first = load_jena(save(tmp_path, frame), steps=10).train
    second = load_jena(save(tmp_path, later), steps=10).train
    for a, b in zip(first.inputs + first.targets, second.inputs + second.targets, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_missing_input_is_the_last_one_known_and_a_missing_target_masked():
    standard = np.arange(30.0)[:, None] + 1
    standard[[0, 3, 26]] = np.nan
    split = windows("test", standard, 0, 6, 1.0)
    assert split.inputs[0][:, 0].tolist() == [0, 2, 3, 3, 5, 6]
    assert split.mask[0].tolist() == [True, True, False, True, True, True]
    assert split.targets[0][:, 0].tolist() == [25, 26, 0, 28, 29, 30]


def turns(table):
    """One and minus one, an hour each."""
    return 1.0 - 2.0 * (np.arange(len(table)) // 6 % 2)


def late(table):
    """An hour each, until a value in the hours to test with that nobody has measured."""
    return np.where(np.arange(len(table)) < 0.9 * len(table), turns(table), 1e30)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="T (degC)"), r"lacks the columns T \(degC\)"),
        (lambda t: t.assign(**{"p (mbar)": "high"}), r"column p \(mbar\) is not as published"),
        (lambda t: t.assign(**{"Date Time": "2009-01-01"}), "Date Time of row 1"),
        (lambda t: t.assign(**{"p (mbar)": 7.0}), r"p \(mbar\) does not vary"),
        (lambda t: t.assign(**{"p (mbar)": 1e308 * turns(t)}), "spread that is no number"),
        (lambda t: t.assign(**{"p (mbar)": 5e-324 * turns(t)}), "spread that is no number"),
        (lambda t: t.assign(**{"p (mbar)": late(t)}), r"p \(mbar\) holds values more than 1e"),
        (lambda t: t.iloc[:600], "holds 100 hours; windows of 50 hours need at least 600"),
        (lambda t: t.iloc[:5], "no value at a full hour"),
    ],
)
def test_another_table_is_refused(tmp_path, change, says):
    with pytest.raises(DataError, match=says):
        load_jena(save(tmp_path, change(table())), steps=50)


@pytest.mark.parametrize("content", [b"", b'"a', b"\xff\xfe\x00", b"a,b\n1,2,3\n1,2,3,4\n"])
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DataError, match=FILE) as error:
        load_jena(tmp_path)
    assert "\n" not in str(error.value)


def test_no_window_is_refused(tmp_path):
    with pytest.raises(UsageError, match="steps = 0"):
        load_jena(tmp_path, steps=0)
