import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from pcmsim.devices.laws import Law

G = np.array([0.0, 0.004, 0.1, 0.3, 0.9, 1.0])


def law(**values):
    return TypeAdapter(Law).validate_python(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"constant": 0.3}, np.full(6, 0.3)),
        ({"polynomial": [1.0, 2.0, -3.0]}, 1 + 2 * G - 3 * G**2),
        ({"coefficient": 2.0, "exponent": -0.5, "high": 7.0}, [7.0, 7.0, *2.0 / np.sqrt(G[2:])]),
        ({"a": 4.0, "b": 10.0}, 1 / (4 + 10 * G)),
        ({"x": [0.1, 0.3], "y": [5.0, 9.0]}, [5.0, 5.0, 5.0, 9.0, 9.0, 9.0]),
        (
            {"slope": -1.0, "intercept": 0.5, "low": 0.7, "high": 4.0},
            [4.0, 4.0, 0.5 - np.log(0.1), 0.5 - np.log(0.3), 0.7, 0.7],
        ),
        (
            {"threshold": 0.3, "below": {"constant": 1.0}, "above": {"polynomial": [0.0, 2.0]}},
            [1.0, 1.0, 1.0, 0.6, 1.8, 2.0],
        ),
    ],
)
def test_a_law_is_its_formula(values, expected):
    np.testing.assert_allclose(law(**values)(G), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "values",
    [
        {"constant": float("nan")},
        {"slope": 1.0},
        {"polynomial": [1.0], "more": 2.0},
        {"x": [0.2, 0.1], "y": [1.0, 2.0]},
        {"x": [0.1, 0.2], "y": [1.0]},
    ],
)
def test_a_law_with_a_fault_is_refused(values):
    with pytest.raises(ValidationError):
        law(**values)


def test_single_precision_stays_single():
    for values in (
        {"polynomial": [0.1, 0.2]},
        {"x": [0.1, 0.2], "y": [1.0, 2.0]},
        {"constant": 1.0},
    ):
        assert law(**values)(G.astype(np.float32)).dtype == np.float32
