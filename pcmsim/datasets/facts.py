"""What is known of a data set before it is loaded: widths of inputs and outputs, and its metric."""

from dataclasses import dataclass

from pcmsim.datasets.batch import Kind
from pcmsim.datasets.dataset import METRICS, Metric


@dataclass(frozen=True)
class Facts:
    """Inputs and outputs that a network needs, and what it is asked for."""

    inputs: int
    outputs: int
    kind: Kind

    @property
    def metric(self) -> Metric:
        """What a network is measured by."""
        return METRICS[self.kind]


FACTS = {
    "jsb": Facts(88, 88, "notes"),
    "bach": Facts(88, 88, "notes"),
    "synthetic": Facts(88, 88, "notes"),
    "digits": Facts(64, 10, "sequence_class"),
    "mnist": Facts(784, 10, "sequence_class"),
    "ecg": Facts(4, 6, "step_class"),
}
