"""The gradient of a few steps: backwards within them, and by eligibilities for what came before.

J. Schmidhuber, Neural Computation 4, 243 (1992), doi:10.1162/neco.1992.4.2.243: for blocks of h
steps the full eligibilities of n units cost n^4 / h + n^3 per step, in memory that does not
depend on the length of the sequence. With h = 1 this is OSTL as published.
"""

from dataclasses import replace

import torch
from torch import Tensor

from pcmsim.loop.online.memory import LayerMemory, with_sources
from pcmsim.loop.online.passage import Passage


def gradient(memory: LayerMemory, through: Passage, signal: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient for the weights from all sources (sources, n) and for the thresholds (n,).

    `signal` = dE_t/dy_t (T, batch, n) are the learning signals of the steps; `memory` is the
    layer's before them.
    """
    steps, batch, units = signal.shape
    errors = signal * through.slope
    potential = torch.empty_like(errors)  # dE/ds_t of this and the later steps of the block
    later = torch.zeros_like(errors[0])
    for t in range(steps - 1, -1, -1):
        potential[t] = errors[t] + later
        later = _pull(through, t, potential[t])
    weights = through.sources.flatten(0, 1).T @ (through.gain * potential).flatten(0, 1)
    thresholds = ((through.kept - 1.0) * potential).sum((0, 1))
    if memory.diagonal:
        earlier = (memory.eligibility * later[:, None]).sum(0)
    else:
        rows = memory.eligibility.reshape(batch, -1, units)
        earlier = (rows @ later[:, :, None]).sum(0).view(-1, units)
    weights[memory.sources] += earlier[1:]
    return weights, thresholds + earlier[0]


def carried(memory: LayerMemory, through: Passage) -> LayerMemory:
    """The memory of a layer after the steps of `through`."""
    grown = with_sources(memory, through.sources)
    known = memory.eligibility.shape[1]
    steps, batch, units = through.gain.shape
    # dz_T/ds_t for every step of the block, and for the end of the block before.
    flow = memory.eligibility.new_ones(batch, units)
    if not memory.diagonal:
        flow = torch.diag_embed(flow)
    flows = flow.new_empty(batch, steps, *flow.shape[1:])
    for t in range(steps - 1, -1, -1):
        flows[:, t] = flow
        flow = _push(through, t, flow)
    after = grown.eligibility.clone() if grown is memory else grown.eligibility
    if memory.diagonal:
        after[:, :known] *= flow[:, None]
    else:
        rows = memory.eligibility.reshape(batch, -1, units)
        torch.matmul(rows, flow, out=after[:, :known].view(batch, -1, units))
    _add_sources(after, grown.sources, through, flows)
    slope = through.slope[-1]
    return replace(grown, state=through.state, slope=slope, eligibility=after)


def _add_sources(after: Tensor, sources: Tensor, through: Passage, flows: Tensor) -> None:
    """Add to the eligibilities `after` what the sources of the block have put in."""
    gain, kept = (a.transpose(0, 1) for a in (through.gain, through.kept - 1.0))
    if flows.ndim == 4:
        gain, kept = gain[..., None], kept[..., None]
    batch, steps = flows.shape[:2]
    after[:, 0] += (kept * flows).sum(1)
    rows = through.sources[:, :, sources].permute(1, 2, 0)
    block = (gain * flows).reshape(batch, steps, -1)
    after[:, 1:].flatten(2).baddbmm_(rows, block)


def _pull(through: Passage, t: int, potential: Tensor) -> Tensor:
    """From dE/ds_t to dE/ds_{t-1}, both (batch, n)."""
    before = through.own[t] * potential
    if through.recurrent is not None:
        back = (through.gain[t] * potential) @ through.recurrent.T
        before += through.slope_before[t] * back
    return before


def _push(through: Passage, t: int, flow: Tensor) -> Tensor:
    """From dz_T/ds_t to dz_T/ds_{t-1}: (batch, n), or (batch, n, n) from row to column."""
    if flow.ndim == 2:
        return through.own[t] * flow
    before = through.own[t][:, :, None] * flow
    if through.recurrent is not None:
        on = through.recurrent @ (through.gain[t][:, :, None] * flow)
        before += through.slope_before[t][:, :, None] * on
    return before
