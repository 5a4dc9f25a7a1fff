from pathlib import Path

import pytest

from pcmsim.config import Data
from pcmsim.datasets import layout, load
from pcmsim.datasets.synthetic import load_synthetic
from pcmsim.errors import UsageError


def test_the_name_chooses_the_data_set(tmp_path, canonical):
    path = tmp_path / "some.npz"
    path.write_bytes(layout.pack(canonical))
    assert load(Data(name="jsb"), seed=1, path=path).name == "jsb"
    assert load(Data(name="synthetic"), seed=1).source == load_synthetic(1).source


@pytest.mark.parametrize("name", ["bach", "synthetic"])
def test_a_path_for_data_without_files_is_refused(name):
    with pytest.raises(UsageError, match=f"{name} reads no file"):
        load(Data(name=name), seed=1, path=Path("somewhere"))


@pytest.mark.parametrize("name", ["jsb", "synthetic"])
def test_a_number_of_pieces_is_for_bach_alone(name):
    with pytest.raises(UsageError, match=r"data\.pieces is for bach"):
        load(Data(name=name, pieces=9), seed=1)
