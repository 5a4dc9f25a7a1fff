"""Everything a training run needs to go on, in one file that is replaced in one step.

Why one file: weights, moments and history of the same epoch can then never come apart. There is
no state of random generators in it: shuffles and dropout are streams named after their epoch.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pcmsim.errors import DataError
from pcmsim.files import replace

FORMAT = 2
FILE = "checkpoint.safetensors"
GROUPS = ("weights", "best", "moments")


@dataclass(frozen=True)
class EpochReport:
    """One epoch of training; the first is epoch 1.

    `train_loss` [nat/step] is the mean over the epoch, with dropout and while the weights moved;
    `valid_metric` [nat/step] and `activity` (mean output of the hidden units on the validation
    split) belong to the weights at its end.
    """

    epoch: int
    train_loss: float
    valid_metric: float
    learning_rate: float
    activity: float
    seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """State at the end of the last epoch of `history`, and the best weights until then."""

    history: tuple[EpochReport, ...]
    weights: dict[str, Tensor]
    best: dict[str, Tensor]
    moments: dict[str, Tensor]


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Replace the checkpoint in `folder`, made if need be; `DataError` if the disk refuses."""
    tensors = {
        f"{group}/{name}": value.contiguous()
        for group in GROUPS
        for name, value in getattr(checkpoint, group).items()
    }
    history = json.dumps([asdict(report) for report in checkpoint.history])
    about = {"format": str(FORMAT), "history": history, "sha256": checksum(tensors, history)}
    replace(folder / FILE, save(tensors, metadata=about))


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the checkpoint in `folder`; None if the run was stopped before its first.

    Raises `DataError` if the file is damaged or of another format.
    """
    path = folder / FILE
    if not path.exists():
        return None
    tensors, history_text = read_checked(path, FORMAT, "history")
    groups = {group: _named(tensors, group) for group in GROUPS}
    history = tuple(EpochReport(**report) for report in json.loads(history_text))
    return Checkpoint(history, **groups)


def read_checked(path: Path, wanted: int, about: str) -> tuple[dict[str, Tensor], str]:
    """Tensors of the file at `path`, and the text that stands in its header under `about`.

    Raises `DataError` unless the file is whole, of the format `wanted`, and has its own checksum.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} is damaged ({error}); train again into a new folder") from error
    text = header.get(about, "")
    if header.get("format") != str(wanted):
        raise DataError(
            f"{path} is not a checkpoint of format {wanted}; resume with the version that wrote it"
        )
    if header.get("sha256") != checksum(tensors, text):
        raise DataError(
            f"{path} is damaged (its checksum differs); restore it or train again into a new folder"
        )
    return tensors, text


def checksum(tensors: dict[str, Tensor], about: str) -> str:
    """SHA-256 of tensors and of the text beside them."""
    return hashlib.sha256(save(tensors) + about.encode()).hexdigest()


def _named(tensors: dict[str, Tensor], group: str) -> dict[str, Tensor]:
    start = f"{group}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
