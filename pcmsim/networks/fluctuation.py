r"""Weights that put spiking units into the fluctuation-driven regime before training.

A unit whose potential fluctuates within reach of its threshold spikes now and then, and passes a
gradient on. With :math:`\xi = \theta / \sigma_s` (Rossbroich, Gygax and Zenke, arXiv:2206.10226,
doi:10.1088/2634-4386/ac97bb, with a mean of zero) weights are drawn such that the potential s,
spikes left aside, has the root mean square :math:`\theta / \xi`. Here time is discrete. Without
spikes a unit of decay l holds

.. math:: s_t = g \sum_i w_i z_{i,t}, \qquad z_{i,t} = l z_{i,t-1} + x_{i,t}

where the gain g is 1 (`snu`, `li_snu`, `asnu`, with the activation `identity`) or 1 - l (`lif`,
`alif`). For independent weights of mean zero and variance :math:`\sigma_w^2`

.. math::
    E[s^2] = g^2 \sigma_w^2 M, \quad M = \sum_i E[z_i^2], \qquad
    \sigma_w = \frac{\theta}{\xi g \sqrt{M}}

M is measured on training sequences, over the steps and sequences that count: it holds what there is
of correlations in time, of sequences that have only begun, and of inputs that are no spikes. For
spikes drawn at every step with probability :math:`p_i` it tends to

.. math:: M = \sum_i \left( \frac{p_i (1 - p_i)}{1 - l^2} + \frac{p_i^2}{(1 - l)^2} \right)

The second term is that of the mean drive, which differs from unit to unit as weights do but is
constant for one unit and one sequence; where inputs are dense and decays long most of the spread
is of this kind. What rectifies (`relu`, `leaky_relu`) makes potentials smaller than this says.
"""

import torch
from torch import Tensor

from pcmsim.config import Fluctuation
from pcmsim.errors import UsageError
from pcmsim.networks.layers import SpikingLayer
from pcmsim.networks.network import SpikingNetwork
from pcmsim.networks.scan import layer_scan
from pcmsim.networks.window import real_rows


def mean_square_trace(x: Tensor, mask: Tensor, decay: float) -> float:
    r"""M = :math:`\sum_i E[z_i^2]` of the trace :math:`z_t` = `decay` :math:`z_{t-1} + x_t`.

    `x` has shape (time, batch, inputs); the average is over the steps where `mask` (time, batch)
    is true.

    >>> mean_square_trace(torch.ones(2, 1, 3), torch.ones(2, 1, dtype=torch.bool), 0.5)
    4.875
    """
    trace, total = torch.zeros_like(x[0], dtype=torch.float64), 0.0
    for row, counts in zip(x, mask, strict=True):
        trace = decay * trace + row
        total += float(trace[counts].square().sum())
    return total / int(mask.sum())


def fluctuate(network: SpikingNetwork, x: Tensor, mask: Tensor, initial: Fluctuation) -> None:
    """Scale the weights of all spiking layers of `network` as `initial` says, in place.

    `x` (time, batch, inputs) are inputs to measure with and `mask` (time, batch) the steps that
    count; each layer is measured with what the finished layers before it send, a convolution over
    all of its patches. Weights keep the signs and the proportions that they were drawn with (within
    a column, if decays differ), so the same network becomes the same; those of the paper are
    normal, these stay uniform. A readout of logits stays as it is.

    Raises `UsageError` for a layer that receives nothing.

    >>> from pcmsim.config import Network
    >>> network = SpikingNetwork(Network(unit="snu", inputs=50, hidden=(400,)))
    >>> x = (torch.rand(300, 2, 50, generator=torch.Generator().manual_seed(1)) < 0.05).float()
    >>> fluctuate(network, x, torch.ones(300, 2, dtype=torch.bool), Fluctuation(xi=2.0))
    >>> 0.003 < network.hidden0(x).mean().item() < 0.03
    True
    """
    before = "the input"
    with torch.no_grad():
        x = network.embedded(x)
        for name in [*network.hidden, "readout"]:
            layer = network.get_submodule(name)
            if not isinstance(layer, SpikingLayer):
                return
            rows = network.seen(name, x)
            _fluctuate(layer, rows, real_rows(mask, rows), initial, before)
            x, before = network.sent(name, layer(rows)), name


def _fluctuate(
    layer: SpikingLayer, x: Tensor, mask: Tensor, initial: Fluctuation, before: str
) -> None:
    """Scale one layer; recurrent weights by what its units send without them."""
    wanted = layer.threshold / initial.xi
    layer.weight.mul_(wanted / _reached(layer, layer.weight, x, mask, before))
    if layer.recurrent is not None:
        # Alone, the forward weights bring the whole spread: the units send what they will send.
        sent = layer_scan(x, layer.weight, None, layer.threshold, layer.unit, layer.decays())
        returned = torch.cat([torch.zeros_like(sent[:1]), sent[:-1]])
        reached = _reached(layer, layer.recurrent, returned, mask, layer.name)
        layer.recurrent.mul_(wanted * initial.recurrent_share**0.5 / reached)
        layer.weight.mul_((1.0 - initial.recurrent_share) ** 0.5)


def _reached(layer: SpikingLayer, weight: Tensor, x: Tensor, mask: Tensor, before: str) -> Tensor:
    """Root mean square, for each unit, of the potential that `x` brings through such a `weight`."""
    membrane = layer.decays().membrane_of(layer.unit, layer.threshold)
    decays = membrane.expand_as(layer.threshold).tolist()
    squares = {decay: mean_square_trace(x, mask, decay) for decay in set(decays)}
    if min(squares.values()) == 0.0:
        raise UsageError(
            f"network.initial: {before} sends nothing to {layer.name} in the sequences that are "
            f"measured; lower network.initial.xi, or measure more sequences"
        )
    gains = [1.0 - d if layer.unit.kind in ("lif", "alif") else 1.0 for d in decays]
    roots = [g * squares[d] ** 0.5 for g, d in zip(gains, decays, strict=True)]
    return weight.square().mean().sqrt() * weight.new_tensor(roots)
