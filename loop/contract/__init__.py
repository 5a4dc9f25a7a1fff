"""The promises of a `Crossbar` as tests that a lab can run on its own driver.

    from pcmsim.loop import contract
    contract.check(crossbar, g_max=25.0, tolerance=6.0, faulty=0.05)

or, one test for each promise, with pytest:

    @pytest.mark.parametrize("promise", contract.PROMISES, ids=str)
    def test_the_driver_keeps(promise, crossbar):
        promise.check(crossbar, contract.Terms(g_max=25.0, tolerance=6.0, faulty=0.05))

Every device is written many times: what the array held is lost. Targets differ in every cell, so
that reversed rows, columns or sides do not go unnoticed. What noise hides from one device, the mean
over all of them shows; for that an array should have a hundred devices or more.
"""

from pcmsim.loop.contract.promises import PROMISES, Promise
from pcmsim.loop.contract.terms import BrokenPromiseError, Terms
from pcmsim.loop.crossbar import Crossbar

__all__ = ["PROMISES", "BrokenPromiseError", "Promise", "Terms", "check"]


def check(
    crossbar: Crossbar,
    g_max: float,
    tolerance: float,
    faulty: float = 0.0,
    x_min: float = -1.0,
    settle_s: float = 0.0,
    seed: int = 0,
) -> None:
    """Hold `crossbar` to all promises, see `Terms`; raises `BrokenPromiseError` at the first.

    >>> from pcmsim.loop import MockCrossbar
    >>> check(MockCrossbar((2, 1, 3, 4)), g_max=25.0, tolerance=1e-3)
    """
    terms = Terms(g_max, tolerance, faulty, x_min, settle_s=settle_s, seed=seed)
    for promise in PROMISES:
        promise.check(crossbar, terms)
