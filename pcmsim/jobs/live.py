"""Let a network live on a chip: it answers a stream without an end, and learns while it does."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pcmsim import runlog
from pcmsim.config import Config, Live, Loop
from pcmsim.datasets import Dataset, load
from pcmsim.errors import DataError, UsageError
from pcmsim.jobs import folder, in_loop, known, software
from pcmsim.jobs.learning import check_learning, check_live
from pcmsim.jobs.sizes import check_found, check_sizes
from pcmsim.jobs.train import new_network
from pcmsim.loop import (
    Announcing,
    Autosave,
    LiveReport,
    LoopRun,
    Restorable,
    Stream,
    begin,
    hold_all,
    restore_training,
)
from pcmsim.loop import live as stream_on
from pcmsim.networks import SpikingNetwork
from pcmsim.rng import key

KIND = "live"
CHIP, LOG = "chip0", "live.h5"
UNITS = {
    "sequences": "1",
    "chip_s": "s",
    "programmed": "1",
    "set_pulses": "1",
    "resets": "1",
    "seconds": "s",
}
HOUR_S = 3600.0
OnSequence = Callable[[int, float], None]


@dataclass(frozen=True)
class End:
    """Where a stream ends: after so many `sequences`, or at `hours` of the chip's clock.

    With neither it never does. Raises `UsageError` for numbers that are none.
    """

    sequences: int | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        if self.sequences is not None and self.sequences < 1:
            raise UsageError(f"sequences = {self.sequences}: write a number of at least 1")
        if self.hours is not None and not 0.0 < self.hours < float("inf"):
            raise UsageError(f"hours = {self.hours:g}: write a time above 0 h of the chip's clock")

    def ahead(self, sequences: int, chip_s: float) -> bool:
        """Whether the stream goes on."""
        enough = self.sequences is not None and sequences >= self.sequences
        late = self.hours is not None and chip_s >= self.hours * HOUR_S
        return not enough and not late


def live(
    config: Config,
    out: Path,
    data_path: Path | None = None,
    resume: bool = False,
    end: End = End(),
    known_run: Path | None = None,
    on_load: Callable[[int, int], None] | None = None,
    on_epoch: software.OnEpoch | None = None,
    on_sequence: OnSequence | None = None,
) -> dict[str, Any]:
    """Train what `config` describes in software, put it on a chip, and stream until the `end`.

    The folder `out` holds the software network as a training run does, `live.h5` (one row for each
    interval: see `LiveReport`, and the sliding mean of the loss), `chip0` with the checkpoint, and
    `results.json`, which is written wherever the stream ends. With `resume` it goes on from there,
    or from where it was stopped, to the same bits as an unbroken stream. Networks of `known_run`
    are taken over. `on_sequence(sequences, chip_s)` is called after each sequence.

    Raises `UsageError` for a configuration or folder that cannot be used, before any work;
    `DataError` for data that cannot be used or a disk that refuses; `PcmsimError` if the loss is no
    longer finite; `HardwareError` for a chip that fails.
    """
    check_sizes(config)
    check_learning(config)
    check_live(config)
    in_loop.check(config)
    out = Path(out)
    if resume:
        folder.check_same(out, KIND, config)
    else:
        folder.check_new(out)
        if known_run is not None:
            known.check_known(config, known_run)
    dataset = load(config.data, config.seed, data_path, on_load)
    check_found(config, dataset)
    new = new_network(config, dataset)
    if resume:
        folder.check_same_data(out, dataset.source)
    else:
        if known_run is not None:
            folder.check_same_data(known_run, dataset.source)
            known.check_whole(config, known_run)
        folder.create(out, KIND, config, dataset.source)
        if known_run is not None:
            known.remember(known_run, out)
    with folder.at_work(out):
        known.take_over(config, out)
        network, _ = software.train_network(config, dataset, out, on_epoch, new)
        results = _live(config, dataset, network, out, end, on_sequence or (lambda *_: None))
        folder.write_json(out / folder.RESULTS, results)
    return results


def _live(
    config: Config,
    dataset: Dataset,
    network: SpikingNetwork,
    out: Path,
    end: End,
    on_sequence: OnSequence,
) -> dict[str, Any]:
    settings, loop = _sections(config)
    seed = key(config.seed, "chip", 0)
    run, save = _chip(config, loop, dataset, network, seed, out / CHIP)
    log = _Log(out / LOG, dataset, settings.window, run.position.batch)
    clock = next(iter(run.model.arrays.values())).crossbar.clock

    def mark(now: LoopRun) -> None:
        save(now)
        on_sequence(now.position.batch, clock.now_s)

    source = Stream(settings, loop, dataset, seed, config.seed)
    with save.guarding(run):
        stream_on(run, source, lambda r: end.ahead(r.position.batch, clock.now_s), mark, log)
    return _results(config, dataset, log.rows(), run.position.batch, clock.now_s)


def _chip(
    config: Config, loop: Loop, dataset: Dataset, network: SpikingNetwork, seed: int, out: Path
) -> tuple[LoopRun, Autosave]:
    """The network on its chip, as the checkpoint in `out` left it, and what saves it there."""
    arrays = in_loop.opened(network, config.hardware, seed)
    network = deepcopy(network)
    if loop.clip_rms is not None:
        hold_all(network, loop.clip_rms)
    hardware = in_loop.Task(config, loop, network, network, dataset).hardware
    run = begin(in_loop.mapped(network, arrays, hardware), loop)
    folder.make(out)
    restore_training(run, arrays, out)
    save = Autosave(arrays, out, loop.checkpoint_minutes)
    if not isinstance(arrays, Restorable):
        for array in run.model.arrays.values():
            array.crossbar = Announcing(array.crossbar, lambda: save.save(run))
    return run, save


class _Log:
    """The log of a stream, brought to the `sequences` that a checkpoint knows of."""

    def __init__(self, path: Path, dataset: Dataset, window: int, sequences: int) -> None:
        self._path, self._window = path, window
        unit = software.loss_units(dataset.metric)["train_loss"]
        self._units = UNITS | {"loss": unit, "sliding_loss": unit}
        if path.exists():
            self._check()
            runlog.truncate(path, int(np.count_nonzero(self.rows()["sequences"] <= sequences)))

    def __call__(self, interval: LiveReport) -> None:
        recent = [*self.rows().get("loss", ())][-(self._window - 1) :] if self._window > 1 else []
        sliding = _mean(np.array([*recent, interval.loss]))
        row = asdict(interval) | {"sliding_loss": sliding}
        runlog.append(self._path, row, self._units)

    def _check(self) -> None:
        """Refuse the table of another run before a row of it is dropped."""
        found = self.rows().keys()
        if found != self._units.keys():
            raise DataError(
                f"{self._path} has the columns {', '.join(sorted(found))}, and is no log of a "
                f"live run; restore it from a copy, or move it away to begin a new one"
            )

    def rows(self) -> dict[str, np.ndarray]:
        return runlog.read(self._path) if self._path.exists() else {}


def _sections(config: Config) -> tuple[Live, Loop]:
    if config.live is None or config.loop is None:
        raise UsageError("this configuration has no sections live and loop")
    return config.live, config.loop


def _results(
    config: Config, dataset: Dataset, rows: dict[str, np.ndarray], sequences: int, chip_s: float
) -> dict[str, Any]:
    settings, _ = _sections(config)
    losses = rows.get("loss", np.zeros(0))
    return {
        "kind": KIND,
        "format": folder.FORMAT,
        "task": dataset.name,
        "frozen": settings.frozen,
        "sequences": sequences,
        "chip_s": chip_s,
        "loss_first": _told(losses[:1]),
        "loss_last": _told(rows["sliding_loss"][-1:]) if len(losses) else None,
        "loss_mean": _told(losses),
        "set_pulses": int(rows["set_pulses"].sum()) if len(losses) else 0,
        "resets": int(rows["resets"].sum()) if len(losses) else 0,
        "programmed": int(rows["programmed"].sum()) if len(losses) else 0,
        "seed": config.seed,
        "data_source": dataset.source,
    }


def _mean(losses: np.ndarray) -> float:
    """Mean over the intervals that have a loss; NaN if none has."""
    known = losses[np.isfinite(losses)]
    return float(known.mean()) if len(known) else float("nan")


def _told(losses: np.ndarray) -> float | None:
    """The same for JSON, which has no NaN."""
    mean = _mean(losses)
    return mean if np.isfinite(mean) else None
