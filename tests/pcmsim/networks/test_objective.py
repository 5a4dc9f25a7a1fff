import math

import pytest
import torch

from pcmsim.errors import UsageError
from pcmsim.networks import objective

SEEN = torch.tensor([[True, True], [True, True], [True, False]])


@pytest.fixture
def outputs():
    return torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_a_class_per_step_is_judged_by_its_probability_on_the_steps_that_count(outputs):
    targets = torch.tensor([[0, 3], [1, 2], [2, 0]])
    by_hand = [0.0, 0.0]
    for t in range(3):
        for b in range(2):
            if SEEN[t, b]:
                p = outputs[t, b].exp() / outputs[t, b].exp().sum()
                by_hand[b] -= math.log(p[targets[t, b]])
    found = objective("step_class")
    torch.testing.assert_close(
        found.loss(outputs, targets, SEEN), torch.tensor(by_hand, dtype=torch.float64)
    )
    assert found.count(SEEN).tolist() == [3, 2]


def test_errors_of_steps_are_counted_where_they_count(outputs):
    right = outputs.argmax(-1)
    wrong = (right + 1) % 4
    judged = objective("step_class")
    assert judged.score(outputs, right, SEEN).tolist() == [0.0, 0.0]
    assert judged.score(outputs, wrong, SEEN).tolist() == [3.0, 2.0]


@pytest.mark.parametrize("rates", [False, True])
def test_padding_does_not_reach_the_class_of_a_sequence(outputs, rates):
    judged, targets = objective("sequence_class", rates), torch.tensor([1, 2])
    spoilt = outputs.clone()
    spoilt[2, 1] = math.inf
    torch.testing.assert_close(
        judged.loss(spoilt, targets, SEEN), judged.loss(outputs, targets, SEEN)
    )
    assert judged.score(spoilt, targets, SEEN).tolist() == (
        judged.score(outputs, targets, SEEN).tolist()
    )
    assert judged.count(SEEN).tolist() == [1, 1]


def test_rates_are_drawn_to_one_for_the_class_and_to_zero_for_the_others():
    rates = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]])  # means 0.5 and 0
    judged, seen = objective("sequence_class", rates=True), torch.ones(2, 1, dtype=torch.bool)
    assert judged.loss(rates, torch.tensor([0]), seen).item() == pytest.approx(0.25)
    assert judged.loss(rates, torch.tensor([1]), seen).item() == pytest.approx(1.25)
    assert judged.score(rates, torch.tensor([1]), seen).item() == 1.0


def test_values_are_judged_by_their_squared_error_averaged_over_outputs(outputs):
    judged = objective("values")
    off = judged.loss(outputs, outputs + 2.0, SEEN)
    torch.testing.assert_close(off, torch.tensor([12.0, 8.0], dtype=torch.float64))


def test_rates_are_refused_where_steps_need_logits():
    with pytest.raises(UsageError, match="write readout: dense"):
        objective("step_class", rates=True)
