import math

import pytest
import torch

from pcmsim.config import Boxcar, FastSigmoid, MultiGaussian, Tanh
from pcmsim.networks.surrogate import spike, surrogate_derivative

SURROGATES = [Tanh(), FastSigmoid(scale=3.0), Boxcar(width=0.7), MultiGaussian(height=0.3)]


@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda s: s.name)
def test_gradient_of_the_step_is_the_surrogate_and_its_value_a_spike(surrogate):
    z = torch.linspace(-5.0, 5.0, 1001, dtype=torch.float64, requires_grad=True)
    y = spike(z, surrogate)
    y.sum().backward()
    assert torch.allclose(z.grad, surrogate_derivative(z.detach(), surrogate), atol=1e-14)
    assert set(y.tolist()) == {0.0, 1.0}


def test_surrogates_have_the_values_that_their_formulas_give():
    z = torch.tensor([0.0, 0.5], dtype=torch.float64)
    fast = surrogate_derivative(z, FastSigmoid(scale=10.0))
    assert fast.tolist() == pytest.approx([1.0, 1.0 / 36.0])
    assert surrogate_derivative(z, Boxcar(width=0.25)).tolist() == [2.0, 0.0]
    narrow, wide = 0.5 * math.sqrt(2 * math.pi), 3.0 * math.sqrt(2 * math.pi)
    centre = 0.5 * (1.15 / narrow - 0.3 * math.exp(-1.0 / 72.0) / wide)
    side = 1.15 * math.exp(-0.5) / narrow - 0.15 * (1.0 + math.exp(-1.0 / 18.0)) / wide
    found = surrogate_derivative(z, MultiGaussian())
    assert found.tolist() == pytest.approx([centre, 0.5 * side])


def test_the_area_of_a_box_is_one_whatever_its_width():
    z = torch.linspace(-4.0, 4.0, 80_001, dtype=torch.float64)
    for width in (0.2, 1.0, 3.0):
        area = surrogate_derivative(z, Boxcar(width=width)).sum() * 1e-4
        assert area == pytest.approx(1.0, abs=1e-3)
