import pytest

from pcmsim.config import build
from pcmsim.errors import UsageError
from pcmsim.jobs import in_loop, train

ONLINE, EPROP = {"rule": "ostl"}, {"rule": "eprop"}
CUT = {"rule": "truncated_bptt", "steps": 3}


LOOP = {"chips": 1, "times_s": [0.0], "compensation": ["none"]}
LOOP["phases"] = [{"rule": {"name": "accumulate"}, "epochs": 1, "learning_rate": 5e-3}]


def config(learning, unit="ssnu", loop=None, **training):
    settings = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "optimiser": "sgd"}
    return build(
        {
            "data": {"name": "synthetic"},
            "network": {"unit": unit, "hidden": [8], "recurrent": True},
            "training": {**settings, **training},
            "learning": learning,
            "loop": loop,
        }
    )


@pytest.mark.parametrize("rule", [ONLINE, EPROP, CUT])
def test_a_run_without_backpropagation_through_all_time_is_a_run_as_any_other(rule, tmp_path):
    results = train(config(rule), tmp_path / "run")
    assert results["epochs"] == 2
    assert (tmp_path / "run" / "config.yaml").read_text().count(rule["rule"]) == 1


def test_the_section_learning_reaches_training(tmp_path):
    by_rule = {
        name: train(config(rule), tmp_path / name)["valid_metric"]
        for name, rule in {
            "bptt": {"rule": "bptt"},
            "ostl": ONLINE,
            "eprop": {"rule": "eprop"},
        }.items()
    }
    assert by_rule["ostl"] == pytest.approx(by_rule["bptt"], abs=1e-5)
    assert abs(by_rule["eprop"] - by_rule["bptt"]) > 1e-4


@pytest.mark.parametrize(
    ("rule", "changes", "message"),
    [
        (ONLINE, {"dropout": 0.1}, "training.dropout = 0.1: learning.rule ostl knows no dropout"),
        (CUT, {"dropout": 0.1}, "knows no dropout"),
        (CUT, {"activity": {"upper": 0.1}}, "training.activity: learning.rule truncated_bptt"),
        (EPROP, {"loop": {**LOOP, "dropout": 0.1}}, "loop.dropout = 0.1: learning.rule eprop"),
        (
            {**ONLINE, "update_steps": 4},
            {},
            "learning.update_steps = 4 is for learning.update: step",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(rule, changes, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        train(config(rule, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_known_run_that_was_trained_by_another_rule_is_refused(tmp_path):
    train(config(ONLINE), tmp_path / "known")
    with pytest.raises(UsageError, match="trained with another learning"):
        train(config({"rule": "bptt"}), tmp_path / "run", known=tmp_path / "known")


def test_the_section_learning_reaches_the_loop_with_the_feedback_of_software(tmp_path, monkeypatch):
    asked = []

    def noted(learning, network, seed):
        asked.append((learning, seed))
        raise UsageError("far enough")

    monkeypatch.setattr(in_loop, "make_loop_learner", noted)
    wanted = config(EPROP, loop=LOOP)
    with pytest.raises(UsageError, match="far enough"):
        train(wanted, tmp_path / "run")
    assert asked == [(wanted.learning, wanted.seed)]
