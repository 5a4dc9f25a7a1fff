"""The promises of a crossbar; the name of each test is the promise it holds a crossbar to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pcmsim.crossbar import RESET
from pcmsim.loop.contract.bench import Bench, BrokenError, alike, last, pairs, stays
from pcmsim.loop.contract.terms import BrokenPromiseError, Terms
from pcmsim.loop.crossbar import Crossbar
from pcmsim.rng import stream

_FEWEST = 16
_ROUNDS = 3
Test = Callable[[Bench], None]


@dataclass(frozen=True)
class Promise:
    """One promise, called by its sentence."""

    sentence: str
    _test: Test

    def check(self, crossbar: Crossbar, terms: Terms) -> None:
        """Raise `BrokenPromiseError`, which names the promise, unless `crossbar` keeps it."""
        try:
            self._test(Bench(crossbar, terms, stream(terms.seed, "contract", self.sentence)))
        except Exception as error:
            found = str(error) if isinstance(error, BrokenError) else raised(error)
            raise BrokenPromiseError(f'promise "{self.sentence}" is broken: {found}') from error

    def __str__(self) -> str:
        return self.sentence


def raised(error: Exception) -> str:
    """What to say of an error that a crossbar raised."""
    return " ".join(f"it raised {type(error).__name__}: {error}".split())


_tests: list[Promise] = []


def _promise(test: Test) -> Test:
    """The name of a test is the promise it holds to."""
    _tests.append(Promise(test.__name__.replace("_", " ").strip(), test))
    return test


@_promise
def _the_shape_is_two_sides_by_pairs_by_rows_by_columns(bench: Bench) -> None:
    shape = tuple(bench.crossbar.shape)
    if len(shape) != 4 or shape[0] != 2 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise BrokenError(f"it is {shape}; write (2, pairs, rows, columns)")
    if np.prod(shape) < _FEWEST:
        raise BrokenError(f"it is {shape}; promises are tested on {_FEWEST} devices or more")


@_promise
def _each_device_sits_where_it_was_written(bench: Bench) -> None:
    for _ in range(_ROUNDS):
        target = bench.pattern()
        bench.program(target)
        bench.near("devices miss their target", bench.read(), target)


@_promise
def _where_leaves_other_devices_alone(bench: Bench) -> None:
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
def _a_read_of_chosen_devices_gives_them_in_order(bench: Bench) -> None:
    for _ in range(_ROUNDS):
        target, where = bench.pattern(), bench.half()
        bench.program(target)
        bench.near("chosen devices miss their target", bench.read(where), target[where])
    bench.read(np.zeros(bench.shape, dtype=np.bool_))
    whole = bench.read(np.ones(bench.shape, dtype=np.bool_))
    bench.near("devices miss their target", whole, target.ravel())


@_promise
def _a_batch_of_n_rows_gives_n_rows(bench: Bench) -> None:
    bench.program(bench.pattern())
    for n in (1, 2, 7):
        bench.multiply(bench.inputs(n))


@_promise
def _one_hot_inputs_show_the_pairs(bench: Bench) -> None:
    for _ in range(_ROUNDS):
        bench.program(bench.pattern())
        shown, one_hot = pairs(bench.read()), np.eye(bench.shape[2], dtype=np.float32)
        alike(bench, "the read", one_hot, bench.multiply(one_hot), shown)


@_promise
def _a_product_is_x_times_what_a_read_shows(bench: Bench) -> None:
    for _ in range(_ROUNDS):
        bench.program(bench.pattern())
        shown, x = pairs(bench.read()), bench.inputs(40)
        alike(bench, "the read", x, bench.multiply(x), x @ shown)


@_promise
def _a_product_is_linear_in_its_inputs(bench: Bench) -> None:
    bench.program(bench.pattern())
    x, y = bench.inputs(40), bench.inputs(40)
    sums = bench.multiply(x) + bench.multiply(y)
    alike(bench, "sums", np.hstack([x, y]), 2.0 * bench.multiply((x + y) / 2.0), sums)
    alike(bench, "a quarter of the input", x, 4.0 * bench.multiply(x / 4.0), bench.multiply(x))
    nothing = bench.multiply(np.zeros((3, bench.shape[2]), dtype=np.float32))
    if np.abs(nothing).max() > bench.terms.tolerance:
        raise BrokenError(f"inputs of zero give up to {np.abs(nothing).max():g} uS")


@_promise
def _set_pulses_raise_on_average(bench: Bench) -> None:
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
        raise BrokenError(
            f"SET pulses raised devices by {pulsed:g} uS on average, and 8 of them by {more:g} uS "
            f"more than one"
        )
    if not abs(still) < pulsed / 3.0:
        raise BrokenError(
            f"devices with counts of 0 moved by {still:g} uS on average, those with SET pulses by "
            f"{pulsed:g} uS"
        )


@_promise
def _a_reset_pulse_brings_down(bench: Bench) -> None:
    for _ in range(_ROUNDS):
        target, chosen = bench.pattern(0.5, 1.0), bench.half()
        bench.program(target)
        bench.pulse(np.where(chosen, RESET, 0))
        wanted = np.where(chosen, 0.0, target)
        bench.near("devices are not where RESET pulses should leave them", bench.read(), wanted)


@_promise
def _counts_of_zero_change_nothing(bench: Bench) -> None:
    bench.program(bench.pattern())

    def pulse() -> None:
        bench.crossbar.pulse(np.zeros(bench.shape, dtype=np.int32))

    stays(bench, "counts of zero", pulse)


@_promise
def _reads_and_products_change_nothing(bench: Bench) -> None:
    bench.program(bench.pattern())
    where = bench.half()
    stays(bench, "reads", lambda: bench.read(where))
    stays(bench, "products", lambda: bench.multiply(bench.inputs(4)))


@_promise
def _the_clock_never_goes_backwards(bench: Bench) -> None:
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
    began_s = float(clock.now_s)
    for operation in operations:
        before_s = float(clock.now_s)
        operation()
        now_s = float(clock.now_s)
        if not (np.isfinite(now_s) and now_s >= before_s):
            raise BrokenError(f"it went from {before_s:g} to {now_s:g} s during an operation")
    if not float(clock.now_s) > began_s:
        raise BrokenError(f"it still shows {began_s:g} s after {len(operations)} operations")
    before_s = float(clock.now_s)
    clock.wait(bench.terms.wait_s)
    passed_s = float(clock.now_s) - before_s
    if not passed_s >= bench.terms.wait_s * (1 - 1e-6):
        raise BrokenError(f"it was to wait {bench.terms.wait_s:g} s, and {passed_s:g} s passed")


@_promise
def _what_is_refused_has_moved_no_device(bench: Bench) -> None:
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
        "a target that is NaN": lambda: array.program(last(new, np.nan)),
        "a target that is infinite": lambda: array.program(last(new, np.inf)),
        "a negative target": lambda: array.program(last(new, -bench.terms.g_max)),
        "a chosen target that is NaN": lambda: array.program(last(new, np.nan), where),
        "where of another shape": lambda: array.program(new, where[:1]),
        "reading where of another shape": lambda: array.read(where[:1]),
        "counts of another shape": lambda: array.pulse(8 * ones[cut]),
        "one count for all": lambda: array.pulse(8 * ones[:1, :1, :1, :1]),
        "counts that are NaN": lambda: array.pulse(last(8.0 * ones, np.nan)),
        "counts below -1": lambda: array.pulse(last(8 * ones, -2)),
        "inputs of too many rows": lambda: array.multiply(np.hstack([x, x[:, :1]])),
        "inputs without a batch": lambda: array.multiply(x[0]),
        "inputs that are NaN": lambda: array.multiply(last(x, np.nan)),
        "inputs that are infinite": lambda: array.multiply(last(x, np.inf)),
    }
    for what, operation in refused.items():
        try:
            operation()
        except Exception:  # noqa: BLE001 - any error is a refusal
            bench.near(f"devices moved though {what} raised an error, all", bench.read(), old)
            continue
        raise BrokenError(f"{what} raised no error")


PROMISES: tuple[Promise, ...] = tuple(_tests)
