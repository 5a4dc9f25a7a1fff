import os
from pathlib import Path

import numpy as np
import pytest

from pcmsim.datasets import cache

COUNTS = {"train": (229, 13807), "valid": (76, 4602), "test": (77, 4725)}
NEIGHBOUR = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def canonical() -> dict[str, list[np.ndarray]]:
    """Random rolls with the canonical numbers of chorales and steps, all lengths unequal-ish."""
    rng = np.random.default_rng(5)
    splits = {}
    for name, (chorales, steps) in COUNTS.items():
        cuts = np.sort(rng.choice(np.arange(1, steps // 2), chorales - 1, replace=False)) * 2
        lengths = np.diff([0, *cuts, steps])
        splits[name] = [(rng.random((n, 88)) < 0.05).astype(np.uint8) for n in lengths]
    return splits


@pytest.fixture
def cache_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def data_folder() -> Path:
    folder = Path(os.environ.get("PCMSIM_DATA") or NEIGHBOUR)
    if not folder.exists():
        pytest.skip("the real chorales are not here: set PCMSIM_DATA to their folder")
    return folder
