import numpy as np
import pytest

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip
from pcmsim.crossbar.wires import wired

RNG = np.random.default_rng(0)


def test_one_device_and_two_segments_are_ohm_s_law():
    """0.2 V through 10 kΩ and 2 Ω is 19.99600 µA."""
    assert 0.2 * wired(np.array([[100.0]]), 1.0)[0, 0] == pytest.approx(19.99600, abs=5e-6)


def test_two_by_two_is_solved_by_hand():
    """Against a dense nodal analysis of the eight nodes written out segment by segment."""
    g, r = np.array([[50.0, 20.0], [10.0, 80.0]]), 100.0
    nodes = [(k, i, j) for k in "ab" for i in (0, 1) for j in (0, 1)]
    a, wire = np.zeros((8, 8)), 1.0 / r

    def connect(m, n, conductance):
        p, q = nodes.index(m), nodes.index(n)
        a[p, p] += conductance
        a[q, q] += conductance
        a[p, q] -= conductance
        a[q, p] -= conductance

    for i in (0, 1):
        connect(("a", i, 0), ("a", i, 1), wire)
        connect(("b", 0, i), ("b", 1, i), wire)
        a[nodes.index(("a", i, 0)), nodes.index(("a", i, 0))] += wire
        a[nodes.index(("b", 1, i)), nodes.index(("b", 1, i))] += wire
        for j in (0, 1):
            connect(("a", i, j), ("b", i, j), g[i, j] * 1e-6)
    for i in (0, 1):
        drive = np.zeros(8)
        drive[nodes.index(("a", i, 0))] = wire
        v = np.linalg.solve(a, drive)
        out = [v[nodes.index(("b", 1, j))] * wire * 1e6 for j in (0, 1)]
        np.testing.assert_allclose(wired(g, r)[i], out, rtol=1e-9)


@pytest.mark.parametrize(("n", "loss"), [(64, 0.024), (128, 0.088)])
def test_full_arrays_lose_what_was_found_elsewhere(n, loss):
    """All cells at 25 µS, all rows driven, 0.35 Ω a segment: 2.4 % and 8.8 %, as printed."""
    kept = wired(np.full((n, n), 25.0), 0.35).sum() / (n * n * 25.0)
    assert 1.0 - kept == pytest.approx(loss, abs=6e-4)


def test_thin_wires_vanish():
    g = RNG.uniform(0.1, 25.0, (12, 9))
    np.testing.assert_allclose(wired(g, 1e-7), g, rtol=1e-6)
    assert wired(g, 0.0) is g
    assert np.all(wired(g, 1.0) < g)


def test_a_chip_with_wires_loses_what_its_arrays_lose():
    weight = RNG.uniform(-1.0, 1.0, (20, 15))
    plain, thin = (
        Chip(Hardware(device="ideal", wire_ohm=r, tile_rows=10), 1, dtype=np.float64)
        for r in (0.0, 5.0)
    )
    for chip in (plain, thin):
        chip.program("w", weight)
    x = RNG.uniform(0.0, 1.0, (4, 20))
    g = plain.conductances("w")[:, 0]
    expected = 0.0
    for part in (slice(0, 10), slice(10, 20)):
        plus, minus = (wired(side[part], 5.0) for side in g)
        expected = expected + x[:, part] @ (plus - minus)
    scale = plain.matrices["w"].scale
    np.testing.assert_allclose(thin.multiply("w", x), expected * scale, rtol=1e-9)
    np.testing.assert_allclose(plain.multiply("w", x), x @ weight, rtol=1e-9)
