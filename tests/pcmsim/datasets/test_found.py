import pytest

from pcmsim.datasets.found import check, find
from pcmsim.errors import DataError

FILES = ("a.mat", "b.mat")


@pytest.fixture
def folder(tmp_path, monkeypatch, cache_folder):
    monkeypatch.delenv("PCMSIM_DATA", raising=False)
    return tmp_path / "data"


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize("sub", ["", "ecg"])
def test_files_lie_in_the_folder_or_in_one_of_the_data_sets_name(folder, sub):
    put(folder / sub, *FILES)
    assert find("ecg", FILES, folder, "fetch") == tuple(folder / sub / file for file in FILES)


def test_gzipped_files_count_where_they_can_be_read_and_plain_ones_come_first(folder):
    put(folder, "a.mat", "a.mat.gz", "b.mat.gz")
    found = find("ecg", FILES, folder, "fetch", packed=True)
    assert found == (folder / "a.mat", folder / "b.mat.gz")
    with pytest.raises(DataError, match=r"lacks b\.mat"):
        find("ecg", FILES, folder, "fetch")


def test_a_path_beats_the_environment_and_that_the_cache(folder, cache_folder, monkeypatch):
    put(cache_folder, *FILES)
    assert find("ecg", FILES, None, "fetch")[0].parent == cache_folder
    monkeypatch.setenv("PCMSIM_DATA", str(folder / "pointed"))
    put(folder / "pointed", *FILES)
    assert find("ecg", FILES, None, "fetch")[0].parent == folder / "pointed"
    put(folder / "named", *FILES)
    assert find("ecg", FILES, folder / "named", "fetch")[0].parent == folder / "named"


def test_the_files_of_one_set_are_never_gathered_from_two_folders(folder):
    put(folder, "a.mat")
    put(folder / "ecg", "b.mat")
    with pytest.raises(DataError, match="lacks"):
        find("ecg", FILES, folder, "fetch")


def test_what_is_missing_is_named_with_the_way_out(folder, monkeypatch):
    put(folder, "a.mat")
    monkeypatch.setenv("PCMSIM_DATA", str(folder))
    with pytest.raises(DataError, match=r"ecg: PCMSIM_DATA = .*data lacks b\.mat, .*; fetch them,"):
        find("ecg", FILES, None, "fetch them")


def test_a_single_file_may_be_named_itself(folder):
    put(folder, "mine.csv")
    assert find("jena", ("jena.csv",), folder / "mine.csv", "fetch") == (folder / "mine.csv",)
    with pytest.raises(DataError, match=r"lacks a\.mat, b\.mat"):
        find("ecg", FILES, folder / "mine.csv", "fetch")


def test_another_checksum_is_refused_by_both_numbers(folder):
    check(folder, "12", "12", "the file")
    with pytest.raises(DataError, match="SHA-256 of the file is 12, not 34"):
        check(folder, "12", "34", "the file")
