"""What a study needs, gathered and checked: networks, data, device sets and temperatures."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pcmsim.config import Config, Hardware, Study, load_config
from pcmsim.config.explaining import explain
from pcmsim.crossbar import ambient_of
from pcmsim.datasets import IN_FILES, Dataset, load
from pcmsim.devices import Ambient, ParameterSet, load_parameter_set
from pcmsim.errors import DataError, PcmsimError, UsageError
from pcmsim.jobs import folder
from pcmsim.jobs.learning import check_learning
from pcmsim.jobs.sizes import check_found, check_sizes, too_many_answers
from pcmsim.jobs.study_checks import reasons_against
from pcmsim.jobs.train import train
from pcmsim.loop import EpochReport
from pcmsim.networks import load_network
from pcmsim.studies import Materials, Subject
from pcmsim.units import DAY_S

NETWORKS = "networks"
OnTraining = Callable[[str, int, int], None]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Surveyed:
    """What a study can be made of: checked, nothing written, networks perhaps not trained yet."""

    study: Study
    configs: Mapping[str, Config]
    hardware: Mapping[str, Hardware]
    data: Mapping[str, Dataset]
    devices: Mapping[str, ParameterSet]
    ambients: Mapping[str, Ambient]
    data_path: Path | None


def survey(study: Study, data_path: Path | None = None) -> Surveyed:
    """Look at everything that cells need; `UsageError` with all reasons if one of them cannot run.

    Data sets that have to be built are built; nothing else is made.
    """
    reasons: list[str] = []
    devices = _each(reasons, "devices", study.devices, load_parameter_set)
    configs = _each(reasons, "networks", study.networks, _config_of)
    hardware = _each(reasons, "hardware", configs, lambda c: changed(c.hardware, study.hardware))
    span_s = study.days * DAY_S
    ambients = _each(reasons, "temperatures", study.temperatures, lambda t: ambient_of(t, span_s))
    data = _each(reasons, "data of networks", configs, lambda c: _load(c, data_path))
    wanted = {
        name: (config, data.get(name))
        for name, config in configs.items()
        if not Path(study.networks[name]).is_dir()
    }
    _each(reasons, "networks", wanted, _check_trainable)
    reasons += _too_few_sequences(study, data)
    many = (too_many_answers(study, name, config) for name, config in configs.items())
    reasons += [reason for reason in many if reason is not None]
    refuse(reasons + reasons_against(study, devices, configs, hardware, ambients))
    return Surveyed(study, configs, hardware, data, devices, ambients, data_path)


def gather(found: Surveyed, out: Path, on_training: OnTraining | None = None) -> Materials:
    """Everything that cells need; networks that are configurations are trained into `out`."""
    subjects = {}
    for name, reference in found.study.networks.items():
        config = found.configs[name]
        path = Path(reference)
        run = path if path.is_dir() else _trained(name, out, found, on_training)
        subjects[name] = _subject(run, config, found.hardware[name], found.data[name])
    return Materials(found.study, subjects, found.devices, found.ambients)


def refuse(reasons: list[str]) -> None:
    """Raise one `UsageError` that lists all reasons, if there are any."""
    if reasons:
        raise UsageError("this study cannot run: " + "; ".join(dict.fromkeys(reasons)))


def changed(hardware: Hardware, changes: dict[str, Any]) -> Hardware:
    """The hardware section of a run with the changes of the study; raises `UsageError`."""
    if "device" in changes:
        raise UsageError("hardware.device: the device sets of a study are listed under devices")
    try:
        return Hardware.model_validate(hardware.model_dump(mode="json") | changes)
    except ValidationError as error:
        raise UsageError(explain(error.errors()[0], Hardware)) from None


def fingerprints(materials: Materials) -> dict[str, str]:
    """SHA-256 of everything that the numbers of a study depend on beside its configuration."""
    found = {}
    for name, subject in materials.subjects.items():
        parts = [f"{subject.dataset.source} {subject.hardware!r}".encode()]
        for key, tensor in sorted(subject.network.state_dict().items()):
            parts += [key.encode(), tensor.numpy().tobytes()]
        found[f"networks.{name}"] = _sha256(*parts)
    for name, devices in materials.devices.items():
        found[f"devices.{name}"] = _sha256(TypeAdapter(ParameterSet).dump_json(devices))
    for name, ambient in materials.ambients.items():
        found[f"temperatures.{name}"] = _sha256(repr(ambient).encode())
    return found


def _sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


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


def _check_trainable(given: tuple[Config, Dataset | None]) -> None:
    """Refuse a configuration that training would refuse."""
    config, dataset = given
    check_sizes(config)
    check_learning(config)
    if dataset is not None:
        check_found(config, dataset)


def _trained(name: str, out: Path, found: Surveyed, on_training: OnTraining | None) -> Path:
    """Folder of the run, in that of the study; one that stopped goes on."""
    run, config = out / NETWORKS / name, found.configs[name]

    def on_epoch(epoch: EpochReport) -> None:
        if on_training is not None:
            on_training(name, epoch.epoch, config.training.epochs)

    begun = (run / folder.ENVIRONMENT).exists()
    path = found.data_path if config.data.name in IN_FILES else None
    train(config, run, path, begun, on_epoch)
    return run


def _subject(run: Path, config: Config, hardware: Hardware, dataset: Dataset) -> Subject:
    network = load_network(run)
    if network.spec != config.network:
        raise DataError(f"network.yaml and config.yaml in {run} differ; restore both from one copy")
    folder.check_same_data(run, dataset.source)
    return Subject(network, dataset, hardware)


def _load(config: Config, data_path: Path | None) -> Dataset:
    """Data set of a network; the path is for those that read files."""
    return load(config.data, config.seed, data_path if config.data.name in IN_FILES else None)


def _too_few_sequences(study: Study, data: dict[str, Dataset]) -> list[str]:
    wanted = study.calibration.sequences
    return [
        f"calibration.sequences = {wanted}: the training split of {name} has {len(dataset.train)}"
        for name, dataset in data.items()
        if wanted > len(dataset.train)
    ]
