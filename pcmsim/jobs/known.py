"""Networks that an earlier run has trained, taken over by a run of the same networks."""

from pathlib import Path

from pcmsim import runlog
from pcmsim.config import Config, load_config
from pcmsim.errors import DataError, UsageError
from pcmsim.files import replace
from pcmsim.jobs import folder, software
from pcmsim.loop import load_checkpoint

AWARE = "aware"
TAKING = "taking-over.json"
CHECKPOINT = "checkpoint.safetensors"


def check_known(config: Config, known: Path) -> None:
    """Refuse a run whose networks are not those that `config` would train.

    One without noise-aware training gives its network trained in software alone.
    """
    before = load_config(known / folder.CONFIG)
    wanted = ["seed", "data", "network", "training", "learning"]
    for name in [*wanted, "aware"] if _aware_too(config, known) else wanted:
        if getattr(before, name) != getattr(config, name):
            raise UsageError(f"{known} was trained with another {name}; train without it")
    device = folder.read_json(known / folder.ENVIRONMENT).get("device_sha256")
    if _aware_too(config, known) and device not in (None, folder.device_hash(config)):
        raise UsageError(f"{known} was trained for other devices; train without it")


def check_whole(config: Config, known: Path) -> None:
    """Refuse a run whose log and checkpoint do not both tell of all epochs."""
    wanted = [("", config.training.epochs)]
    if config.aware is not None and _aware_too(config, known):
        wanted.append((AWARE, config.aware.training.epochs))
    for name, epochs in wanted:
        saved, log = load_checkpoint(known / name), known / name / software.LOG
        rows = len(runlog.read(log)["epoch"]) if log.exists() else 0
        if saved is None or len(saved.history) != epochs or rows != epochs:
            raise DataError(f"{known / name} has not finished its {epochs} epochs; resume it first")


def _aware_too(config: Config, known: Path) -> bool:
    """Whether `known` has trained on disturbed weights and `config` wants it too."""
    return config.aware is not None and load_config(known / folder.CONFIG).aware is not None


def remember(known: Path, out: Path) -> None:
    """Say in `out` that networks of `known` are to be taken over, before any has been."""
    folder.write_json(out / TAKING, {"known": str(known.resolve())})


def take_over(config: Config, out: Path) -> None:
    """Copy what was trained before, if it is to be; a copy that was broken off is made again."""
    if not (out / TAKING).exists():
        return
    known = Path(folder.read_json(out / TAKING)["known"])
    for name in ("", AWARE) if _aware_too(config, known) else ("",):
        for file in (CHECKPOINT, software.LOG):
            replace(out / name / file, (known / name / file).read_bytes())
    (out / TAKING).unlink()
