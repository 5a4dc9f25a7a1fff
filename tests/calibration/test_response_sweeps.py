"""Programming curves amplitude by amplitude: trend apart from scatter, errors that know both."""

import numpy as np
import pytest

from pcmsim.calibration.records import ProgrammingCurve
from pcmsim.calibration.response_sweeps import tabulate_sweeps
from pcmsim.errors import DataError


def curve(g, devices=1):
    n, k = g.shape
    device, sweep = (
        np.repeat(np.arange(devices), n // devices),
        np.tile(np.arange(n // devices), devices),
    )
    return ProgrammingCurve(device, sweep, np.linspace(1.0, 2.0, k), 1.0, g, "V")


def test_scatter_and_trend_are_told_apart():
    rng = np.random.default_rng(0)
    trend = np.linspace(-0.3, 0.3, 800)[:, None]
    table = tabulate_sweeps(curve(np.exp(2.0 + trend + 0.1 * rng.standard_normal((800, 6)))))
    # The scatter of 800 sweeps is known to 3 %, the trend of 0.6 / sqrt(12) better.
    assert table.log_g.scatter == pytest.approx(np.full(6, 0.1), rel=0.12)
    assert table.log_g.trend == pytest.approx(np.full(6, 0.6 / np.sqrt(12.0)), rel=0.06)
    z = (table.log_g.slope - 0.6 / 7.99) / table.log_g.slope_stderr
    assert np.abs(z).max() < 4.0


def test_errors_allow_for_sweeps_that_resemble_their_neighbours():
    rng = np.random.default_rng(1)
    means, errors = [], []
    for _ in range(200):
        steps = rng.standard_normal((400, 2))
        g = np.empty_like(steps)
        g[0] = steps[0]
        for j in range(1, 400):
            g[j] = 0.6 * g[j - 1] + 0.8 * steps[j]
        table = tabulate_sweeps(curve(20.0 + g))
        means.append(table.g.mean)
        errors.append(table.g.mean_stderr)
    # 400 means: their spread is known to 3.5 %; twice the error of independent sweeps.
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.14)
    assert np.mean(errors) > 1.7 * 1.0 / np.sqrt(400)


def test_missing_reads_and_reads_below_zero_are_counted():
    g = np.random.default_rng(2).normal(5.0, 0.1, (40, 3))
    g[3, 1], g[7, 2] = np.nan, -0.01
    table = tabulate_sweeps(curve(g))
    assert (table.missing, table.not_positive) == (1, 1)
    assert table.n.tolist() == [40, 39, 40]
    assert np.isfinite(table.log_g.mean).all()


def test_errors_rest_on_devices_where_there_are_ten():
    rng = np.random.default_rng(3)
    own = np.repeat(rng.normal(0.0, 1.0, (20, 1)), 10, axis=0)
    table = tabulate_sweeps(curve(10.0 + own + 0.1 * rng.standard_normal((200, 2)), devices=20))
    assert table.blocks == 20
    # One standard deviation of twenty devices, known to 16 %.
    assert table.g.mean_stderr == pytest.approx(np.full(2, 1.0 / np.sqrt(20.0)), rel=0.5)
    assert table.g.scatter == pytest.approx(np.full(2, 0.1), rel=0.2)


def test_a_few_sweeps_are_refused():
    with pytest.raises(DataError, match="curve: 5 sweeps; 20 are needed"):
        tabulate_sweeps(curve(np.ones((5, 3))))
