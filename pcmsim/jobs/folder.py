"""Run folders: what was run, on what, and what came out, each written in one step.

`config.yaml` is the configuration as run, `environment.json` says where it ran and is written
last, so a folder that has one is complete; `results.json` exists once the run has finished.
"""

import hashlib
import importlib.metadata
import json
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import TypeAdapter

import pcmsim
from pcmsim.config import Config, dump, load_config
from pcmsim.devices import ParameterSet, load_parameter_set
from pcmsim.errors import DataError, UsageError
from pcmsim.files import replace

FORMAT = 1
CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
RESULTS = "results.json"
LOCK = ".lock"


def check_new(out: Path) -> None:
    """Raise `UsageError` unless `out` can become a run folder: absent, or an empty folder."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder that does not exist yet")
    # A configuration alone is what a run leaves that was stopped before it began.
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if {name for name in names - {CONFIG} if not name.endswith(".partial")}:
        raise UsageError(
            f"{out} is not empty; name another folder or remove it (a training run that stopped "
            f"goes on with --resume)"
        )


def create(out: Path, kind: str, config: Config, data_source: str) -> None:
    """Make the folder of a new run: `config.yaml` and `environment.json`.

    `data_source` says in one line which data the run works on; `check_same_data` asks for the same.
    Raises `UsageError` if `out` is in use, `DataError` if the disk refuses.
    """
    check_new(out)
    make(out)
    write_text(out / CONFIG, dump(config))
    about = {"kind": kind, "format": FORMAT, "data_source": data_source}
    about["device_sha256"] = device_hash(config)
    write_json(out / ENVIRONMENT, about | environment(config.seed))


def make(out: Path) -> None:
    """Make the folder `out` unless it is there; raises `DataError` if the disk refuses."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"folder {out} cannot be made: {error}") from error


def check_same(out: Path, kind: str, config: Config) -> None:
    """Check that `out` holds a run of `kind` with exactly this `config`.

    Raises `UsageError` that says what differs, `DataError` for a folder that cannot be used.
    """
    if not (out / ENVIRONMENT).is_file():
        raise UsageError(f"{out} holds no run to resume; start it without resuming")
    _check(read_json(out / ENVIRONMENT), kind, out)
    device = read_json(out / ENVIRONMENT).get("device_sha256")
    if device not in (None, device_hash(config)):
        raise UsageError(
            f"hardware.device = {config.hardware.device}: the parameter set has changed since the "
            f"run in {out} was started; restore it or name a new folder"
        )
    before = flat(load_config(out / CONFIG).model_dump(mode="json"))
    now = flat(config.model_dump(mode="json"))
    for key in before | now:
        if before.get(key) != now.get(key):
            raise UsageError(
                f"{key} = {now.get(key)!r}, but the run in {out} was started with "
                f"{before.get(key)!r}; resume it with its own {CONFIG} or name a new folder"
            )


def device_hash(config: Config) -> str:
    """SHA-256 of the parameter set that `config` names: a file of one may change."""
    content = TypeAdapter(ParameterSet).dump_json(load_parameter_set(config.hardware.device))
    return hashlib.sha256(content).hexdigest()


@contextmanager
def at_work(out: Path) -> Iterator[None]:
    """Keep other processes out of the run in `out`; raises `UsageError` if one is at work there."""
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"another process is at work in {out}; wait for it or end it") from None
    try:
        yield
    finally:
        lock.release()
        (out / LOCK).unlink(missing_ok=True)


def check_same_data(out: Path, data_source: str) -> None:
    """Raise `UsageError` if the run in `out` was started on other data."""
    before = read_json(out / ENVIRONMENT).get("data_source")
    if before != data_source:
        raise UsageError(
            f"the run in {out} was started on {before}; found now: {data_source}; resume it with "
            f"the same data or name a new folder"
        )


def environment(seed: int) -> dict[str, Any]:
    """Versions, platform, source commit (None outside a checkout), command and start time."""
    packages = ("pcmsim", "torch", "numpy", "numba")
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "platform": platform.platform(),
        "git_commit": _commit(Path(pcmsim.__file__).parents[1]),
        "seed": seed,
        "command": shlex.join(sys.argv),
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_json(path: Path, values: Any) -> None:
    """Replace the JSON file at `path` in one step; raises `DataError` if the disk refuses."""
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace the text file at `path` in one step; raises `DataError` if the disk refuses."""
    replace(path, text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """Object in the JSON file at `path`; raises `DataError` if it is missing or damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise DataError(f"{path} holds {values!r:.40}; an object of named values was expected")
    return values


def read_results(path: Path, kind: str | None = None) -> dict[str, Any]:
    """Results of a finished run; `path` is its folder or the `results.json` in it.

    Raises `DataError` if there are none, or if they are of another format or, where a `kind` is
    asked for, of another kind of run.
    """
    file = path / RESULTS if path.is_dir() else path
    if not file.exists():
        raise DataError(f"{path} holds no {RESULTS}: not a run folder, or the run is not finished")
    results = read_json(file)
    _check(results, kind or str(results.get("kind")), file)
    return results


def _check(values: dict[str, Any], kind: str, where: Path) -> None:
    if values.get("format") != FORMAT:
        raise DataError(
            f"{where} is of format {values.get('format')!r}; this version reads format {FORMAT}: "
            f"use the version that wrote it or run it again"
        )
    if values.get("kind") != kind:
        raise DataError(f"{where} is a run of kind {values.get('kind')!r}; {kind!r} was expected")


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of a nested dictionary by their dotted path.

    >>> flat({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    result: dict[str, Any] = {}
    for key, value in values.items():
        inner = flat(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        result |= {f"{prefix}{key}": value} if inner is None else inner
    return result


def _commit(root: Path) -> str | None:
    """Commit of the checkout at `root`, with "-dirty" if files differ from it."""
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        found = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=10.0, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
