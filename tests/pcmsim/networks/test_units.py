"""Every unit, surrogate and trained decay: the compiled scan against the plain loop."""

import pytest
import torch

from pcmsim.config import Boxcar, FastSigmoid, MultiGaussian, Tanh
from pcmsim.networks import fused, reference
from pcmsim.networks.scan import current_scan, layer_scan
from pcmsim.networks.unit import Decays, Unit

SURROGATES = [Tanh(), FastSigmoid(scale=2.0), Boxcar(width=0.8), MultiGaussian()]
KINDS = ["snu", "ssnu", "li_snu", "asnu", "lif", "alif"]
ADAPTING = ("asnu", "alif")
INPUTS, UNITS = 6, 5


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    """Segments of a few steps, so that the seams between them are crossed."""
    monkeypatch.setattr(fused, "ROWS", 13)


def unit_of(kind, surrogate=SURROGATES[0], **settings):
    adaptation = {"strength": 0.7, "adaptation_decay": 0.6} if kind in ADAPTING else {}
    return Unit(kind, 0.8, surrogate=surrogate, **(adaptation | settings))


def drawn(unit, trained, recurrent, shape=(11, 4), dtype=torch.float64, share=1.0, seed=3):
    """Inputs and parameters of a layer; `share` of the inputs are not zero."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0):
        values = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return (scale * values).to(dtype).requires_grad_()

    def decays():
        values = 0.05 + 0.9 * torch.rand(UNITS, generator=generator, dtype=torch.float64)
        return values.to(dtype).requires_grad_()

    mask = torch.rand(*shape, INPUTS, generator=generator) < share
    x = (draw(*shape, INPUTS).detach() * mask).to(dtype).requires_grad_()
    h = draw(UNITS, UNITS, scale=0.5) if recurrent else None
    # The memory of li_snu needs steps in which no unit of a sample spikes.
    raised = 2.0 if unit.kind == "li_snu" else 0.0
    threshold = (draw(UNITS, scale=0.5).detach() + raised).requires_grad_()
    own = Decays(decays() if trained else None, decays() if trained and unit.adapts else None)
    return x, draw(INPUTS, UNITS, scale=1.5), h, threshold, own


def values_and_gradients(scan, given, unit):
    *inputs, decays = given
    y = scan(*inputs, unit, decays)
    weights = torch.linspace(-1.0, 1.0, y.numel(), dtype=y.dtype).reshape(y.shape)
    leaves = [value for value in (*inputs, *decays) if value is not None]
    return y.detach(), torch.autograd.grad((y * weights).sum(), leaves)


def twin(x, weight, recurrent, threshold, unit, decays):
    feedback = None if recurrent is None else lambda y: y @ recurrent
    return reference.scan(x @ weight, feedback, threshold, unit, decays)


def apart(x, weight, recurrent, threshold, unit, decays):
    feedback = None if recurrent is None else lambda y: y @ recurrent
    return current_scan(x @ weight, feedback, threshold, unit, decays)


def check(given, unit, tolerance, scan=layer_scan):
    fast, gradients = values_and_gradients(scan, given, unit)
    slow, expected = values_and_gradients(twin, given, unit)
    if unit.soft:
        assert torch.allclose(fast, slow, atol=tolerance)
    else:
        assert torch.equal(fast, slow)
    for a, b in zip(gradients, expected, strict=True):
        assert (a - b).abs().max() <= tolerance * b.abs().max().clamp(min=1.0)
    return fast, gradients


@pytest.mark.parametrize("trained", [False, True], ids=["fixed", "trained"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_scan_and_all_its_gradients_match_the_plain_loop(kind, recurrent, trained):
    unit = unit_of(kind)
    fast, gradients = check(drawn(unit, trained, recurrent), unit, 1e-10)
    assert 0.05 < fast.mean() < 0.9
    assert len(gradients) == 3 + recurrent + trained * (1 + unit.adapts)
    assert all(gradient.abs().max() > 0.0 for gradient in gradients)


@pytest.mark.parametrize("surrogate", SURROGATES[1:], ids=lambda s: s.name)
@pytest.mark.parametrize("kind", ["snu", "li_snu", "asnu", "lif", "alif"])
def test_every_surrogate_is_the_same_in_both(kind, surrogate):
    unit = unit_of(kind, surrogate)
    check(drawn(unit, False, False), unit, 1e-10)


@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
@pytest.mark.parametrize("kind", KINDS)
def test_in_single_precision_spikes_are_the_same_and_gradients_close(kind, recurrent):
    unit = unit_of(kind)
    given = drawn(unit, True, recurrent, dtype=torch.float32, share=0.08)
    check(given, unit, 2e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (29, 1), (3, 9)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_steps_and_sequences_will_do(kind, shape):
    unit = unit_of(kind)
    check(drawn(unit, True, True, shape, seed=sum(shape)), unit, 1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_currents_measured_elsewhere_have_the_same_gradients(kind):
    unit = unit_of(kind)
    check(drawn(unit, True, False), unit, 1e-10, scan=apart)


@pytest.mark.parametrize("kind", ["snu", "li_snu", "asnu"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_activations_have_the_same_gradients(kind, activation):
    unit = unit_of(kind, activation=activation)
    check(drawn(unit, True, True), unit, 1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_longer_than_a_block_are_worked_through_whole(kind, monkeypatch):
    unit = unit_of(kind)
    generator = torch.Generator().manual_seed(1)
    # 4000 cells in blocks of 1024, of which li_snu takes 1000: samples of 50 units stay whole.
    currents = 2.0 * torch.randn(5, 80, 50, generator=generator)
    threshold = torch.rand(50, generator=generator)
    y = current_scan(currents, None, threshold, unit)
    slow = reference.scan(currents, None, threshold, unit)
    assert torch.allclose(y, slow, atol=1e-6)
