import numpy as np
import pytest
import torch
from torch import nn

from pcmsim.config import Hardware
from pcmsim.errors import UsageError
from pcmsim.loop import (
    HardwareLinear,
    MockCrossbar,
    SimulatedArrays,
    WeightArray,
    measured_product,
    one_thread,
)

ROWS, COLUMNS = 6, 5


@pytest.fixture(autouse=True)
def _quiet():
    with one_thread():
        yield


def tensors(*shapes, seed=1, dtype=torch.float32):
    chance = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=chance, dtype=dtype) for shape in shapes]


def hardware_layer(pairs=1, dtype=torch.float32, bias=True):
    (weight,) = tensors((ROWS, COLUMNS), dtype=dtype)
    return HardwareLinear.onto(MockCrossbar((2, pairs, ROWS, COLUMNS)), weight, 25.0, bias)


def as_software(layer):
    """The same layer with its product taken in software."""

    def forward(x):
        y = (x @ layer.weight) * layer.gain
        return y if layer.bias is None else y + layer.bias

    return forward


def gradients(forward, layer, x):
    """Output and the gradients of a loss in which every output has a weight of its own."""
    layer.zero_grad()
    x = x.clone().requires_grad_()
    y = forward(x)
    (y * torch.linspace(-1.0, 2.0, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    found = {"y": y.detach(), "x": x.grad}
    return found | {name: p.grad.clone() for name, p in layer.named_parameters()}


@pytest.mark.parametrize("share", [1.0, 0.05], ids=["dense", "sparse"])
@pytest.mark.parametrize("pairs", [1, 3])
@pytest.mark.parametrize("shape", [(7, ROWS), (4, 3, ROWS), (ROWS,)])
def test_on_perfect_devices_outputs_and_gradients_are_those_of_software(shape, pairs, share):
    layer = hardware_layer(pairs)
    with torch.no_grad():
        layer.gain.copy_(torch.linspace(0.5, 2.0, COLUMNS))
        layer.bias.copy_(torch.linspace(-1.0, 1.0, COLUMNS))
    (x,) = tensors(shape, seed=2)
    x = x * (torch.rand(shape, generator=torch.Generator().manual_seed(3)) <= share)
    x.view(-1)[0] = 0.7
    found, wanted = gradients(layer, layer, x), gradients(as_software(layer), layer, x)
    assert set(found) == {"y", "x", "weight", "gain", "bias"}
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-5)


def test_the_gradient_ignores_what_the_chip_does_wrong():
    layer, (x,) = hardware_layer(), tensors((7, ROWS), seed=2)
    right = gradients(layer, layer, x)
    layer.array.crossbar.g = 20.0 * np.random.default_rng(1).random(layer.array.crossbar.shape)
    wrong = gradients(layer, layer, x)
    assert not torch.allclose(wrong["y"], right["y"], atol=0.5)
    for name in ("x", "weight", "bias"):
        torch.testing.assert_close(wrong[name], right[name], rtol=0.0, atol=0.0)


def test_the_gradient_of_the_gain_is_that_of_the_measured_output():
    layer, (x,) = hardware_layer(bias=False), tensors((7, ROWS), seed=2)
    layer.array.crossbar.g = 20.0 * np.random.default_rng(1).random(layer.array.crossbar.shape)
    found = gradients(layer, layer, x)
    dy = torch.linspace(-1.0, 2.0, 7 * COLUMNS).view(7, COLUMNS)
    torch.testing.assert_close(found["gain"], (dy * found["y"]).sum(0))


def test_what_is_frozen_gets_no_gradient_and_the_rest_does():
    layer, (x,) = hardware_layer(), tensors((7, ROWS), seed=2)
    wanted = gradients(as_software(layer), layer, x)
    layer.weight.requires_grad_(False)
    layer.zero_grad()
    y = layer(x)
    (y * torch.linspace(-1.0, 2.0, y.numel()).view_as(y)).sum().backward()
    assert layer.weight.grad is None
    assert x.grad is None
    torch.testing.assert_close(layer.gain.grad, wanted["gain"], rtol=1e-5, atol=1e-5)


def test_without_gradients_there_is_an_output_and_no_graph():
    layer, (x,) = hardware_layer(), tensors((7, ROWS), seed=2)
    with torch.no_grad():
        y = layer(x)
    assert not y.requires_grad
    torch.testing.assert_close(y, as_software(layer)(x).detach(), rtol=1e-5, atol=1e-5)


def test_a_layer_works_inside_other_modules():
    first, second = hardware_layer(), hardware_layer()
    (weight,) = tensors((COLUMNS, ROWS), seed=4)
    second = HardwareLinear.onto(MockCrossbar((2, 1, COLUMNS, ROWS)), weight, 25.0)
    hard = nn.Sequential(first, nn.Tanh(), second)
    soft = nn.Sequential(nn.Linear(ROWS, COLUMNS), nn.Tanh(), nn.Linear(COLUMNS, ROWS))
    with torch.no_grad():
        for mine, other in ((first, soft[0]), (second, soft[2])):
            other.weight.copy_(mine.weight.T)
            other.bias.copy_(mine.bias)
    (x,) = tensors((8, ROWS), seed=5)
    for model in (hard, soft):
        model(x).square().sum().backward()
    for mine, other in ((first, soft[0]), (second, soft[2])):
        torch.testing.assert_close(mine.weight.grad, other.weight.grad.T, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(mine.bias.grad, other.bias.grad, rtol=1e-4, atol=1e-5)
    assert sum(p.numel() for p in hard.parameters()) == 2 * ROWS * COLUMNS + 2 * (ROWS + COLUMNS)


def test_double_precision_is_kept_where_everything_has_it():
    layer, (x,) = (
        hardware_layer(dtype=torch.float64),
        tensors((7, ROWS), seed=2, dtype=torch.float64),
    )
    found, wanted = gradients(layer, layer, x), gradients(as_software(layer), layer, x)
    for name, value in wanted.items():
        assert found[name].dtype == torch.float64
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64])
def test_inputs_of_another_precision_are_refused_in_one_line(dtype):
    layer = hardware_layer()
    with pytest.raises(UsageError, match=r"must all be float32.*convert with") as error:
        layer(torch.ones(2, ROWS).to(dtype))
    assert "\n" not in str(error.value)
    assert layer.array.crossbar.calls == ["program"]


@pytest.mark.parametrize("shape", [(2, ROWS + 1), (ROWS, 2), (2 * ROWS,), (4, 2, ROWS // 2), ()])
def test_inputs_of_another_shape_are_refused_before_the_array_is_asked(shape):
    layer = hardware_layer()
    with pytest.raises(UsageError, match=r"inputs must have shape \(\.\.\., 6\)"):
        layer(torch.ones(shape))
    assert layer.array.crossbar.calls == ["program"]


def test_a_gain_of_another_shape_is_refused():
    layer = hardware_layer()
    with pytest.raises(UsageError, match=r"the gain \(5,\)"):
        measured_product(torch.ones(2, ROWS), layer.weight, torch.ones(1), layer.array)


def test_a_product_of_another_shape_is_refused():
    class Transposed:
        def multiply(self, x):
            return np.zeros((COLUMNS, len(x)))

    with pytest.raises(UsageError, match=r"the product has shape \(5, 2\); \(2, 5\) is needed"):
        measured_product(
            torch.ones(2, ROWS), torch.ones(ROWS, COLUMNS), torch.ones(COLUMNS), Transposed()
        )


def test_a_product_in_memory_that_is_not_ours_is_copied():
    class Borrowed:
        def multiply(self, x):
            y = np.full((len(x), COLUMNS), 3.0, dtype=np.float32)
            y.flags.writeable = False
            return y[:, ::-1]

    y = measured_product(
        torch.ones(2, ROWS), torch.ones(ROWS, COLUMNS), torch.ones(COLUMNS), Borrowed()
    )
    assert y.tolist() == [[3.0] * COLUMNS] * 2


def test_an_empty_batch_gives_an_empty_output_and_no_gradient():
    layer = hardware_layer()
    y = layer(torch.ones(0, ROWS))
    y.sum().backward()
    assert y.shape == (0, COLUMNS)
    assert not layer.weight.grad.any()


def test_the_weight_is_written_at_once_and_what_it_does_not_fit_is_refused():
    layer = hardware_layer()
    np.testing.assert_allclose(layer.array.read(), layer.weight.detach(), atol=1e-6)
    with pytest.raises(UsageError, match=r"\(6, 5\) rows and columns; the weight has shape"):
        HardwareLinear(layer.array, torch.ones(COLUMNS, ROWS))
    for value in (torch.nan, torch.inf):
        weight = torch.ones(ROWS, COLUMNS)
        weight[2, 3] = value
        crossbar = MockCrossbar((2, 1, ROWS, COLUMNS))
        with pytest.raises(UsageError, match=r"weight\[2, 3\] = "):
            HardwareLinear.onto(crossbar, weight, 25.0)
        with pytest.raises(UsageError, match=r"weight\[2, 3\] = "):
            HardwareLinear(WeightArray(crossbar, 25.0, np.ones(COLUMNS)), weight)
        assert crossbar.calls == []


def test_a_layer_of_zeros_is_a_layer():
    layer = HardwareLinear.onto(MockCrossbar((2, 1, 3, 2)), torch.zeros(3, 2), 25.0)
    assert layer(torch.ones(1, 3)).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("g_max", "scale"),
    [
        (25.0, np.ones(ROWS)),
        (25.0, np.array([1.0, 1.0, 0.0, 1.0, 1.0])),
        (25.0, np.array([1.0, np.nan, 1.0, 1.0, 1.0])),
        (0.0, np.ones(COLUMNS)),
    ],
)
def test_scales_that_are_none_are_refused(g_max, scale):
    with pytest.raises(UsageError, match="5 scales above zero"):
        WeightArray(MockCrossbar((2, 1, ROWS, COLUMNS)), g_max, scale)


@pytest.mark.parametrize("pairs", [1, 2])
def test_weights_come_back_as_they_were_written_and_beyond_the_range_clipped(pairs):
    crossbar = MockCrossbar((2, pairs, ROWS, COLUMNS))
    scale = np.linspace(0.01, 0.05, COLUMNS)
    array = WeightArray(crossbar, 25.0, scale)
    weight = np.linspace(-1.5, 1.5, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    array.write(weight)
    wanted = np.clip(weight, -25.0 * scale, 25.0 * scale)
    assert (wanted != weight).any()
    np.testing.assert_allclose(array.read(), wanted, atol=1e-12)
    x = np.linspace(-1.0, 1.0, 3 * ROWS).reshape(3, ROWS)
    np.testing.assert_allclose(array.multiply(x), x @ wanted, atol=1e-12)
    change = np.linspace(-0.3, 0.2, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    np.testing.assert_allclose(array.change_g(change) * scale, change, atol=1e-12)


def test_weights_are_fitted_to_the_array_as_a_chip_would():
    weight = np.linspace(-1.5, 1.5, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    for scale in ("matrix", "column"):
        hardware = Hardware(device="ideal", scale=scale)
        arrays = SimulatedArrays({"w": (ROWS, COLUMNS)}, hardware, 1)
        array = WeightArray.fitted(arrays["w"], weight, arrays.chip.values, hardware)
        array.write(weight)
        np.testing.assert_allclose(array.read(), weight, atol=1e-6)
        assert arrays["w"].read().max() == pytest.approx(25.0)
