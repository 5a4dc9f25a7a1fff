import pytest

from pcmsim.config import Bptt, Ostl, build
from pcmsim.errors import UsageError


def config(learning=None, **training):
    values = {
        "data": {"name": "synthetic"},
        "network": {"unit": "ssnu"},
        "training": {"epochs": 1, "batch_size": 1, "learning_rate": 1e-3, **training},
    }
    return build(values if learning is None else {**values, "learning": learning})


def test_without_the_section_learning_goes_backwards_through_time():
    assert config().learning == Bptt() == config({"rule": "bptt"}).learning


def test_what_is_not_said_of_ostl_is_complete_exact_and_deferred():
    found = config({"rule": "ostl"}).learning
    assert found == Ostl(rule="ostl", recurrence="complete", feedback="exact", update="deferred")


@pytest.mark.parametrize(
    ("learning", "message"),
    [
        ("ostl", r"learning = 'ostl': write \{rule: ostl\}, or another rule, with its settings"),
        ({"rule": "ostlp"}, r"learning = .*'bptt', 'truncated_bptt', 'ostl', 'eprop'"),
        ({"rule": "truncated_bptt"}, "learning.steps is missing; add it"),
        (
            {"rule": "ostl", "feedbak": "exact"},
            "learning.feedbak is not a known key; did you mean learning.feedback",
        ),
        ({"rule": "eprop", "recurrence": "complete"}, "learning.recurrence is not a known key"),
        ({"rule": "ostl", "block_steps": 0}, "learning.block_steps = 0: "),
        ({"rule": "ostl", "update": "sometimes"}, "learning.update = 'sometimes': "),
    ],
)
def test_a_fault_of_the_section_is_named_by_its_path(learning, message):
    with pytest.raises(UsageError, match=message):
        config(learning)


def test_momentum_is_refused_where_it_would_do_nothing():
    assert config(optimiser="sgd", momentum=0.9).training.momentum == 0.9
    with pytest.raises(UsageError, match=r"training: momentum = 0.9 is for optimiser: sgd; adam"):
        config(optimiser="adam", momentum=0.9)
