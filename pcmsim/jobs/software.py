"""Training in software in a folder: a log, events for TensorBoard, a checkpoint, the network."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from pcmsim import runlog
from pcmsim.config import Config, Training
from pcmsim.datasets import Dataset, Metric
from pcmsim.errors import DataError
from pcmsim.loop import Checkpoint, Disturbance, EpochReport, Fit, fit, load_checkpoint
from pcmsim.networks import SpikingNetwork, save_network

LOG = "log.h5"
TENSORBOARD = "tensorboard"
UNITS = {"epoch": "1", "learning_rate": "1", "activity": "1", "seconds": "s"}
SCALARS = ("train_loss", "valid_metric", "learning_rate", "activity")
OnEpoch = Callable[[EpochReport], None]


def train_network(
    config: Config,
    dataset: Dataset,
    out: Path,
    on_epoch: OnEpoch | None,
    network: SpikingNetwork,
    training: Training | None = None,
    disturbance: Disturbance | None = None,
) -> tuple[SpikingNetwork, Fit]:
    """Train `network`, or go on from what is in `out`, and save it there.

    `training` defaults to that of `config`; with a `disturbance` every batch sees devices of its
    own. Raises what `fit` raises, and `DataError` where files in `out` do not belong together.
    """
    start = load_checkpoint(out)
    units = UNITS | loss_units(dataset.metric)
    _rewind(out / LOG, start, units)
    with _report(out, start, on_epoch, units) as report:
        settings = (training or config.training, config.seed, out, start, report, disturbance)
        found = fit(network, dataset, *settings, config.learning)
    save_network(network, out)
    return network, found


def loss_units(metric: Metric) -> dict[str, str]:
    """Units of loss and metric in a log; the same where training lowers what is printed."""
    same = metric.unit.startswith("nat")
    return {"train_loss": metric.unit if same else "1", "valid_metric": metric.unit}


def _rewind(log: Path, start: Checkpoint | None, units: Mapping[str, str]) -> None:
    """Drop the row of an epoch that was logged and then lost with its checkpoint.

    Raises `DataError` where log and checkpoint do not belong together; neither is touched then.
    """
    known = 0 if start is None else len(start.history)
    if not log.exists() and not known:
        return
    table = runlog.read(log)
    epochs = list(table.get("epoch", ()))
    complete = set(table) == set(units) and epochs == list(range(1, len(epochs) + 1))
    if not complete or not known <= len(epochs) <= known + 1:
        raise DataError(
            f"{log} and the checkpoint beside it tell of different epochs; restore both from one "
            f"copy, or train again into a new folder"
        )
    runlog.truncate(log, known)


@contextlib.contextmanager
def _report(
    out: Path, start: Checkpoint | None, on_epoch: OnEpoch | None, units: dict[str, str]
) -> Iterator[OnEpoch]:
    """Give a function that writes an epoch to the log and to TensorBoard and passes it on."""
    first = 1 if start is None else len(start.history) + 1
    with _writing(out):
        writer = SummaryWriter(str(out / TENSORBOARD), purge_step=first)

    def report(epoch: EpochReport) -> None:
        row = asdict(epoch)
        runlog.append(out / LOG, row, units)
        with _writing(out):
            for name in SCALARS:
                writer.add_scalar(name, row[name], epoch.epoch)
            writer.flush()
        if on_epoch is not None:
            on_epoch(epoch)

    try:
        yield report
    finally:
        with _writing(out):
            writer.close()


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{out / TENSORBOARD} cannot be written ({error}); epochs logged before are intact: "
            f"free some space and resume the run"
        ) from error
