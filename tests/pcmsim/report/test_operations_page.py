import html
import json
import re

import h5py
import numpy as np
import pytest

from pcmsim.errors import DataError
from pcmsim.report import build
from pcmsim.report.folder import read_run
from pcmsim.report.operations_page import operations_view
from pcmsim.report.operations_records import Raster
from pcmsim.report.raster_figure import raster


def figure(value, unit="pJ", source="doi:10.1109/JSSC.2022.3140414"):
    return {"value": value, "unit": unit, "source": source}


def layer(name, inputs, units, macs, acs, dense, **rest):
    arrays = {"device_pj": 0.5, "product_pj": 48.8 * units, "program_pj": 2800.0 * inputs * units}
    counts = {"macs": macs, "acs": acs, "dense_macs": dense}
    return {"name": name, "inputs": inputs, "units": units, **counts, "arrays": arrays, **rest}


SPIKING = {"binary": True, "rate": 0.125, "mean_output": 0.125}
OPERATIONS = {
    "split": "test",
    "steps": 400,
    "sequences": 10,
    "inputs_rate": 0.05,
    "device_set": "pcm-example",
    "layers": [
        layer("hidden0", 88, 20, 20.0, 88.0, 1780.0, **SPIKING),
        layer("readout", 20, 88, 0.0, 308.0, 1760.0),
    ],
    "pairs": [
        {"name": "float32", "title": "float", "mac_pj": figure(4.6), "ac_pj": figure(0.9)},
        {"name": "int8", "title": "byte", "mac_pj": figure(0.23), "ac_pj": figure(0.03)},
    ],
    "figures": {
        "read_voltage_v": figure(0.2, "V"),
        "read_s": figure(1.3e-7, "s"),
        "column_pj": figure(48.8),
        "program_pj": figure(1400.0),
    },
}


@pytest.fixture
def counted(train_run):
    """A training run that has counted operations."""
    path = train_run / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"operations": OPERATIONS}))
    with h5py.File(train_run / "raster.h5", "w") as file:
        data = file.create_dataset("hidden0", data=np.arange(240, dtype="u1").reshape(12, 20))
        data.attrs["steps"], data.attrs["units"] = 12, 20
    return train_run


def words(page):
    page = re.sub(r"<svg.*?</svg>|<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_energies_are_counts_times_prices(counted):
    view = operations_view(read_run(counted).training.operations)
    assert [(row.name, row.macs, row.acs, row.dense_macs) for row in view.rows] == [
        ("hidden0", 20.0, 88.0, 1780.0),
        ("readout", 0.0, 308.0, 1760.0),
        ("all", 20.0, 396.0, 3540.0),
    ]
    # 20 x 4.6 + 396 x 0.9 pJ; 40 steps in a sequence; 3540 x 4.6 pJ
    first, second, arrays = view.energies
    assert (first.step, first.sequence, first.dense) == ("448 pJ", "17.9 nJ", "16.3 nJ")
    assert (second.step, second.sequence, second.dense) == ("16.5 pJ", "659 pJ", "814 pJ")
    assert (arrays.step, arrays.sequence) == ("5.27 nJ", "211 nJ")
    assert (view.devices, view.programming) == ("1 pJ", "9.86 µJ")


def test_the_page_shows_counts_prices_and_sources(counted):
    page = build(counted).read_text(encoding="utf-8")
    text = words(page)
    assert "Operations and energy" in text
    assert "hidden0 88 → 20 0.125 spikes 20 88 1,780" in text
    assert "float 4.6 / 0.9 pJ 448 pJ 17.9 nJ 16.3 nJ" in text
    assert "of the inputs 5 % are active" in text
    assert 'href="https://doi.org/10.1109/JSSC.2022.3140414"' in page
    assert 'aria-label="Raster of the hidden layers"' in page


def test_a_run_that_counted_nothing_has_no_such_section(train_run):
    assert read_run(train_run).training.operations is None
    assert "Operations and energy" not in build(train_run).read_text(encoding="utf-8")


def test_soft_units_are_described_by_their_mean(counted, rewrite):
    soft = {"binary": False, "rate": 1.0, "mean_output": 0.375}
    rewrite(counted / "results.json", lambda values: values["operations"]["layers"][0].update(soft))
    view = operations_view(read_run(counted).training.operations)
    assert view.rows[0].sends == "0.375 on average"


def test_the_raster_has_steps_to_the_right_and_units_upwards():
    grey = np.arange(15, dtype="u1").reshape(5, 3)
    first, second = raster([Raster("a", grey, 5, 3), Raster("b", grey + 1, 5, 3)]).axes
    np.testing.assert_array_equal(first.images[0].get_array(), grey.T)
    np.testing.assert_array_equal(second.images[0].get_array(), grey.T + 1)
    assert first.get_ylim()[0] < first.get_ylim()[1]
    assert [axes.get_ylabel() for axes in (first, second)] == ["unit of a", "unit of b"]


def test_a_raster_that_was_cut_says_so(counted):
    with h5py.File(counted / "raster.h5", "a") as file:
        file["hidden0"].attrs["steps"] = 99
    assert "first 12 steps" in words(build(counted).read_text(encoding="utf-8"))


@pytest.mark.parametrize("harm", ["missing", "damaged", "floats", "empty", "no steps"])
def test_a_bad_raster_is_named_in_one_line(counted, harm):
    path = counted / "raster.h5"
    if harm in ("missing", "damaged"):
        path.unlink()
    if harm == "damaged":
        path.write_bytes(b"\xff\xfe{")
    if path.exists() and harm != "damaged":
        with h5py.File(path, "w") as file:
            if harm == "floats":
                file["hidden0"] = np.ones((3, 4))
                file["hidden0"].attrs.update(steps=3, units=4)
            if harm == "no steps":
                file["hidden0"] = np.ones((3, 4), "u1")
    with pytest.raises(DataError, match=re.escape(str(path))):
        build(counted)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda o: o.update(steps=0), "steps"),
        (lambda o: o["layers"][0].update(macs=-1.0), "layers.0.macs"),
        (lambda o: o["pairs"][1].pop("ac_pj"), "pairs.1.ac_pj"),
        (lambda o: o.update(layers=[]), "layers"),
    ],
)
def test_counts_that_cannot_be_are_refused(counted, rewrite, change, where):
    rewrite(counted / "results.json", lambda values: change(values["operations"]))
    with pytest.raises(DataError, match=re.escape(f"results.json: {where}")):
        build(counted)
