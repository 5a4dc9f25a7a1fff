"""The compiled scan against its slow twin, and the laws that both obey."""

import itertools

import pytest
import torch

from pcmsim.networks import fused, reference
from pcmsim.networks.scan import current_scan, layer_scan
from pcmsim.networks.unit import Unit

ACTIVATIONS = ("identity", "relu", "leaky_relu")
KINDS = [Unit(k, 0.8, a) for k, a in itertools.product(("snu", "ssnu"), ACTIVATIONS)]
NAMES = [f"{unit.kind}-{unit.activation}" for unit in KINDS]
STEPS, BATCH, INPUTS, UNITS = 8, 16, 6, 5


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    """Segments of three steps and a last one of two, so that every seam is crossed."""
    monkeypatch.setattr(fused, "ROWS", 3 * BATCH + 1)


def layer(recurrent, dtype, batch=BATCH, steps=STEPS, share=1.0):
    """Inputs and parameters of a layer; `share` of the inputs are not zero."""
    generator = torch.Generator().manual_seed(3)

    def draw(*shape, scale=1.0):
        values = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return (scale * values).to(dtype).requires_grad_()

    mask = torch.rand(steps, batch, INPUTS, generator=generator) < share
    x = (draw(steps, batch, INPUTS).detach() * mask).to(dtype).requires_grad_()
    h = draw(UNITS, UNITS, scale=0.4) if recurrent else None
    return x, draw(INPUTS, UNITS, scale=0.7), h, draw(UNITS)


def twin(x, weight, recurrent, threshold, unit):
    feedback = None if recurrent is None else lambda y: y @ recurrent
    return reference.scan(x @ weight, feedback, threshold, unit)


def values_and_gradients(scan, inputs, unit):
    y = scan(*inputs, unit)
    weights = torch.linspace(-1.0, 1.0, y.numel(), dtype=y.dtype).reshape(y.shape)
    given = [value for value in inputs if value is not None]
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), given)]


def relative_difference(a, b):
    return ((a - b).abs().max() / b.abs().max().clamp(min=1.0)).item()


@pytest.mark.parametrize("share", [1.0, 0.08], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
@pytest.mark.parametrize("unit", KINDS, ids=NAMES)
def test_compiled_scan_and_all_its_gradients_match_the_plain_loop(unit, recurrent, dtype, share):
    inputs = layer(recurrent, dtype, share=share)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-10
    fast = values_and_gradients(layer_scan, inputs, unit)
    slow = values_and_gradients(twin, inputs, unit)
    assert len(fast) == 4 + recurrent
    for a, b in zip(fast, slow, strict=True):
        assert b.abs().max() > 0.0
        assert relative_difference(a, b) < tolerance


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize("unit", KINDS[:3], ids=NAMES[:3])
def test_compiled_scan_spikes_exactly_when_the_plain_loop_does(unit, dtype):
    generator = torch.Generator().manual_seed(5)
    # Currents and thresholds are multiples of 0.1, so that many potentials meet the threshold.
    currents = torch.randint(-5, 9, (200, 20, UNITS), generator=generator).to(dtype) / 10.0
    threshold = torch.tensor([0.1, 0.3, 0.5, 0.7, 1.0], dtype=dtype)
    fast = current_scan(currents, None, threshold, unit)
    assert torch.equal(fast, reference.scan(currents, None, threshold, unit))
    assert 0.05 < fast.mean() < 0.9


@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
@pytest.mark.parametrize("unit", KINDS[3:], ids=NAMES[3:])
def test_gradients_of_soft_units_are_those_of_finite_differences(unit, recurrent):
    inputs = [v for v in layer(recurrent, torch.float64, batch=2, steps=4) if v is not None]

    def scan(x, weight, *rest):
        return layer_scan(x, weight, rest[0] if recurrent else None, rest[-1], unit)

    assert torch.autograd.gradcheck(scan, inputs)
    assert torch.autograd.gradgradcheck(scan, inputs)


def test_second_derivative_reaches_inputs_that_are_not_contiguous():
    base = torch.randn(
        2, 4, INPUTS, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    _, weight, _, threshold = layer(False, torch.float64)

    def scan(batch_first):
        return layer_scan(batch_first.transpose(0, 1), weight, None, threshold, KINDS[3])

    assert torch.autograd.gradgradcheck(scan, [base.requires_grad_()])


@pytest.mark.parametrize("unit", [KINDS[0], KINDS[3]], ids=["snu", "ssnu"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
def test_what_comes_later_does_not_change_what_came_before(unit, recurrent):
    x, weight, h, threshold = layer(recurrent, torch.float64)
    longer = torch.cat([x, 7.0 * torch.ones(5, BATCH, INPUTS, dtype=x.dtype)])
    y = layer_scan(longer, weight, h, threshold, unit)[:STEPS]
    assert torch.allclose(y, layer_scan(x, weight, h, threshold, unit), atol=1e-12)


@pytest.mark.parametrize("kind", ["snu", "ssnu"])
def test_raising_current_and_threshold_of_memoryless_units_changes_nothing(kind):
    x, weight, _, threshold = layer(False, torch.float64)
    unit = Unit(kind, decay=0.0)
    low = current_scan(x.detach() @ weight, None, threshold, unit)
    high = current_scan(x.detach() @ weight + 0.5, None, threshold + 0.5, unit)
    assert torch.allclose(low, high, atol=1e-12)


def test_current_scan_leaves_the_currents_as_they_were():
    currents = torch.linspace(-1.0, 1.0, 24).reshape(4, 3, 2)
    before = currents.clone()
    current_scan(currents, lambda y: y, torch.zeros(2), Unit("ssnu", 0.8))
    assert torch.equal(currents, before)


def test_half_precision_takes_the_plain_loop():
    x, weight, h, threshold = (v.detach().to(torch.bfloat16) for v in layer(True, torch.float64))
    y = layer_scan(x, weight, h, threshold, KINDS[3])
    exact = twin(*(v.double() for v in (x, weight, h, threshold)), KINDS[3])
    assert y.dtype == torch.bfloat16
    assert (y.double() - exact).abs().max() < 0.1


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)], ids=["no steps", "no sequences"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
def test_an_empty_batch_gives_empty_outputs_and_zero_gradients(shape, recurrent):
    _, weight, h, threshold = layer(recurrent, torch.float32)
    x = torch.zeros(*shape, INPUTS)
    y = layer_scan(x, weight, h, threshold, KINDS[3])
    y.sum().backward()
    assert y.shape == (*shape, UNITS)
    assert not weight.grad.any()
    assert not threshold.grad.any()


@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
@pytest.mark.parametrize("unit", KINDS, ids=NAMES)
def test_gradients_pass_through_currents_that_were_measured_elsewhere(unit, recurrent):
    """The product by autograd and the scan by itself give what the fused layer gives."""

    def apart(x, weight, h, threshold, unit):
        feedback = None if h is None else lambda y: y @ h
        return current_scan(x @ weight, feedback, threshold, unit)

    inputs = layer(recurrent, torch.float64)
    for a, b in zip(
        values_and_gradients(apart, inputs, unit),
        values_and_gradients(layer_scan, inputs, unit),
        strict=True,
    ):
        assert relative_difference(a, b) < 1e-10
