"""Whether a network has the inputs, outputs and parts that its data set asks for, and room."""

from collections.abc import Iterator

from pcmsim.config import Config, Study, TruncatedBptt
from pcmsim.datasets import Dataset, facts_of, widths
from pcmsim.errors import UsageError
from pcmsim.jobs.room import check_values, check_weights
from pcmsim.networks import objective

# Answers to words that exist at once: half a gigabyte in single precision, several times in use.
MOST_ANSWERS = 2**27


def check_sizes(config: Config) -> None:
    """Refuse a network that does not go with the data, or with any memory: `UsageError`.

    Data are not loaded yet.
    """
    facts, name = facts_of(config.data), config.data.name
    for end in ("inputs", "outputs"):
        size, wanted = getattr(config.network, end), getattr(facts, end)
        if size != wanted and end not in facts.varies:
            raise UsageError(
                f"network.{end} = {size}; data.name = {name} has {wanted}: write {end}: {wanted}"
            )
    check_weights(config.network)
    objective(facts.kind, config.network.readout.name == "spiking")
    if facts.kind == "words":
        _check_words(config)
    elif config.network.embedding is not None:
        raise UsageError(
            f"network.embedding = {config.network.embedding} is for words, and data.name = {name} "
            f"has none; leave it out"
        )


def check_found(config: Config, dataset: Dataset) -> None:
    """Refuse a network with other sizes than `dataset` has, or too large for it: `UsageError`."""
    found = widths(dataset)
    for end, wanted in found.items():
        size = getattr(config.network, end)
        if size != wanted:
            way_out = ", ".join(f"{key}: {value}" for key, value in found.items())
            raise UsageError(
                f"network.{end} = {size}; the files of data.name = {config.data.name} have "
                f"{wanted}: write {way_out}"
            )
    check_values(config, dataset.train.steps())


def too_many_answers(study: Study, name: str, config: Config) -> str | None:
    """Why the calibration of a study cannot play the words of a network; None if it can."""
    spec, sequences = config.network, study.calibration.sequences
    answers = sequences * config.data.steps * spec.outputs
    if facts_of(config.data).kind != "words" or answers <= MOST_ANSWERS:
        return None
    return (
        f"calibration.sequences = {sequences}: {name} has {config.data.steps} words in each and "
        f"{spec.outputs} outputs, {answers:,} answers at once; {MOST_ANSWERS:,} are allowed: lower "
        f"it"
    )


def _check_words(config: Config) -> None:
    spec = config.network
    if spec.convolutions:
        raise UsageError(
            f"data.name = {config.data.name} has numbers of words, which are no image; leave "
            f"network.convolutions and network.image out"
        )
    if spec.embedding is None:
        raise UsageError(
            f"data.name = {config.data.name} has numbers of words; write network.embedding: "
            f"{spec.hidden[-1]}, the number of values that stand for each"
        )
    if spec.readout.name != "dense":
        raise UsageError(
            f"network.readout = {spec.readout.name}: words are predicted by a readout without "
            f"state; write readout: dense"
        )
    for key, sequences, steps in _at_once(config):
        answers = sequences * steps * spec.outputs
        if answers > MOST_ANSWERS:
            raise UsageError(
                f"{key} = {sequences}: with {steps} words each and {spec.outputs} outputs, "
                f"{answers:,} answers would exist at once; {MOST_ANSWERS:,} are allowed: lower it "
                f"or data.steps, or write learning.rule: truncated_bptt where training in "
                f"software takes so many"
            )


def _at_once(config: Config) -> Iterator[tuple[str, int, int]]:
    """Sequences by the key that says how many, and their steps, whose answers exist at once."""
    steps, learning = config.data.steps, config.learning
    cut = min(learning.steps, steps) if isinstance(learning, TruncatedBptt) else steps
    yield "training.batch_size", config.training.batch_size, cut
    if config.aware is not None:
        yield "aware.training.batch_size", config.aware.training.batch_size, cut
    if config.loop is not None:
        yield "loop.batch_size", config.loop.batch_size, steps
        if "affine" in config.loop.compensation:
            yield "loop.calibration", config.loop.calibration, steps
