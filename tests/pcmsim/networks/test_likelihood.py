import math

import numpy as np
import pytest
import torch

from pcmsim.errors import UsageError
from pcmsim.networks import nll


def test_likelihood_of_a_small_example_worked_out_by_hand():
    # Logit log 3 is p = 3/4, logit -log 4 is p = 1/5, logit 0 is p = 1/2.
    a, b = math.log(3.0), -math.log(4.0)
    logits = torch.tensor([[[a, b], [0.0, a]], [[b, a], [9.0, 9.0]]], dtype=torch.float64)
    targets = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]]).double()
    mask = torch.tensor([[True, True], [True, False]])
    first = -math.log(3 / 4 * 4 / 5 * 1 / 5 * 3 / 4)  # = 2.4079456086518722
    second = -math.log(1 / 2 * 1 / 4)
    assert first == pytest.approx(2.4079456086518722)
    assert nll(logits, targets, mask).tolist() == pytest.approx([first, second], rel=1e-14)


def test_likelihood_is_the_explicit_sum_over_steps_and_notes():
    generator = np.random.Generator(np.random.SFC64(4))
    logits, targets = generator.normal(0, 3, (6, 3, 5)), generator.integers(0, 2, (6, 3, 5))
    mask = np.arange(6)[:, None] < np.array([6, 2, 4])
    p = 1.0 / (1.0 + np.exp(-logits))
    total = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum(-1)
    found = nll(torch.tensor(logits), torch.tensor(targets).double(), torch.tensor(mask))
    np.testing.assert_allclose(found.numpy(), (total * mask).sum(0), rtol=1e-12)


def test_padded_steps_count_for_nothing_whatever_they_hold():
    logits = torch.tensor([0.3, float("inf"), float("nan")]).reshape(3, 1, 1).requires_grad_()
    mask = torch.tensor([[True], [False], [False]])
    value = nll(logits, torch.zeros(3, 1, 1), mask)
    assert value.item() == pytest.approx(math.log1p(math.exp(0.3)))


def test_extreme_logits_cost_what_they_should():
    logits = torch.tensor([200.0, -200.0]).reshape(1, 1, 2)
    assert nll(logits, torch.tensor([[[0.0, 0.0]]]), torch.ones(1, 1)).item() == 200.0


@pytest.mark.parametrize(("targets", "mask"), [((4, 2, 3), (4, 2, 1)), ((4, 2, 1), (4, 2))])
def test_shapes_that_do_not_belong_together_are_refused(targets, mask):
    with pytest.raises(UsageError, match=r"logits \(4, 2, 3\) and targets"):
        nll(torch.zeros(4, 2, 3), torch.zeros(targets), torch.ones(mask))
