"""Words as vectors: each number of a word selects its row of a table of trained values.

The table is digital memory. A look-up reads one row and multiplies nothing, so that an array of
devices would save no work there; the product of the readout is what arrays are for, whether its
matrix is a table of its own or the same one (Press and Wolf, arXiv:1608.05859).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from pcmsim.errors import UsageError

# Uniform within this of zero, as in Zaremba, Sutskever and Vinyals, arXiv:1409.2329. The width for
# a matrix of 10,000 words would be four times smaller, and the first layer would hear next to none.
START = 0.1


class Embedding(nn.Module):
    """A table of its own: `weight` has the shape (words, size)."""

    def __init__(
        self, words: int, size: int, generator: torch.Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.weight = table(words, size, generator, dtype)


def table(rows: int, columns: int, generator: torch.Generator, dtype: torch.dtype) -> nn.Parameter:
    """Values (rows, columns) before training, uniform within `START` of zero."""
    values = torch.rand(rows, columns, generator=generator, dtype=torch.float64)
    return nn.Parameter(((2.0 * values - 1.0) * START).to(dtype))


def look_up(words: Tensor, weight: Tensor) -> Tensor:
    """Rows (..., size) of `weight` (words, size) for numbers of `words` (...), differentiable.

    Raises `UsageError` for numbers that are not whole or that no row has.

    >>> look_up(torch.tensor([1, 0, 1]), torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]
    """
    if words.dtype != torch.int64:
        raise UsageError(f"x is {words.dtype}; a network with an embedding takes numbers of words")
    if words.numel() and not 0 <= int(words.min()) <= int(words.max()) < len(weight):
        raise UsageError(
            f"x holds words {int(words.min())} to {int(words.max())}; this network knows 0 to "
            f"{len(weight) - 1}"
        )
    return embedding(words, weight)
