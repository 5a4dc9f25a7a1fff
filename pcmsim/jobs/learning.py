"""Which sections of a configuration go with which learning rule."""

from pcmsim.config import Bptt, Config, Eprop, Ostl, TruncatedBptt
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
    trainings = [("training", config.training)]
    if config.aware is not None:
        trainings.append(("aware.training", config.aware.training))
    dropouts = {f"{name}.dropout": training.dropout for name, training in trainings}
    if config.loop is not None:
        dropouts["loop.dropout"] = config.loop.dropout
    for name, training in trainings:
        if training.activity is not None:
            raise UsageError(
                f"{name}.activity: learning.rule {rule.rule} knows no bounds of activity; leave "
                f"the section out or write learning.rule: bptt"
            )
    for name, share in dropouts.items():
        if share:
            raise UsageError(
                f"{name} = {share:g}: learning.rule {rule.rule} knows no "
                f"dropout; write 0 or learning.rule: bptt"
            )
    _check_rule(config, rule, "learning")


def check_live(config: Config) -> None:
    """Refuse what a chip that learns while it answers cannot do. Raises `UsageError`."""
    if config.loop is None or config.live is None:
        raise UsageError(
            "a live run needs the sections live and loop: the chip is programmed as loop says and "
            "learns by the rule of its last phase; see configs/jsb-live.yaml"
        )
    if config.aware is not None:
        raise UsageError("a live run starts from training in software; take out the section aware")
    if config.loop.forward == "readback":
        raise UsageError(
            "loop.forward = readback: a live run measures its products; write multiply"
        )
    if config.loop.dropout:
        raise UsageError(
            f"loop.dropout = {config.loop.dropout:g}: the answers of a live run drop nothing; "
            f"write 0"
        )
    if not config.live.frozen:
        _check_rule(config, config.live.learning, "live.learning")


def _check_rule(config: Config, rule: TruncatedBptt | Ostl | Eprop, name: str) -> None:
    """Refuse data and networks that a rule which goes forward in time is not for."""
    if FACTS[config.data.name].kind not in STEPWISE:
        raise UsageError(
            f"data.name = {config.data.name}: {name}.rule {rule.rule} needs a target at every "
            f"step; {_way_out(name, 'bptt')}"
        )
    if isinstance(rule, TruncatedBptt):
        return
    if config.network.convolutions:
        raise UsageError(
            f"network.convolutions: {name}.rule {rule.rule} knows no layers that share weights "
            f"between pixels; leave them out, or {_way_out(name, 'bptt')}"
        )
    if config.network.embedding is not None:
        raise UsageError(
            f"network.embedding = {config.network.embedding}: {name}.rule {rule.rule} has no "
            f"eligibilities for the table of words; {_way_out(name, 'truncated_bptt')}"
        )
    if config.network.readout.name != "dense" or config.network.trained_decay:
        raise UsageError(
            f"{name}.rule {rule.rule} is for network.readout: dense and decays that are not "
            f"trained; write these or learning.rule: bptt"
        )
    if config.network.unit not in UNITS:
        raise UsageError(
            f"network.unit = {config.network.unit}: {name}.rule {rule.rule} is for "
            f"{' and '.join(UNITS)}; choose one of them or learning.rule: bptt"
        )
    if rule.update == "deferred" and rule.update_steps != 1:
        raise UsageError(
            f"{name}.update_steps = {rule.update_steps} is for {name}.update: step; deferred "
            f"updates come at the end of the sequence"
        )


def _way_out(name: str, rule: str) -> str:
    """What can be written instead; a stream learns online or not at all."""
    return f"write learning.rule: {rule}" if name == "learning" else "write live.frozen: true"
