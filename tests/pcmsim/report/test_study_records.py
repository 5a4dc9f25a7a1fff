import json

import pytest

from pcmsim.errors import DataError
from pcmsim.report import build
from pcmsim.report.study_records import read_study


def without(results: dict, *path) -> dict:
    """The results without one value."""
    found = json.loads(json.dumps(results))
    inner = found
    for part in path[:-1]:
        inner = inner[part]
    del inner[path[-1]]
    return found


def refused(studies, results: dict) -> str:
    folder = studies()
    (folder / "results.json").write_text(json.dumps(results))
    with pytest.raises(DataError) as error:
        build(folder)
    assert not (folder / "report.html").exists()
    return str(error.value)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (("times_s",), "times_s"),
        (("tolerance",), "tolerance"),
        (("failures",), "failures"),
        (("cells", 2, "mean"), "cells.2.mean"),
        (("cells", 1, "quantiles", "q50"), "cells.1.quantiles.q50"),
        (("cells", 3, "cost", "energy_pj"), "cells.3.cost.energy_pj"),
    ],
)
def test_what_is_missing_is_named(studies, path, named):
    message = refused(studies, without(studies.results(), *path))
    assert f"results.json: {named}: field required" in message


def test_a_network_without_software_metric_is_named(studies):
    assert "software has no network 'n'" in refused(studies, studies.results(software={"m": 8.6}))


def test_lists_must_be_as_long_as_the_times(studies):
    cells = [studies.cell("none", "none", within=[1.0])]
    message = refused(studies, studies.results(cells=cells))
    assert "cells.0.within has 1 values, and there are 2 times" in message


def test_bands_must_be_as_long_as_the_times(studies):
    cell = studies.cell("none", "none")
    cell["quantiles"]["q95"] = [9.0, 9.0, 9.0]
    message = refused(studies, studies.results(cells=[cell]))
    assert "cells.0.quantiles.q95 has 3 values" in message


def test_times_must_increase(studies):
    assert "times_s must increase" in refused(studies, studies.results(times_s=[5.0, 5.0]))


def test_the_same_cell_twice_is_refused(studies):
    cells = [studies.cell("none", "none")] * 2
    assert "2 entries of 1 names" in refused(studies, studies.results(cells=cells))


def test_indices_must_be_as_many_as_parameters(studies):
    sobol = {"parameters": ["a", "b"], "first": [0.5], "first_half_width": [0.1, 0.1]}
    sobol |= {"total": [0.5, 0.4], "total_half_width": [0.1, 0.1]}
    sobol |= {"samples": 8, "evaluations": 32, "variance": 0.01}
    found = {"network": "n", "compensation": "none", "devices": "d", "t_s": 1.0, "step": 0.2}
    found |= {"chips": 3, "nominal": 9.0, "one_at_a_time": [], "sobol": sobol}
    message = refused(studies, studies.results(sensitivity=found))
    assert "sensitivity.sobol.first has 1 values, and there are 2 parameters" in message


@pytest.mark.parametrize("name", ["study.yaml", "environment.json"])
def test_a_missing_file_is_named(studies, name):
    folder = studies()
    (folder / name).unlink()
    with pytest.raises(DataError, match=name):
        build(folder)


@pytest.mark.parametrize("config", ["a: [", "- 1", "a: 1\na: 2"])
def test_a_damaged_configuration_is_named(studies, config):
    with pytest.raises(DataError, match=r"study\.yaml"):
        build(studies(config))


def test_a_study_that_knows_no_differences_to_the_best_is_still_read(studies):
    folder = studies(cells=[without(studies.cell("none", "none"), "against_best")])
    assert read_study(folder / "results.json").cells[0].against_best is None
