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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcmsim.errors import PcmsimError, UsageError
from pcmsim.loop.crossbar import RESET, Crossbar, FloatArray
from pcmsim.rng import stream

_FEWEST = 16
_ROUNDS = 3


class BrokenPromiseError(PcmsimError):
    """A crossbar that does not do what `Crossbar` promises. Exit code 4, as for hardware."""

    exit_code = 4


@dataclass(frozen=True)
class Terms:
    """What the devices of an array are like, so that their noise is not taken for a mistake.

    g_max       largest target [µS]
    tolerance   how far one read of a device may be from its target [µS]: five standard deviations
                of programming error, drift of a second and read noise together
    faulty      share of devices that may miss it, such as stuck ones
    x_min       smallest input that a row takes; 0 for drivers of one polarity
    wait_s      how long the clock is asked to wait [s]
    settle_s    how long devices are left alone after they were written, before they are read [s]:
                a device whose conductance is defined some time after its last pulse shows more
                before
    seed        of the patterns that are written
    """

    g_max: float
    tolerance: float
    faulty: float = 0.0
    x_min: float = -1.0
    wait_s: float = 0.01
    settle_s: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises `UsageError` for terms that no array could break."""
        if not 0.0 < self.tolerance <= self.g_max / 3 or not 0.0 <= self.faulty <= 0.25:
            raise UsageError(
                f"terms need 0 < tolerance <= g_max / 3 and 0 <= faulty <= 0.25, or they show "
                f"nothing; got tolerance = {self.tolerance:g}, g_max = {self.g_max:g} uS, "
                f"faulty = {self.faulty:g}"
            )


Test = Callable[["_Bench"], None]


@dataclass(frozen=True)
class Promise:
    """One promise, called by its sentence."""

    sentence: str
    _test: Test

    def check(self, crossbar: Crossbar, terms: Terms) -> None:
        """Raise `BrokenPromiseError`, which names the promise, unless `crossbar` keeps it."""
        try:
            self._test(_Bench(crossbar, terms, stream(terms.seed, "contract", self.sentence)))
        except Exception as error:
            found = str(error) if isinstance(error, _BrokenError) else _raised(error)
            raise BrokenPromiseError(f'promise "{self.sentence}" is broken: {found}') from error

    def __str__(self) -> str:
        return self.sentence


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


class _BrokenError(Exception):
    """What was found instead of what was promised."""


@dataclass(frozen=True)
class _Bench:
    """A crossbar, what is known of its devices, and chance for the patterns."""

    crossbar: Crossbar
    terms: Terms
    rng: np.random.Generator

    @property
    def shape(self) -> tuple[int, int, int, int]:
        two, pairs, rows, columns = self.crossbar.shape
        return two, pairs, rows, columns

    def pattern(self, low: float = 0.0, high: float = 1.0) -> FloatArray:
        """Targets [µS] between these shares of g_max, another one for every device."""
        n = int(np.prod(self.shape))
        levels = np.linspace(low, high, n) * self.terms.g_max
        return self.rng.permutation(levels).reshape(self.shape).astype(np.float32)

    def half(self) -> NDArray[np.bool_]:
        """Half of all devices, chosen by chance."""
        n = int(np.prod(self.shape))
        return np.asarray(self.rng.permutation(n).reshape(self.shape) < n // 2)

    def inputs(self, n: int) -> FloatArray:
        """Rows of inputs (n, rows)."""
        x = self.rng.uniform(self.terms.x_min, 1.0, (n, self.shape[2]))
        return x.astype(np.float32)

    def program(self, g_target: FloatArray, where: NDArray[np.bool_] | None = None) -> None:
        """Program devices and let them settle."""
        self.crossbar.program(g_target, where)
        self._settle()

    def pulse(self, counts: NDArray[Any]) -> None:
        """Send pulses and let devices settle."""
        self.crossbar.pulse(counts.astype(np.int32))
        self._settle()

    def _settle(self) -> None:
        if self.terms.settle_s > 0.0:
            self.crossbar.clock.wait(self.terms.settle_s)

    def read(self, where: NDArray[np.bool_] | None = None) -> FloatArray:
        """A read, which has to be of finite floats in the right shape."""
        wanted = self.shape if where is None else (int(where.sum()),)
        return _array("read", self.crossbar.read(where), wanted)

    def multiply(self, x: FloatArray) -> FloatArray:
        """A product, which has to be of finite floats in the right shape."""
        return _array("multiply", self.crossbar.multiply(x), (len(x), self.shape[3]))

    def reset(self) -> None:
        """One RESET pulse to every device."""
        self.pulse(np.full(self.shape, RESET))

    def near(self, what: str, g: FloatArray, wanted: FloatArray, times: float = 1.0) -> None:
        """Devices show `wanted` [µS], but for the share that may be faulty."""
        allowed = times * self.terms.tolerance
        off = np.abs(g - wanted)
        missed = int(np.count_nonzero(off > allowed))
        if missed > self.terms.faulty * off.size:
            worst = np.unravel_index(int(np.argmax(off)), off.shape)
            at = ", ".join(str(int(i)) for i in worst)
            raise _BrokenError(
                f"{missed} of {off.size} {what} by more than {allowed:g} uS; the worst, [{at}], "
                f"shows {g[worst]:g} instead of {wanted[worst]:g} uS"
            )


def _array(verb: str, answer: Any, shape: tuple[int, ...]) -> FloatArray:
    if not isinstance(answer, np.ndarray) or answer.dtype.kind != "f" or answer.shape != shape:
        found = getattr(answer, "dtype", type(answer).__name__)
        raise _BrokenError(
            f"{verb} returned {found} of shape {np.shape(answer)}; an array of floats of shape "
            f"{shape} was expected"
        )
    if not np.isfinite(answer).all():
        raise _BrokenError(f"{verb} returned values that are not finite")
    return answer.copy()


def _raised(error: Exception) -> str:
    return " ".join(f"it raised {type(error).__name__}: {error}".split())


_tests: list[Promise] = []


def _promise(test: Test) -> Test:
    """The name of a test is the promise it holds to."""
    _tests.append(Promise(test.__name__.replace("_", " ").strip(), test))
    return test


@_promise
def _the_shape_is_two_sides_by_pairs_by_rows_by_columns(bench: _Bench) -> None:
    shape = tuple(bench.crossbar.shape)
    if len(shape) != 4 or shape[0] != 2 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise _BrokenError(f"it is {shape}; write (2, pairs, rows, columns)")
    if np.prod(shape) < _FEWEST:
        raise _BrokenError(f"it is {shape}; promises are tested on {_FEWEST} devices or more")


@_promise
def _each_device_sits_where_it_was_written(bench: _Bench) -> None:
    for _ in range(_ROUNDS):
        target = bench.pattern()
        bench.program(target)
        bench.near("devices miss their target", bench.read(), target)


@_promise
def _where_leaves_other_devices_alone(bench: _Bench) -> None:
    for _ in range(_ROUNDS):
        first, second, where = bench.pattern(), bench.pattern(), bench.half()
        bench.program(first)
        bench.program(second, where)
        g = bench.read()
        bench.near("devices that were not chosen moved", g[~where], first[~where])
        bench.near("devices that were chosen miss their target", g[where], second[where])
    bench.program(first, np.zeros(bench.shape, dtype=np.bool_))
    bench.near("devices moved though none was chosen", bench.read(), np.where(where, second, first))


@_promise
def _a_read_of_chosen_devices_gives_them_in_order(bench: _Bench) -> None:
    for _ in range(_ROUNDS):
        target, where = bench.pattern(), bench.half()
        bench.program(target)
        bench.near("chosen devices miss their target", bench.read(where), target[where])
    bench.read(np.zeros(bench.shape, dtype=np.bool_))
    whole = bench.read(np.ones(bench.shape, dtype=np.bool_))
    bench.near("devices miss their target", whole, target.ravel())


@_promise
def _a_batch_of_n_rows_gives_n_rows(bench: _Bench) -> None:
    bench.program(bench.pattern())
    for n in (1, 2, 7):
        bench.multiply(bench.inputs(n))


@_promise
def _one_hot_inputs_show_the_pairs(bench: _Bench) -> None:
    for _ in range(_ROUNDS):
        bench.program(bench.pattern())
        shown, one_hot = _pairs(bench.read()), np.eye(bench.shape[2], dtype=np.float32)
        _alike(bench, "the read", one_hot, bench.multiply(one_hot), shown)


@_promise
def _a_product_is_x_times_what_a_read_shows(bench: _Bench) -> None:
    for _ in range(_ROUNDS):
        bench.program(bench.pattern())
        shown, x = _pairs(bench.read()), bench.inputs(40)
        _alike(bench, "the read", x, bench.multiply(x), x @ shown)


@_promise
def _a_product_is_linear_in_its_inputs(bench: _Bench) -> None:
    bench.program(bench.pattern())
    x, y = bench.inputs(40), bench.inputs(40)
    sums = bench.multiply(x) + bench.multiply(y)
    _alike(bench, "sums", np.hstack([x, y]), 2.0 * bench.multiply((x + y) / 2.0), sums)
    _alike(bench, "a quarter of the input", x, 4.0 * bench.multiply(x / 4.0), bench.multiply(x))
    nothing = bench.multiply(np.zeros((3, bench.shape[2]), dtype=np.float32))
    if np.abs(nothing).max() > bench.terms.tolerance:
        raise _BrokenError(f"inputs of zero give up to {np.abs(nothing).max():g} uS")


@_promise
def _set_pulses_raise_on_average(bench: _Bench) -> None:
    pulsed = still = more = 0.0
    for _ in range(_ROUNDS):
        bench.reset()
        before, order = bench.read(), bench.pattern()
        chosen, many = order < bench.terms.g_max / 2, order < bench.terms.g_max / 4
        bench.pulse(np.where(many, 8, np.where(chosen, 1, 0)))
        rise = bench.read() - before
        pulsed += float(rise[chosen].mean()) / _ROUNDS
        still += float(rise[~chosen].mean()) / _ROUNDS
        more += float(rise[many].mean() - rise[chosen & ~many].mean()) / _ROUNDS
    if not pulsed > 0.0 or not more > 0.0:
        raise _BrokenError(
            f"SET pulses raised devices by {pulsed:g} uS on average, and 8 of them by {more:g} uS "
            f"more than one"
        )
    if not abs(still) < pulsed / 3.0:
        raise _BrokenError(
            f"devices with counts of 0 moved by {still:g} uS on average, those with SET pulses by "
            f"{pulsed:g} uS"
        )


@_promise
def _a_reset_pulse_brings_down(bench: _Bench) -> None:
    for _ in range(_ROUNDS):
        target, chosen = bench.pattern(0.5, 1.0), bench.half()
        bench.program(target)
        bench.pulse(np.where(chosen, RESET, 0))
        wanted = np.where(chosen, 0.0, target)
        bench.near("devices are not where RESET pulses should leave them", bench.read(), wanted)


@_promise
def _counts_of_zero_change_nothing(bench: _Bench) -> None:
    bench.program(bench.pattern())

    def pulse() -> None:
        bench.crossbar.pulse(np.zeros(bench.shape, dtype=np.int32))

    _stays(bench, "counts of zero", pulse)


@_promise
def _reads_and_products_change_nothing(bench: _Bench) -> None:
    bench.program(bench.pattern())
    where = bench.half()
    _stays(bench, "reads", lambda: bench.read(where))
    _stays(bench, "products", lambda: bench.multiply(bench.inputs(4)))


@_promise
def _the_clock_never_goes_backwards(bench: _Bench) -> None:
    clock, where = bench.crossbar.clock, bench.half()
    operations: tuple[Callable[[], Any], ...] = (
        lambda: bench.program(bench.pattern()),
        lambda: bench.program(bench.pattern(), where),
        lambda: bench.pulse(where),
        bench.reset,
        bench.read,
        lambda: bench.multiply(bench.inputs(3)),
        lambda: bench.crossbar.clock.wait(0.0),
    )
    for operation in operations:
        before_s = float(clock.now_s)
        operation()
        now_s = float(clock.now_s)
        if not (np.isfinite(now_s) and now_s >= before_s):
            raise _BrokenError(f"it went from {before_s:g} to {now_s:g} s during an operation")
    before_s = float(clock.now_s)
    clock.wait(bench.terms.wait_s)
    passed_s = float(clock.now_s) - before_s
    if not passed_s >= bench.terms.wait_s * (1 - 1e-6):
        raise _BrokenError(f"it was to wait {bench.terms.wait_s:g} s, and {passed_s:g} s passed")


@_promise
def _what_is_refused_has_moved_no_device(bench: _Bench) -> None:
    old = bench.pattern(0.05, 0.95)
    bench.program(old)
    # What must not be written is far from what is there.
    new = ((old + bench.terms.g_max / 2) % bench.terms.g_max).astype(np.float32)
    array, ones, x = bench.crossbar, np.ones(bench.shape, dtype=np.int32), bench.inputs(3)
    where = bench.half()
    where.flat[-1] = True
    cut = tuple(slice(0, n - 1) if n > 1 else slice(None) for n in bench.shape)
    refused: dict[str, Callable[[], Any]] = {
        "targets of one side": lambda: array.program(new[:1]),
        "targets of another shape": lambda: array.program(new[cut]),
        "flat targets": lambda: array.program(new.ravel()),
        "one target for all": lambda: array.program(new[:1, :1, :1, :1]),
        "a target that is NaN": lambda: array.program(_last(new, np.nan)),
        "a target that is infinite": lambda: array.program(_last(new, np.inf)),
        "a negative target": lambda: array.program(_last(new, -bench.terms.g_max)),
        "a chosen target that is NaN": lambda: array.program(_last(new, np.nan), where),
        "where of another shape": lambda: array.program(new, where[:1]),
        "reading where of another shape": lambda: array.read(where[:1]),
        "counts of another shape": lambda: array.pulse(8 * ones[cut]),
        "one count for all": lambda: array.pulse(8 * ones[:1, :1, :1, :1]),
        "counts that are NaN": lambda: array.pulse(_last(8.0 * ones, np.nan)),
        "counts below -1": lambda: array.pulse(_last(8 * ones, -2)),
        "inputs of too many rows": lambda: array.multiply(np.hstack([x, x[:, :1]])),
        "inputs without a batch": lambda: array.multiply(x[0]),
        "inputs that are NaN": lambda: array.multiply(_last(x, np.nan)),
        "inputs that are infinite": lambda: array.multiply(_last(x, np.inf)),
    }
    for what, operation in refused.items():
        try:
            operation()
        except Exception:  # noqa: BLE001 - any error is a refusal
            bench.near(f"devices moved though {what} raised an error, all", bench.read(), old)
            continue
        raise _BrokenError(f"{what} raised no error")


PROMISES: tuple[Promise, ...] = tuple(_tests)


def _pairs(g: FloatArray) -> FloatArray:
    return np.asarray((g[0] - g[1]).mean(axis=0))


def _last(values: FloatArray, value: float) -> FloatArray:
    """`values` with `value` in the last place, where it is met last."""
    changed = values.copy()
    changed.flat[-1] = value
    return changed


def _alike(bench: _Bench, what: str, x: FloatArray, y: FloatArray, wanted: FloatArray) -> None:
    """Outputs agree: root mean square of their difference, per length of the input vector.

    Noise of n devices adds up to the root of n, which the length of the input takes account of: the
    difference of two products, or of a product and reads, has twice the deviation of one device,
    and the tolerance is five of them.
    """
    length = np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 0.1)
    off = float(np.sqrt(np.mean(((y - wanted) / length) ** 2)))
    allowed = bench.terms.tolerance / 2.0
    if not off <= allowed:
        raise _BrokenError(
            f"products differ from those by {what} by {off:g} uS per unit of input, root mean "
            f"square; {allowed:g} uS is allowed"
        )


def _stays(bench: _Bench, what: str, operation: Callable[[], Any], times: int = 10) -> None:
    """Devices stay where they are: each of them, and more precisely their mean."""
    before = bench.read()
    for _ in range(times):
        operation()
    after = bench.read()
    bench.near(f"devices moved during {what}, all", after, before, 2.0)
    moved = float((after - before).mean())
    # Five standard deviations of one read are at most the tolerance; of a difference √2 times that.
    allowed = 2.0 * bench.terms.tolerance / np.sqrt(after.size)
    if not abs(moved) <= allowed:
        raise _BrokenError(
            f"{what} moved devices by {moved:g} uS on average; {allowed:g} uS could be noise"
        )
