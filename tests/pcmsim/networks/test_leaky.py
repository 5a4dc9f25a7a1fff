import pytest
import torch

from pcmsim.networks.leaky import leak, plain_leak


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (17, 5, 3), (4, 0, 3)], ids=str)
def test_compiled_integrator_and_its_gradients_match_the_plain_loop(shape, dtype):
    generator = torch.Generator().manual_seed(4)
    values = torch.randn(shape, generator=generator, dtype=dtype, requires_grad=True)
    decay = torch.tensor([0.1, 0.5, 0.9], dtype=dtype, requires_grad=True)
    weights = torch.randn(shape, generator=generator, dtype=dtype)
    found = []
    for scan in (leak, plain_leak):
        o = scan(values, decay)
        loss = (o * weights).sum() + 0.0 * decay.sum()
        found.append((o.detach(), *torch.autograd.grad(loss, [values, decay])))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, rtol=tolerance, atol=tolerance)


def test_a_constant_is_approached_as_its_decay_says():
    o = leak(torch.full((40, 1, 1), 3.0, dtype=torch.float64), torch.tensor([0.9]).double())
    steps = torch.arange(1, 41, dtype=torch.float64)
    assert torch.allclose(o.flatten(), 3.0 * (1.0 - 0.9**steps))
