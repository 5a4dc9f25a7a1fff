"""What is known of a data set before it is loaded: widths of inputs and outputs, and its metric."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pcmsim.config import Data
from pcmsim.datasets.batch import Kind
from pcmsim.datasets.dataset import METRICS, Dataset, Metric
from pcmsim.datasets.regression import Regression
from pcmsim.datasets.tokens import Tokens


@dataclass(frozen=True)
class Facts:
    """Inputs and outputs that a network needs, and what it is asked for.

    `varies` names those that another file than the published one may have otherwise.
    """

    inputs: int
    outputs: int
    kind: Kind
    varies: tuple[str, ...] = ()

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
    "shd": Facts(700, 20, "sequence_class"),
    "jena": Facts(14, 1, "values", varies=("inputs",)),
    "ptb": Facts(10_000, 10_000, "words", varies=("inputs", "outputs")),
}


def facts_of(data: Data) -> Facts:
    """What is known of the data set with these settings.

    >>> facts_of(Data(name="shd", channels=140)).inputs
    140
    """
    facts = FACTS[data.name]
    return replace(facts, inputs=data.channels) if data.name == "shd" else facts


def widths(dataset: Dataset) -> Mapping[str, int]:
    """Inputs and outputs, by these names, where files may have them otherwise; else nothing."""
    train = dataset.train
    if isinstance(train, Tokens):
        return dict.fromkeys(("inputs", "outputs"), len(train.vocabulary))
    if isinstance(train, Regression):
        return {"inputs": train.inputs[0].shape[1], "outputs": train.targets[0].shape[1]}
    return {}
