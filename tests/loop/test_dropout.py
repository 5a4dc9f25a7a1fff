import pytest
import torch

from pcmsim.loop.dropout import dropout


def test_values_are_dropped_with_the_probability_and_the_rest_keeps_the_mean():
    values = torch.full((400, 500), 3.0)
    dropped = dropout(0.2, torch.Generator().manual_seed(1))(values)
    share = (dropped == 0.0).double().mean().item()
    assert abs(share - 0.2) < 5 * (0.2 * 0.8 / values.numel()) ** 0.5  # 5 standard errors
    assert dropped[dropped != 0.0].unique().tolist() == [pytest.approx(3.75)]


def test_no_dropout_is_no_function():
    assert dropout(0.0, torch.Generator()) is None


def test_each_call_draws_anew_and_the_generator_decides():
    def twice(seed):
        drop = dropout(0.5, torch.Generator().manual_seed(seed))
        return drop(torch.ones(64)), drop(torch.ones(64))

    first, second = twice(1)
    again, _ = twice(1)
    other, _ = twice(2)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_gradients_pass_where_values_were_kept():
    values = torch.ones(64, requires_grad=True)
    dropped = dropout(0.5, torch.Generator().manual_seed(1))(values)
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped.detach())
