"""A data set: three splits, and what a network is measured by on them."""

from dataclasses import dataclass

from pcmsim.datasets.batch import Kind, Sequences


@dataclass(frozen=True)
class Metric:
    """What is printed of a network, per step and per sequence; less is better."""

    name: str
    unit: str


NLL = "negative log-likelihood"
METRICS: dict[Kind, Metric] = {
    "notes": Metric(NLL, "nat/step"),
    "step_class": Metric("error rate", "1"),
    "sequence_class": Metric("error rate", "1"),
    "values": Metric("mean squared error", "1"),
    "words": Metric(NLL, "nat/word"),
}


@dataclass(frozen=True)
class Dataset:
    """Three splits; `source` says in one line where they come from, with a SHA-256."""

    name: str
    train: Sequences
    valid: Sequences
    test: Sequences
    source: str

    @property
    def metric(self) -> Metric:
        """What a network is measured by on this data set."""
        return METRICS[self.train.kind]
