"""Parameter sets written and read back."""

from dataclasses import replace

import pytest

from pcmsim.devices import load_parameter_set, parameter_set_names, parameter_set_text


@pytest.mark.parametrize("name", parameter_set_names())
def test_a_set_that_is_written_is_read_back_as_it_was(name, tmp_path):
    shipped = load_parameter_set(name)
    path = tmp_path / "copy.yaml"
    path.write_text(parameter_set_text(shipped), encoding="utf-8")
    assert load_parameter_set(path) == shipped


def test_standard_errors_survive_the_file(tmp_path):
    shipped = load_parameter_set("ideal")
    entries = dict(shipped.entries)
    entries["t0_s"] = replace(entries["t0_s"], stderr=1.25e-7)
    path = tmp_path / "copy.yaml"
    path.write_text(parameter_set_text(replace(shipped, entries=entries)), encoding="utf-8")
    assert load_parameter_set(path).entries["t0_s"].stderr == 1.25e-7
