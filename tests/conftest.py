"""What all tests share: the data folder, and where the numbers made elsewhere are."""

import os
import sys
from pathlib import Path

import pytest

from pcmsim.cli import main as command_line

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_folder():
    """Folder of real data, from PCMSIM_DATA or beside the checkout; skips where there is none."""
    folder = Path(os.environ.get("PCMSIM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.exists():
        pytest.skip(f"real data not found in {folder}; set PCMSIM_DATA")
    return folder


@pytest.fixture
def pcmsim(monkeypatch, capsys):
    """Call the command line in this process: (exit code, standard output, standard error)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["pcmsim", *map(str, words)])
        monkeypatch.setenv("PCMSIM_DATA", "nowhere")
        code = 0
        try:
            command_line.main()
        except SystemExit as stop:
            code = stop.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call
