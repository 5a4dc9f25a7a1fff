"""What all tests share: the data folder, and where the numbers made elsewhere are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_folder():
    """Folder of real data, from PCMSIM_DATA or beside the checkout; skips where there is none."""
    folder = Path(os.environ.get("PCMSIM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.exists():
        pytest.skip(f"real data not found in {folder}; set PCMSIM_DATA")
    return folder
