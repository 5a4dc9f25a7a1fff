"""A leaky integrator over time in compiled form, forward and backward; arrays (time, cells)."""

from pcmsim.networks.kernels import Array, compiled


@compiled
def forward(values: Array, decay: Array, outputs: Array) -> None:
    """Write o_t = decay o_{t-1} + (1 - decay) v_t, o before the first step being zero."""
    steps, cells = values.shape
    zero, one = values.dtype.type(0), values.dtype.type(1)
    for t in range(steps):
        for k in range(cells):
            before = outputs[t - 1, k] if t > 0 else zero
            outputs[t, k] = decay[k] * before + (one - decay[k]) * values[t, k]


@compiled
def backward(
    outputs: Array, decay: Array, output_gradients: Array, gradients: Array, total: Array
) -> None:
    """Write dE/dv; `total` becomes (1 - decay) dE/d(decay), found without the values.

    For (1 - decay) (o_{t-1} - v_t) = o_{t-1} - o_t.
    """
    steps, cells = outputs.shape
    zero, one = outputs.dtype.type(0), outputs.dtype.type(1)
    for k in range(cells):
        later = zero
        for t in range(steps - 1, -1, -1):
            later = output_gradients[t, k] + decay[k] * later
            before = outputs[t - 1, k] if t > 0 else zero
            total[k] += later * (before - outputs[t, k])
            gradients[t, k] = (one - decay[k]) * later
