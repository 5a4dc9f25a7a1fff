"""Which sections of a configuration go with which learning rule."""

from pcmsim.config import Bptt, Config, TruncatedBptt
from pcmsim.datasets import FACTS
from pcmsim.errors import UsageError

# Those whose equations the eligibilities know.
UNITS = ("snu", "ssnu")
STEPWISE = ("notes", "step_class", "words")


def check_learning(config: Config) -> None:
    """Refuse a learning rule that the rest of the run does not go with. Raises `UsageError`."""
    rule = config.learning
    if isinstance(rule, Bptt):
        return
    dropouts = {"training.dropout": config.training.dropout}
    if config.aware is not None:
        dropouts["aware.training.dropout"] = config.aware.training.dropout
    if config.loop is not None:
        dropouts["loop.dropout"] = config.loop.dropout
    for name, share in dropouts.items():
        if share:
            raise UsageError(
                f"{name} = {share:g}: learning.rule {rule.rule} knows no "
                f"dropout; write 0 or learning.rule: bptt"
            )
    if FACTS[config.data.name].kind not in STEPWISE:
        raise UsageError(
            f"data.name = {config.data.name}: learning.rule {rule.rule} needs a target at every "
            f"step; write learning.rule: bptt"
        )
    if isinstance(rule, TruncatedBptt):
        return
    if config.network.readout.name != "dense" or config.network.trained_decay:
        raise UsageError(
            f"learning.rule {rule.rule} is for network.readout: dense and decays that are not "
            f"trained; write these or learning.rule: bptt"
        )
    if config.network.unit not in UNITS:
        raise UsageError(
            f"network.unit = {config.network.unit}: learning.rule {rule.rule} is for "
            f"{' and '.join(UNITS)}; choose one of them or learning.rule: bptt"
        )
    if rule.update == "deferred" and rule.update_steps != 1:
        raise UsageError(
            f"learning.update_steps = {rule.update_steps} is for learning.update: step; deferred "
            f"updates come at the end of the sequence"
        )
