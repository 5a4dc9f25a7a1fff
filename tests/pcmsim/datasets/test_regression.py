import numpy as np
import pytest

from pcmsim.datasets.regression import Regression
from pcmsim.errors import UsageError


def ramp(n):
    x = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    return x, x[:, :1] + 100, np.arange(n) != 1


def test_batches_pad_at_the_end_and_hide_what_has_no_target():
    split = Regression("train", *zip(ramp(3), ramp(5), strict=True))
    batch = split.batch([1, 0])
    assert batch.inputs[:, 1].tolist() == [[0, 1], [2, 3], [4, 5], [0, 0], [0, 0]]
    assert batch.targets[:, 0, 0].tolist() == [100, 102, 104, 106, 108]
    assert batch.mask.T.tolist() == [[True, False, True, True, True],
                                     [True, False, True, False, False]]  # fmt: skip
    assert (batch.kind, split.steps(), len(split.first(1))) == ("values", [3, 5], 1)


def test_first_keeps_the_scale():
    split = Regression("train", *zip(ramp(3), ramp(5), strict=True), scale=8.6, unit="degC")
    assert (split.first(1).scale, split.first(1).unit) == (8.6, "degC")


@pytest.mark.parametrize(
    ("x", "y", "mask", "says"),
    [
        (np.ones((3, 2)), np.ones((2, 1)), np.ones(3, bool), r"targets \(2, 1\)"),
        (np.ones(3), np.ones((3, 1)), np.ones(3, bool), r"inputs \(3,\)"),
        (np.ones((3, 2)), np.ones(3), np.ones(3, bool), r"targets \(3,\)"),
        (np.ones((3, 2)), np.ones((3, 1)), np.ones((3, 1), bool), r"mask \(3, 1\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(x, y, mask, says):
    with pytest.raises(UsageError, match=says):
        Regression("test", (x,), (y,), (mask,))
    with pytest.raises(UsageError, match="2 inputs, 1 targets"):
        Regression("test", (x, x), (y,), (mask,))
