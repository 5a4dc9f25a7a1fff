"""Four-voice Bach chorales built from the corpus that music21 brings along.

Two worker processes read the scores. They are plain child processes rather than a process pool: a
pool imports the caller's main module again, and a script without a guard would start itself over.
"""

import contextlib
import importlib.metadata
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from pcmsim.datasets import cache, layout
from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.roll import Roll, dataset, fingerprint, from_pitches
from pcmsim.errors import DataError, UsageError
from pcmsim.files import replace
from pcmsim.rng import stream

FORMAT = 1  # of the cached file; a new number whenever rolls or splits come out differently
WORKERS = 2
FEWEST = 3
# Purpose of the first, second ... piece: 60/20/20, and no piece changes sides as `pieces` grows.
TURNS = ("train", "valid", "test", "train", "train")

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]


def load_bach(pieces: int | None = None, progress: Progress | None = None) -> Dataset:
    """Chorales of the music21 corpus on a grid of quarter notes, split 60/20/20.

    The order of the pieces is a fixed permutation; `pieces` takes at most the first so many.
    They are built once and then read from the user's cache; `progress(done, total)` follows the
    building. Unlike in the canonical JSB file, keys are those of the printed score (MIDI pitch 21
    is index 0, nothing transposed), repeats are not played and pieces are shorter.
    Raises `UsageError` for fewer than 3 pieces, `DataError` if music21 is missing or fails.
    """
    if pieces is not None and pieces < FEWEST:
        raise UsageError(f"data.pieces = {pieces}; one per split needs at least {FEWEST}")
    version = _music21_version()
    path = cache.folder() / f"bach-{FORMAT}-music21-{version}-{pieces or 'all'}.npz"
    splits = _cached(path)
    if splits is None:
        splits = _split(_build(pieces, progress or _silent))
        _keep(path, splits)
    count = sum(len(rolls) for rolls in splits.values())
    source = f"{count} chorales of the music21 {version} corpus, SHA-256 {fingerprint(splits)}"
    return dataset("bach", splits, source)


def _build(pieces: int | None, progress: Progress) -> list[Roll]:
    (names,) = _ask([[]])
    waiting = _order(json.loads(names))
    wanted = len(waiting) if pieces is None else pieces
    rolls: list[Roll] = []
    done = 0
    while len(rolls) < wanted and waiting:
        missing = wanted - len(rolls)
        wave, waiting = waiting[:missing], waiting[missing:]
        total = done + len(wave)
        for roll in _parse(wave):
            rolls += [] if roll is None else [roll]
            done += 1
            progress(done, total)
    if done > len(rolls):
        log.info("skipped %d of %d chorales of the corpus", done - len(rolls), done)
    return rolls


def _order(names: list[str]) -> list[str]:
    shuffled = stream(0, "datasets", "bach", "order").permutation(len(names))
    return [names[i] for i in shuffled]


def _split(rolls: Sequence[Roll]) -> layout.Splits:
    splits: layout.Splits = {"train": [], "valid": [], "test": []}
    for i, roll in enumerate(rolls):
        splits[TURNS[i % len(TURNS)]].append(roll)
    return splits


def _parse(names: Sequence[str]) -> Iterator[Roll | None]:
    """Yield the rolls of `names` in order; None for a piece that is no four-voice chorale."""
    for line in _ask([names[i::WORKERS] for i in range(min(WORKERS, len(names)))]):
        answer = json.loads(line)
        if "skipped" in answer:
            log.debug("skipped %s: %s", answer["name"], answer["skipped"])
            yield None
        else:
            yield from_pitches(answer["steps"])


def _ask(shares: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines that one worker per share of names answers, in turns until all is said."""
    with contextlib.ExitStack() as stack:
        # music21 leaves files in the temporary folder: give it one that goes away.
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="pcmsim-"))
        errors = stack.enter_context(tempfile.TemporaryFile("w+"))
        workers = [stack.enter_context(_worker(share, scratch, errors)) for share in shares]
        for turn in range(max(1, sum(len(share) for share in shares))):
            worker = workers[turn % len(workers)]
            line = worker.stdout.readline() if worker.stdout else ""
            if not line.endswith("\n"):
                errors.seek(0)
                reason = (errors.read().strip() or "no message").splitlines()[-1]
                raise DataError(f"reading the music21 corpus failed: {reason:.200}")
            yield line


@contextlib.contextmanager
def _worker(names: Sequence[str], scratch: str, errors: IO[str]) -> Iterator[subprocess.Popen[str]]:
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": scratch, "TEMP": scratch}
    code = "from pcmsim.datasets.chorales import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *names],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
        text=True,
        encoding="utf-8",
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _cached(path: Path) -> layout.Splits | None:
    if not path.exists():
        return None
    try:
        return layout.read(path)
    except DataError as error:
        log.warning("%s; building it again", error)
        return None


def _keep(path: Path, splits: layout.Splits) -> None:
    try:
        replace(path, layout.pack(splits))
    except DataError as error:
        log.warning("%s; the next run builds it again", error)


def _music21_version() -> str:
    try:
        return importlib.metadata.version("music21")
    except importlib.metadata.PackageNotFoundError:
        raise DataError(
            "data.name = bach needs music21, which is not installed: pip install 'pcmsim[music]'"
        ) from None


def _silent(done: int, total: int) -> None:
    """Progress that nobody watches."""
    del done, total
