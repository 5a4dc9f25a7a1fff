"""Damaged measurement files, in any number: `python tests/fuzz_measurements.py FOLDER COUNT SEED`.

Each file is a valid one with bytes changed, cut out, repeated or swapped. Reading it must end in
records or in one of the two errors of a user, within a minute; anything else is an exception here,
or the death of the process, and leaves the file in the folder. Files that end in `.nc` have texts
of variable length, as h5py writes them, and take a process each.
"""

import faulthandler
import gzip
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from pcmsim.calibration.checks import campaign_findings
from pcmsim.calibration.records import (
    Campaign,
    DriftTraces,
    Instrument,
    RepeatedReads,
    SetStaircases,
    YieldMap,
)
from pcmsim.errors import DataError, UsageError
from pcmsim.measurements import build_columns, read_campaign, read_table, write_campaign

DRIFT_MAP = {
    "kind": "drift",
    "instrument": {"t_read_s": 1e-6},
    "columns": {
        "device": {"name": "device"},
        "g_target": {"name": "g_target", "unit": "uS"},
        "t_s": {"name": "t_s", "unit": "s"},
        "g": {"name": "g", "unit": "uS"},
    },
}
ENDINGS = (".h5", ".nc", ".csv", ".csv.gz", ".xlsx")
LIMIT_S = 60.0


def small_campaign(rows: int = 4) -> Campaign:
    number = np.arange(rows)
    t_s = np.array([1.0, 10.0, 100.0])
    g = 1.0 + np.add.outer(number, np.arange(3)) / 7.0
    ones = np.ones(rows, dtype=np.int64)
    drift = DriftTraces(number, 0 * number, np.full(rows, 5.0), ones, t_s, g)
    return Campaign(
        Instrument(1e-6, chip="A7"),
        drift=(drift,),
        reads=(RepeatedReads(number, np.full(rows, 5.0), np.ones(rows), 0.1, g),),
        staircases=SetStaircases(number, 0 * number, t_s, 200.0, np.stack([g, g], axis=1)),
        yields=YieldMap(number, number, number, g[:, 0], g[:, 2], 0 * number),
    )


def valid_file(folder: Path, ending: str) -> bytes:
    """Content of a small valid file of each kind."""
    path = folder / f"valid{ending}"
    if ending == ".h5":
        write_campaign(path, small_campaign())
        return path.read_bytes()
    if ending == ".nc":
        write_campaign(path, small_campaign())
        with h5py.File(path, "r+") as file:
            file.attrs["chip"] = "of variable length"
            file["drift/g"].attrs["units"] = file["reads/g"].attrs["units"] = "uS"
        return path.read_bytes()
    (drift,) = small_campaign().drift
    rows = {
        "device": np.repeat(drift.device, 3),
        "g_target": 5.0,
        "t_s": np.tile(drift.t_s, 4),
        "g": drift.g.ravel(),
    }
    if ending == ".xlsx":
        pd.DataFrame(rows).to_excel(path, index=False)
        return path.read_bytes()
    text = pd.DataFrame(rows).to_csv(index=False).encode()
    return gzip.compress(text, mtime=0) if ending.endswith(".gz") else text


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with one to eight places damaged."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        at, length = int(rng.integers(len(data))), int(rng.integers(1, 17))
        match int(rng.integers(5)):
            case 0:
                data[at : at + length] = rng.bytes(len(data[at : at + length]))
            case 1:
                data[at] ^= 1 << int(rng.integers(8))
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length]
            case _:
                extreme = b"\x00\xff\x7f\x80"[int(rng.integers(4))]
                data[at : at + length] = bytes([extreme]) * len(data[at : at + length])
        data = data or bytearray(b"\x00")
    return bytes(data)


def read(path: Path) -> str:
    """Read a file to its end: "read", or the line of the user's error."""
    try:
        if path.suffix in (".h5", ".nc"):
            found = read_campaign(path)
        else:
            found = read_table(path, build_columns(DRIFT_MAP))
        list(campaign_findings(found))
    except (DataError, UsageError) as error:
        if "\n" in str(error) or len(str(error)) > 1000:
            raise AssertionError(f"not one line: {error!r}") from error
        return str(error)
    return "read"


def fuzz(folder: Path, ending: str, count: int, seed: int) -> int:
    """Number of damaged files that could still be read."""
    content, rng = valid_file(folder, ending), np.random.default_rng(seed)
    path, still = folder / f"damaged{ending}", 0
    for _ in range(count):
        path.write_bytes(mutated(content, rng))
        faulthandler.dump_traceback_later(LIMIT_S, exit=True)
        still += read(path) == "read"
        faulthandler.cancel_dump_traceback_later()
    path.unlink()
    return still


if __name__ == "__main__":
    for each in ENDINGS:
        readable = fuzz(Path(sys.argv[1]), each, int(sys.argv[2]), int(sys.argv[3]))
        sys.stdout.write(f"{each}: {sys.argv[2]} damaged, {readable} of them still readable\n")
