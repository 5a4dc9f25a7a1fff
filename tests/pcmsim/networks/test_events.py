import pytest
import torch

from pcmsim.networks.dense import dense
from pcmsim.networks.events import SPARSE, add_outer, is_sparse, write_product

X = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [3.0, 0.0, -1.0]])
W = torch.tensor([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]])


@pytest.mark.parametrize("sparse", [True, False])
def test_product_replaces_what_was_there(sparse):
    out = torch.full((3, 2), 7.0)
    write_product(X, W, None, out, sparse)
    assert out.tolist() == [[20.0, 40.0], [0.0, 0.0], [-97.0, -194.0]]


@pytest.mark.parametrize("sparse", [True, False])
def test_bias_is_added_to_every_row(sparse):
    out = torch.full((3, 2), 7.0)
    write_product(X, W, torch.tensor([0.5, 0.25]), out, sparse)
    assert out.tolist() == [[20.5, 40.25], [0.5, 0.25], [-96.5, -193.75]]


@pytest.mark.parametrize("sparse", [True, False])
def test_outer_products_are_added_to_what_is_there(sparse):
    out = torch.ones(3, 2)
    add_outer(X, torch.tensor([[1.0, 2.0], [5.0, 7.0], [10.0, 20.0]]), out, sparse)
    assert out.tolist() == [[31.0, 61.0], [3.0, 5.0], [-9.0, -19.0]]


def test_sparse_means_at_most_the_stated_share():
    x = torch.zeros(10, 16)
    x.view(-1)[: int(160 * SPARSE)] = -0.5
    assert is_sparse(x)
    x[9, 15] = 1.0
    assert not is_sparse(x)


@pytest.mark.parametrize("share", [0.05, 1.0], ids=["sparse", "dense"])
def test_dense_layer_has_the_gradients_of_its_formula(share):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(5, 4, 30, generator=generator, dtype=torch.float64)
    x = x * (torch.rand(x.shape, generator=generator) < share)
    w = torch.randn(30, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    b = torch.randn(6, generator=generator, dtype=torch.float64, requires_grad=True)
    x.requires_grad_()
    found = torch.autograd.grad(dense(x, w, b).pow(2).sum(), (x, w, b))
    expected = torch.autograd.grad((x @ w + b).pow(2).sum(), (x, w, b))
    for a, e in zip(found, expected, strict=True):
        assert torch.allclose(a, e, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradgradcheck(dense, (x, w, b))
    # Once more by hand: the check above leaves out a gradient that has lost its history.
    second = [second_derivative(f, x, w, b) for f in (dense, lambda x, w, b: x @ w + b)]
    assert torch.allclose(*second, rtol=1e-12, atol=1e-12)


def second_derivative(layer, x, w, b):
    """Gradient by x of the squared gradient by w."""
    (first,) = torch.autograd.grad(layer(x, w, b).pow(2).sum(), w, create_graph=True)
    return torch.autograd.grad(first.pow(2).sum(), x)[0]


def test_rows_in_another_order_of_memory_give_the_same():
    x = torch.zeros(4, 3, 9)
    x[1, 2, 5] = 2.0
    w = torch.arange(27.0).reshape(3, 9).T
    assert is_sparse(x)
    b = torch.tensor([0.5, 0.25, 0.125])
    result = dense(x.transpose(0, 1), w, b)
    assert torch.equal(result, (x @ w + b).transpose(0, 1))
