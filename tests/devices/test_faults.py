import numpy as np
import pytest

from pcmsim.devices import load_parameter_set
from pcmsim.devices.faults import draw_faults, stuck_set_conductance
from pcmsim.devices.programming import reset_conductance
from pcmsim.rng import stream

RATES = {"p_stuck_reset": 0.1, "p_stuck_set": 0.2, "p_untunable": 0.3}
VALUES = load_parameter_set("pcm-gst-90nm").with_values(**RATES).values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_faults_worked_out_where_they_are_equal_a_choice_among_all(dtype):
    """To the bit, in the order in which chance was drawn."""
    shape, rng = (2, 3, 50, 40), stream(1, "faults")
    fault, g_fault = draw_faults(VALUES, shape, stream(1, "faults"), dtype)
    u = rng.random(shape)
    stuck_set = stuck_set_conductance(VALUES, rng.standard_normal(shape))
    stuck_reset = reset_conductance(VALUES, rng.standard_normal(shape))
    loose = rng.random(shape) * VALUES.g_max
    expected = np.searchsorted([0.1, 0.3, 0.6], u, side="right")
    kind = np.array([1, 2, 3, 0])[expected]
    np.testing.assert_array_equal(fault, kind)
    levels = (np.zeros(shape), stuck_reset, stuck_set, loose)
    np.testing.assert_array_equal(g_fault, np.choose(kind, levels).astype(dtype))
    assert g_fault.dtype == dtype


def test_every_kind_of_fault_is_as_frequent_as_the_set_says():
    """Of 100,000 devices, within four standard errors."""
    fault, _ = draw_faults(VALUES, (100_000,), stream(2, "faults"))
    for kind, p in enumerate((0.4, 0.1, 0.2, 0.3)):
        assert abs(np.mean(fault == kind) - p) < 4 * np.sqrt(p * (1 - p) / 100_000)
