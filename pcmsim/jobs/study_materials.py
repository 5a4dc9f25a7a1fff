"""What a study needs, gathered and checked: networks, data, device sets and temperatures."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pcmsim.config import Config, Hardware, Study, load_config
from pcmsim.config.explaining import explain
from pcmsim.crossbar import ambient_of
from pcmsim.datasets import load
from pcmsim.devices import ParameterSet, load_parameter_set
from pcmsim.errors import DataError, PcmsimError, UsageError
from pcmsim.jobs import folder
from pcmsim.jobs.study_checks import reasons_against
from pcmsim.jobs.train import train
from pcmsim.loop import EpochReport
from pcmsim.networks import load_network
from pcmsim.studies import Materials, Subject
from pcmsim.units import DAY_S

NETWORKS = "networks"
OnTraining = Callable[[str, int, int], None]
Found = TypeVar("Found")


def gather(
    study: Study,
    out: Path,
    data_path: Path | None = None,
    on_training: OnTraining | None = None,
) -> Materials:
    """Everything that cells need; raises `UsageError` with all reasons if one of them cannot run.

    Whatever can be checked before a network is trained is checked before.
    """
    reasons: list[str] = []
    devices = _each(reasons, "devices", study.devices, load_parameter_set)
    configs = _each(reasons, "networks", study.networks, _config_of)
    hardware = _each(reasons, "hardware", configs, lambda c: changed(c.hardware, study.hardware))
    span_s = study.days * DAY_S
    ambients = _each(reasons, "temperatures", study.temperatures, lambda t: ambient_of(t, span_s))
    refuse(reasons + reasons_against(study, devices, configs, hardware, ambients))
    subjects = {}
    for name, reference in study.networks.items():
        run = _trained(name, Path(reference), out, configs[name], data_path, on_training)
        subjects[name] = _subject(run, configs[name], hardware[name], data_path)
    refuse(_too_few_sequences(study, subjects))
    return Materials(study, subjects, devices, ambients)


def refuse(reasons: list[str]) -> None:
    """Raise one `UsageError` that lists all reasons, if there are any."""
    if reasons:
        raise UsageError("this study cannot run: " + "; ".join(dict.fromkeys(reasons)))


def changed(hardware: Hardware, changes: dict[str, Any]) -> Hardware:
    """The hardware section of a run with the changes of the study; raises `UsageError`."""
    try:
        return Hardware.model_validate(hardware.model_dump(mode="json") | changes)
    except ValidationError as error:
        raise UsageError(explain(error.errors()[0], Hardware)) from None


def fingerprint(materials: Materials) -> str:
    """SHA-256 of what the numbers of a study depend on beside its configuration."""
    digest = hashlib.sha256()
    for name, subject in sorted(materials.subjects.items()):
        digest.update(f"{name} {subject.dataset.source} {subject.hardware!r}".encode())
        for key, tensor in sorted(subject.network.state_dict().items()):
            digest.update(key.encode() + tensor.numpy().tobytes())
    for name, devices in sorted(materials.devices.items()):
        digest.update(name.encode() + TypeAdapter(ParameterSet).dump_json(devices))
    for name, ambient in sorted(materials.ambients.items()):
        digest.update(f"{name} {ambient!r}".encode())
    return digest.hexdigest()


def _each(
    reasons: list[str], where: str, given: dict[str, Any], make: Callable[[Any], Found]
) -> dict[str, Found]:
    """What `make` makes of each value; why it could not is added to `reasons`."""
    made = {}
    for name, value in given.items():
        try:
            made[name] = make(value)
        except PcmsimError as error:
            reasons.append(f"{where}.{name}: {error}")
    return made


def _config_of(reference: str) -> Config:
    """Configuration of a run, or one to train."""
    path = Path(reference)
    if path.is_dir():
        folder.read_results(path, "train")
        return load_config(path / folder.CONFIG)
    if not path.exists():
        raise UsageError(
            f"{path} does not exist; name the folder of a trained run, or a configuration to train"
        )
    config = load_config(path)
    if config.loop is not None or config.aware is not None:
        raise UsageError(f"{path} trains on chips; a study starts from networks of software")
    return config


def _trained(
    name: str,
    path: Path,
    out: Path,
    config: Config,
    data_path: Path | None,
    on_training: OnTraining | None,
) -> Path:
    """Folder of the trained run; a configuration is trained into the folder of the study."""
    if path.is_dir():
        return path
    run = out / NETWORKS / name

    def on_epoch(epoch: EpochReport) -> None:
        if on_training is not None:
            on_training(name, epoch.epoch, config.training.epochs)

    train(config, run, data_path, (run / folder.ENVIRONMENT).exists(), on_epoch)
    return run


def _subject(run: Path, config: Config, hardware: Hardware, data_path: Path | None) -> Subject:
    network = load_network(run)
    if network.spec != config.network:
        raise DataError(f"network.yaml and config.yaml in {run} differ; restore both from one copy")
    dataset = load(config.data, config.seed, data_path)
    folder.check_same_data(run, dataset.source)
    return Subject(network, dataset, hardware)


def _too_few_sequences(study: Study, subjects: dict[str, Subject]) -> list[str]:
    wanted = study.calibration.sequences
    return [
        f"calibration.sequences = {wanted}: the training split of {name} has "
        f"{len(subject.dataset.train.rolls)}"
        for name, subject in subjects.items()
        if wanted > len(subject.dataset.train.rolls)
    ]
