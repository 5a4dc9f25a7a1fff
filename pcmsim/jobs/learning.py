"""Which sections of a configuration go with which learning rule."""

from pcmsim.config import Bptt, Config, Eprop, Network, Ostl, TruncatedBptt
from pcmsim.datasets import FACTS
from pcmsim.errors import UsageError

# Those whose equations the eligibilities know.
UNITS = ("snu", "ssnu")
STEPWISE = ("notes", "step_class", "words", "values")
# What a section can say instead of a rule that does not go with the network or the data.
WAYS_OUT = {
    "learning": "learning.rule: bptt (or truncated_bptt, where every step has a target)",
    "live.learning": "live.frozen: true, for a chip that answers and never learns",
}


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
    told, way_out = f"{name}.rule {rule.rule}", WAYS_OUT[name]
    if FACTS[config.data.name].kind not in STEPWISE:
        raise UsageError(
            f"data.name = {config.data.name}: {told} needs a target at every step; write {way_out}"
        )
    if isinstance(rule, TruncatedBptt):
        return
    reason = _reason(config.network, told)
    if reason is not None:
        raise UsageError(f"{reason}; write {way_out}")
    if rule.update == "deferred" and rule.update_steps != 1:
        raise UsageError(
            f"{name}.update_steps = {rule.update_steps} is for {name}.update: step; deferred "
            f"updates come at the end of the sequence"
        )


def _reason(network: Network, told: str) -> str | None:
    """Why the eligibilities of the rule that is `told` are not those of `network`."""
    if network.convolutions:
        return f"network.convolutions: {told} knows no layers that share weights between pixels"
    if network.embedding is not None:
        return (
            f"network.embedding = {network.embedding}: {told} has no eligibilities for the table "
            f"of words"
        )
    if network.readout.name != "dense" or network.trained_decay:
        return f"{told} is for network.readout: dense and decays that are not trained"
    if network.unit not in UNITS:
        return f"network.unit = {network.unit}: {told} is for {' and '.join(UNITS)}"
    return None
