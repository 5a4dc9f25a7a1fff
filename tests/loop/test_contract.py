import numpy as np
import pytest

from pcmsim.config import Hardware
from pcmsim.errors import UsageError
from pcmsim.loop import Guarded, MockCrossbar, SimulatedArrays, contract

SHAPE = (2, 1, 6, 7)
EXACT = contract.Terms(g_max=25.0, tolerance=1e-3)
# Five standard deviations of programming and reading 25 uS, and 1 % of devices that are broken.
NOISY = contract.Terms(g_max=25.0, tolerance=7.0, faulty=0.1)
TILED = {"tile_rows": 3, "tile_columns": 4}
EVERY = {
    "mock": (lambda: MockCrossbar(SHAPE), EXACT),
    "mock of two pairs": (lambda: MockCrossbar((2, 2, 4, 3)), EXACT),
    "ideal": (lambda: simulated(device="ideal"), EXACT),
    "ideal, three pairs": (lambda: simulated(device="ideal", pairs=3), EXACT),
    "ideal, tiled": (lambda: simulated(device="ideal", pairs=2, **TILED), EXACT),
    # Within the tolerance of a melting pulse, and within a SET pulse.
    "ideal, verify": (
        lambda: simulated(device="ideal", programming="verify"),
        contract.Terms(25.0, 0.9),
    ),
    "noisy": (lambda: simulated(), NOISY),
    "noisy, two pairs, tiled": (lambda: simulated(pairs=2, **TILED), NOISY),
    "noisy, verify": (lambda: simulated(programming="verify"), NOISY),
    "noisy, set pulses only": (
        lambda: simulated(
            programming="verify",
            verify={"backend": "set", "g_tolerance": 1.5, "max_iterations": 200},
        ),
        contract.Terms(9.0, 3.0, faulty=0.1),
    ),
    "marginal noise": (lambda: simulated(read_noise="marginal"), NOISY),
    # A set that defines conductances 20 s after the last pulse: before, devices show much more.
    "noisy, settled": (
        lambda: simulated(device="pcm-joshi2020"),
        contract.Terms(25.0, 7.0, faulty=0.1, settle_s=20.0),
    ),
    "guarded": (lambda: Guarded(MockCrossbar(SHAPE), "w"), EXACT),
    "guarded and watched": (lambda: Guarded(simulated(pairs=2), "w", timeout_s=60.0), NOISY),
    "converters": (
        lambda: simulated(device="ideal", input_bits=8, output_bits=10, output_bound=6.0),
        contract.Terms(25.0, 0.8),
    ),
}


def simulated(**hardware):
    spec = Hardware.model_validate(hardware)
    return SimulatedArrays({"other": (3, 2), "w": SHAPE[2:]}, spec, seed=5)["w"]


@pytest.mark.parametrize("promise", contract.PROMISES, ids=str)
@pytest.mark.parametrize("name", EVERY)
def test_every_crossbar_keeps_every_promise(name, promise):
    make, terms = EVERY[name]
    promise.check(make(), terms)


class Broken(MockCrossbar):
    """Devices with as much noise as those of a chip where `std` says so."""

    std = 0.0

    def __init__(self, shape=SHAPE):
        super().__init__(shape)
        self.rng = np.random.default_rng(3)

    def noisy(self, g):
        return np.maximum(g + self.std * self.rng.standard_normal(g.shape), 0.0)

    def program(self, g_target, where=None):
        super().program(g_target, where)
        touched = np.ones(self.shape, bool) if where is None else where
        self.g = np.where(touched, self.noisy(self.g), self.g)

    def read(self, where=None):
        return self.noisy(super().read(where))


class ReversedRows(Broken):
    def read(self, where=None):
        g = self.noisy(self.g)[:, :, ::-1]
        return g if where is None else g[where]


class ReversedColumns(Broken):
    def program(self, g_target, where=None):
        super().program(g_target[..., ::-1], None if where is None else where[..., ::-1])


class SwappedSides(Broken):
    def program(self, g_target, where=None):
        super().program(g_target[::-1], None if where is None else where[::-1])


class NegatedProduct(Broken):
    def multiply(self, x):
        return -super().multiply(x)


class ReversedInputs(Broken):
    def multiply(self, x):
        return super().multiply(x[:, ::-1])


class SumOfPairs(Broken):
    def __init__(self):
        super().__init__((2, 2, 6, 7))

    def multiply(self, x):
        return 2.0 * super().multiply(x)


class Rectified(Broken):
    def multiply(self, x):
        return super().multiply(np.abs(x))


class Saturating(Broken):
    def multiply(self, x):
        return np.clip(super().multiply(x), -8.0, 8.0)


class Offset(Broken):
    def multiply(self, x):
        return super().multiply(x) + 8.0


class IgnoresWhere(Broken):
    def program(self, g_target, where=None):
        super().program(g_target)


class WritesWholeRows(Broken):
    def program(self, g_target, where=None):
        if where is not None and where.shape == self.shape:
            where = np.broadcast_to(where.any(axis=-1, keepdims=True), self.shape)
        super().program(g_target, where)


class EmptyWhereIsAll(Broken):
    def program(self, g_target, where=None):
        super().program(g_target, where if where is None or where.any() else None)


class ReadsChosenBackwards(Broken):
    def read(self, where=None):
        return super().read(where) if where is None else super().read(where)[::-1]


class ReadsAll(Broken):
    def read(self, where=None):
        return super().read()


class OneRow(Broken):
    def multiply(self, x):
        return super().multiply(x)[:1]


class Transposed(Broken):
    def multiply(self, x):
        return super().multiply(x).T


class Whole(Broken):
    def read(self, where=None):
        return super().read(where).round().astype(int)


class OnePulse(Broken):
    def pulse(self, counts):
        super().pulse(np.minimum(counts, 1))


class PulsesAll(Broken):
    def pulse(self, counts):
        super().pulse(np.full_like(counts, counts.max()))


class DisturbsOthers(Broken):
    def pulse(self, counts):
        super().pulse(counts)
        if np.max(counts) > 0:
            self.g = np.where(counts == 0, self.g + 1.5, self.g)


class PulsesNeighbours(Broken):
    def pulse(self, counts):
        super().pulse(np.roll(counts, 1, axis=-1))


class Lowers(Broken):
    def pulse(self, counts):
        super().pulse(counts)
        self.g = np.where(counts > 0, 0.0, self.g)


class WeakReset(Broken):
    def pulse(self, counts):
        before = self.g
        super().pulse(counts)
        self.g = np.where(np.asarray(counts) == -1, 0.6 * before, self.g)


class ResetsAll(Broken):
    def pulse(self, counts):
        super().pulse(counts)
        self.g = self.g * (np.min(counts) >= 0)


class ZeroMoves(Broken):
    def pulse(self, counts):
        super().pulse(counts)
        self.g = np.where(np.asarray(counts) == 0, self.g + 0.4, self.g)


class DisturbedByReads(Broken):
    def read(self, where=None):
        self.g = self.g + 0.4
        return super().read(where)


class DisturbedByProducts(Broken):
    def multiply(self, x):
        y = super().multiply(x)
        self.g = self.g * 0.95
        return y


class ClockBackwards(Broken):
    def read(self, where=None):
        g = super().read(where)
        self.clock.now_s = max(self.clock.now_s - 5.0, 0.0)
        return g


class ClockStands(Broken):
    @property
    def clock(self):
        return self

    @clock.setter
    def clock(self, _):
        self.now_s = 0.0

    def wait(self, _):
        pass


class AcceptsNaN(Broken):
    def program(self, g_target, where=None):
        super().program(np.nan_to_num(g_target, nan=0.0), where)


class Broadcasts(Broken):
    def program(self, g_target, where=None):
        super().program(np.broadcast_to(g_target, self.shape), where)


class Reshapes(Broken):
    def program(self, g_target, where=None):
        fits = np.size(g_target) == np.prod(self.shape)
        super().program(np.reshape(g_target, self.shape) if fits else g_target, where)


class WritesBeforeItLooks(Broken):
    def program(self, g_target, where=None):
        if where is None and np.shape(g_target) == self.shape:
            self.g = np.where(np.isfinite(g_target), np.abs(g_target), self.g)
        super().program(g_target, where)


class PulsesBeforeItLooks(Broken):
    def pulse(self, counts):
        if np.shape(counts) == self.shape:
            self.g = self.g + np.where(np.asarray(counts) > 0, 8.0, 0.0)
        super().pulse(counts)


class TakesFractions(Broken):
    def pulse(self, counts):
        super().pulse(np.nan_to_num(np.asarray(counts)).astype(int))


class TakesOneVector(Broken):
    def multiply(self, x):
        return super().multiply(np.atleast_2d(x))


class IgnoresNaN(Broken):
    def multiply(self, x):
        return super().multiply(np.nan_to_num(x))


class Raises(Broken):
    def read(self, where=None):
        raise OSError("VI_ERROR_TMO\n timeout")


class FlatShape(Broken):
    def __init__(self):
        super().__init__()
        self.shape = (2, 6, 7)


SITS, WHERE = "each device sits where it was written", "where leaves other devices alone"
ORDER = "a read of chosen devices gives them in order"
ONE_HOT, SHOWS = "one hot inputs show the pairs", "a product is x times what a read shows"
LINEAR, ROWS = "a product is linear in its inputs", "a batch of n rows gives n rows"
SET, RESET = "set pulses raise on average", "a reset pulse brings down"
ZERO, STAYS = "counts of zero change nothing", "reads and products change nothing"
CLOCK, REFUSED = "the clock never goes backwards", "what is refused has moved no device"
BROKEN = [
    (ReversedRows, SITS),
    (ReversedColumns, ONE_HOT),
    (SwappedSides, ONE_HOT),
    (NegatedProduct, ONE_HOT),
    (NegatedProduct, SHOWS),
    (ReversedInputs, SHOWS),
    (SumOfPairs, ONE_HOT),
    (SumOfPairs, SHOWS),
    (Rectified, LINEAR),
    (Saturating, LINEAR),
    (Offset, LINEAR),
    (IgnoresWhere, WHERE),
    (WritesWholeRows, WHERE),
    (EmptyWhereIsAll, WHERE),
    (ReadsChosenBackwards, ORDER),
    (ReadsAll, ORDER),
    (OneRow, ROWS),
    (Transposed, ROWS),
    (Whole, SITS),
    (OnePulse, SET),
    (PulsesAll, SET),
    (DisturbsOthers, SET),
    (PulsesNeighbours, SET),
    (Lowers, SET),
    (WeakReset, RESET),
    (ResetsAll, RESET),
    (ZeroMoves, ZERO),
    (DisturbedByReads, STAYS),
    (DisturbedByProducts, STAYS),
    (ClockBackwards, CLOCK),
    (ClockStands, CLOCK),
    (AcceptsNaN, REFUSED),
    (Broadcasts, REFUSED),
    (Reshapes, REFUSED),
    (WritesBeforeItLooks, REFUSED),
    (PulsesBeforeItLooks, REFUSED),
    (TakesFractions, REFUSED),
    (TakesOneVector, REFUSED),
    (IgnoresNaN, REFUSED),
    (Raises, SITS),
    (FlatShape, "the shape is two sides by pairs by rows by columns"),
]


def mirrored(kind):
    """A mistake that is made in reading as in writing shows in products only."""

    class Mirrored(kind):
        def read(self, where=None):
            axis = 0 if kind is SwappedSides else -1
            g = self.noisy(np.flip(self.g, axis))
            return g if where is None else g[where]

    return Mirrored


@pytest.mark.parametrize("std", [0.0, 1.3], ids=["exact", "noisy"])
@pytest.mark.parametrize(("kind", "sentence"), BROKEN)
def test_a_promise_that_is_broken_is_named(kind, sentence, std):
    made = mirrored(kind) if kind in (ReversedColumns, SwappedSides) else kind
    promise = next(p for p in contract.PROMISES if str(p) == sentence)
    crossbar = made()
    crossbar.std = std
    terms = NOISY if std else EXACT
    with pytest.raises(contract.BrokenPromiseError, match=f'promise "{sentence}" is broken') as e:
        promise.check(crossbar, terms)
    assert "\n" not in str(e.value)


def test_devices_with_noise_and_no_other_fault_keep_all_promises():
    crossbar = Broken()
    crossbar.std = 1.3
    contract.check(crossbar, 25.0, 7.0)


def test_a_mistake_of_two_devices_is_found_without_noise():
    class Exchanged(Broken):
        def read(self, where=None):
            g = self.g.copy()
            g[0, 0, 2, 3], g[0, 0, 2, 4] = g[0, 0, 2, 4], g[0, 0, 2, 3]
            return g if where is None else g[where]

    with pytest.raises(contract.BrokenPromiseError, match=SITS):
        contract.check(Exchanged(), 25.0, 1e-3)


def test_too_many_stuck_devices_break_the_promise_and_few_do_not():
    class Stuck(Broken):
        def read(self, where=None):
            g = self.g.copy()
            g[0, 0, :2, 0] = 27.0
            return g if where is None else g[where]

    promise = next(p for p in contract.PROMISES if str(p) == SITS)
    promise.check(Stuck(), contract.Terms(25.0, 1e-3, faulty=2 / 84))
    with pytest.raises(contract.BrokenPromiseError, match="2 of 84 devices miss their target"):
        promise.check(Stuck(), EXACT)


@pytest.mark.parametrize("terms", [{"tolerance": 0.0}, {"tolerance": 9.0}, {"faulty": 0.3}])
def test_terms_that_nothing_could_break_are_refused(terms):
    with pytest.raises(UsageError, match="terms need"):
        contract.Terms(**{"g_max": 25.0, "tolerance": 1.0, **terms})


def test_a_driver_of_one_polarity_is_given_no_negative_inputs():
    class OnePolarity(Broken):
        def multiply(self, x):
            if np.any(x < 0):
                raise ValueError("negative inputs")
            return super().multiply(x)

    contract.check(OnePolarity(), 25.0, 1e-3, x_min=0.0)
    with pytest.raises(contract.BrokenPromiseError, match="it raised ValueError: negative inputs"):
        contract.check(OnePolarity(), 25.0, 1e-3)
