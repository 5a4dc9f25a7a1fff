"""What parameters are before training."""

import torch
from torch import Tensor, nn

TimeConstants = tuple[float, float]


def glorot_uniform(
    rows: int, columns: int, generator: torch.Generator, dtype: torch.dtype
) -> nn.Parameter:
    """Weights (rows = inputs, columns = outputs), uniform within sqrt(6 / (rows + columns)).

    Glorot and Bengio, AISTATS 2010 (PMLR 9, 249).
    """
    # Drawn in double precision, so that both precisions start from the same weights.
    values = torch.rand(rows, columns, generator=generator, dtype=torch.float64)
    limit = (6.0 / (rows + columns)) ** 0.5
    return nn.Parameter(((2.0 * values - 1.0) * limit).to(dtype))


def decay_logits(
    units: int,
    decay: float | None,
    time_constants: TimeConstants | None,
    generator: torch.Generator,
    dtype: torch.dtype,
) -> nn.Parameter:
    """Logits of decays, which stay inside (0, 1) whatever training does; shape (units,).

    All `decay`, or exp(-1/τ) with τ [steps] drawn uniformly between the two `time_constants`.

    >>> logits = decay_logits(3, 0.75, None, torch.Generator(), torch.float64)
    >>> torch.sigmoid(logits).tolist()
    [0.75, 0.75, 0.75]
    """
    if time_constants is None:
        decays = torch.full((units,), 0.0 if decay is None else decay, dtype=torch.float64)
    else:
        decays = torch.exp(-1.0 / _uniform(units, time_constants, generator))
    return nn.Parameter(torch.logit(decays).to(dtype))


def _uniform(units: int, ends: TimeConstants, generator: torch.Generator) -> Tensor:
    values = torch.rand(units, generator=generator, dtype=torch.float64)
    return ends[0] + (ends[1] - ends[0]) * values
