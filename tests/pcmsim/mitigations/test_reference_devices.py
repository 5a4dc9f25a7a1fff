import numpy as np
import pytest

from pcmsim.mitigations.reference_devices import ReferenceDevices, cell_targets

CELLS = ReferenceDevices()


def test_cells_have_the_quantiles_of_the_matrix_and_its_mean(make_site):
    site = make_site(pairs=2)
    name = site.matrices[0]
    target, larger = cell_targets(site, name), site.targets(name).max(axis=0)[0]
    assert target.shape == (2, 2, site.settings.cells, 1)
    assert not target[1].any()
    assert (np.diff(target[0, 0, :, 0]) > 0).all()
    assert target[0].mean() == pytest.approx(larger.mean(), rel=0.01)


def test_cells_lie_beside_the_network_and_leave_its_devices_as_they_are(make_site, devices_of):
    site, without = make_site(), make_site()
    CELLS.prepare(site)
    assert site.matrices == without.matrices
    assert set(site.chip.matrices) == {*site.matrices, *(n + ".cells" for n in site.matrices)}
    before, after = devices_of(without.chip), devices_of(site.chip, without.matrices)
    for name in site.matrices:
        np.testing.assert_array_equal(before[name], after[name])
        np.testing.assert_array_equal(site.chip.read(name), without.chip.read(name))


def test_a_cell_and_a_read_of_each_cell_are_what_is_paid(make_site):
    site = make_site()
    n, names = site.settings.cells, len(site.matrices)
    CELLS.prepare(site)
    assert (site.cost.programmed, site.cost.products) == (2 * n * names, 0)
    known = CELLS.reference(site)
    CELLS.correct(site, known)
    assert site.cost.products == (site.settings.repeats + 1) * n * names


def test_broken_cells_are_left_out(make_site):
    site = make_site("alike")
    CELLS.prepare(site)
    cells = site.matrices[0] + ".cells"
    stuck, target = np.zeros((2, 1, 8, 1), dtype=bool), site.extras[cells].copy()
    stuck[0, 0, 2] = True
    target[0, 0, 2] += 9.0
    site.write(cells, target, stuck)
    known = CELLS.reference(site)
    assert np.isnan(known[site.matrices[0]]).tolist() == [False, False, True, *[False] * 5]
    site.write(cells, np.zeros_like(target), stuck)
    factor, _ = CELLS.correct(site, known)[site.matrices[0]]
    assert factor[0] == pytest.approx(1.0, abs=1e-5)


def test_where_all_cells_are_broken_nothing_is_corrected(make_site):
    site = make_site("still")
    CELLS.prepare(site)
    for name in site.extras:
        site.write(name, np.clip(site.extras[name] + 12.0, 0.0, 25.0))
        site.extras[name] = np.full_like(site.extras[name], 40.0)
    found = CELLS.correct(site, CELLS.reference(site))
    assert [factor.tolist() for factor, _ in found.values()] == [[1.0]] * len(site.matrices)


def test_cells_are_written_again_with_the_network(make_site):
    site = make_site("alike")
    CELLS.prepare(site)
    known = CELLS.reference(site)
    site.chip.clock.wait(86400.0)
    before = site.cost
    CELLS.prepare(site)
    assert (site.cost - before).programmed == 2 * 8 * len(site.matrices)
    for factor, _ in CELLS.correct(site, known).values():
        assert factor[0] == pytest.approx(1.0, abs=1e-5)
