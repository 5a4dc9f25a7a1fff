r"""A few time steps through one layer, with the derivatives that its gradient needs.

With :math:`u_t = W x_t + H y_{t-1} + l s_{t-1} (1 - y_{t-1})` and :math:`s_t = g(u_t)`, a small
change of :math:`s_{t-1}` reaches unit j of :math:`s_t` through

.. math:: J_t = \mathrm{diag}(g'_t) \, [ H \, \mathrm{diag}(h'_{t-1})
          + l \, \mathrm{diag}(1 - y_{t-1} - s_{t-1} h'_{t-1}) ]

(Bohnstingl et al., arXiv:2007.12723, equation 24). Row t of every tensor here is step t.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcmsim.loop.online.memory import LayerMemory
from pcmsim.loop.online.method import Method
from pcmsim.networks import Multiply
from pcmsim.networks.layers import SpikingLayer
from pcmsim.networks.unit import State, Unit, surrogate_derivative


@dataclass(frozen=True)
class Passage:
    """T steps of a layer; all of shape (T, batch, units) unless said otherwise.

    `sources` (T, batch, inputs or inputs + units) are inputs and, of a recurrent layer, the
    outputs one step before. `gain` is g', `kept` l (1 - y_{t-1}) g' and `own` the diagonal of the
    Jacobian without its recurrent part; `slope_before` and `slope` are dy/dz at t - 1 and t.
    `recurrent` (units, units) is the recurrent part, None where it is left out.
    """

    sources: Tensor
    gain: Tensor
    kept: Tensor
    own: Tensor
    slope_before: Tensor
    slope: Tensor
    recurrent: Tensor | None
    outputs: Tensor
    state: State


def passage(
    layer: SpikingLayer,
    memory: LayerMemory,
    x: Tensor,
    method: Method,
    multiply: Multiply | None = None,
) -> Passage:
    """Let inputs `x` (T, batch, inputs) pass `layer`, which stands where `memory` says."""
    states = [memory.state]
    for row in x.unbind(0):
        states.append(layer.step(states[-1], row, multiply))
    potentials = torch.stack([state.potential for state in states])
    outputs = torch.stack([state.output for state in states])
    s, y = potentials[:-1], outputs[:-1]
    slope = slopes(potentials[1:], outputs[1:], layer.threshold, layer.unit)
    before = torch.cat([memory.slope[None], slope[:-1]])
    gain = torch.where(potentials[1:] > 0.0, x.new_ones(()), x.new_tensor(layer.unit.slope))
    kept = layer.unit.decay * gain * (1.0 - y)
    own = kept - layer.unit.decay * gain * s * before if method.reset else kept
    sources = x if layer.recurrent is None else torch.cat([x, y], dim=2)
    recurrent = layer.recurrent if method.recurrence else None
    return Passage(sources, gain, kept, own, before, slope, recurrent, outputs[1:], states[-1])


def slopes(potential: Tensor, output: Tensor, threshold: Tensor, unit: Unit) -> Tensor:
    """Derivative dy/dz: that of the logistic function, or what stands in for that of the step."""
    if unit.soft:
        return output * (1.0 - output)
    return surrogate_derivative(potential - threshold)
