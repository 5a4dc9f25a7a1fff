"""What units of work need beside their plan; sent to every worker once."""

from collections.abc import Mapping
from dataclasses import dataclass

from pcmsim.config import Hardware, Study
from pcmsim.datasets import Dataset
from pcmsim.devices import Ambient, ParameterSet
from pcmsim.networks import SpikingNetwork


@dataclass(frozen=True)
class Subject:
    """A trained network, its data, and how it is mapped onto devices."""

    network: SpikingNetwork
    dataset: Dataset
    hardware: Hardware


@dataclass(frozen=True)
class Materials:
    """Everything by the names that the study gives it."""

    study: Study
    subjects: Mapping[str, Subject]
    devices: Mapping[str, ParameterSet]
    ambients: Mapping[str, Ambient]
