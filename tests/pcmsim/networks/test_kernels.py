import numpy as np
import torch

from pcmsim.networks.scan import current_scan
from pcmsim.networks.unit import Unit

Z = np.concatenate([np.linspace(-120.0, 120.0, 4001), np.linspace(-1.0, 1.0, 4001)])


def sigmoid_by_kernel(dtype):
    currents = torch.from_numpy(Z).to(dtype).reshape(1, 1, -1)
    zeros = torch.zeros(len(Z), dtype=dtype)
    return current_scan(currents, None, zeros, Unit("ssnu", 0.8)).flatten().numpy()


def exact(z):
    return np.exp(-np.logaddexp(0.0, -z))


def test_sigmoid_in_double_precision_is_exact_to_rounding():
    np.testing.assert_allclose(sigmoid_by_kernel(torch.float64), exact(Z), rtol=1e-14, atol=0.0)


def test_sigmoid_in_single_precision_is_within_two_roundings_of_one():
    z = Z.astype(np.float32).astype(np.float64)
    error = np.abs(sigmoid_by_kernel(torch.float32) - exact(z))
    assert error.max() < 1.2e-7


def test_sigmoid_of_extreme_potentials_stays_between_zero_and_one():
    ends = torch.tensor([-3e38, -1e4, 1e4, 3e38]).reshape(1, 1, 4)
    y = current_scan(ends, None, torch.zeros(4), Unit("ssnu", 0.8)).flatten()
    assert torch.allclose(y, torch.tensor([0.0, 0.0, 1.0, 1.0]), atol=1e-30)


def test_a_potential_that_is_not_a_number_is_not_hidden():
    currents = torch.tensor([float("nan"), 0.0]).reshape(1, 1, 2)
    y = current_scan(currents, None, torch.zeros(2), Unit("ssnu", 0.8)).flatten()
    assert torch.isnan(y).tolist() == [True, False]
