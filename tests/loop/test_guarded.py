import threading
import time

import numpy as np
import pytest
import torch

from pcmsim.errors import UsageError
from pcmsim.loop import Guarded, HardwareError, HardwareLinear, MockCrossbar

SHAPE = (2, 2, 3, 4)
WHERE = np.arange(48).reshape(SHAPE) % 5 == 0
X = np.ones((2, 3), dtype=np.float32)
VERBS = {
    "program": lambda crossbar: crossbar.program(np.ones(SHAPE)),
    "pulse": lambda crossbar: crossbar.pulse(np.ones(SHAPE, dtype=np.int32)),
    "read": lambda crossbar: crossbar.read(),
    "multiply": lambda crossbar: crossbar.multiply(X),
}


class Odd(MockCrossbar):
    """Answers a verb with what `answer` makes of the right one."""

    def __init__(self, answer):
        super().__init__(SHAPE)
        self.answer = answer

    def read(self, where=None):
        return self.answer(super().read(where))

    def multiply(self, x):
        return self.answer(super().multiply(x))


class Raising(MockCrossbar):
    """Raises `error` at every verb."""

    def __init__(self, error):
        super().__init__(SHAPE)
        self.error = error

    def _note(self, call):
        super()._note(call)
        raise self.error


@pytest.fixture
def hanging():
    """A crossbar of which every verb hangs until the test is over."""
    over = threading.Event()

    class Hanging(MockCrossbar):
        def _note(self, call):
            super()._note(call)
            over.wait(60.0)

    yield Hanging(SHAPE)
    over.set()


@pytest.mark.parametrize("timeout_s", [None, 30.0])
def test_a_crossbar_that_answers_is_what_it_is_without_its_guard(timeout_s):
    plain, inner = MockCrossbar(SHAPE), MockCrossbar(SHAPE)
    guard = Guarded(inner, "w", timeout_s)
    target = np.arange(48.0).reshape(SHAPE) / 2
    for crossbar in (plain, guard):
        crossbar.program(target)
        crossbar.program(target[::-1], WHERE)
        crossbar.pulse(np.where(WHERE, 3, -1))
    np.testing.assert_array_equal(guard.read(), plain.read())
    np.testing.assert_array_equal(guard.read(WHERE), plain.read(WHERE))
    np.testing.assert_array_equal(guard.multiply(X), plain.multiply(X))
    assert (inner.calls, guard.shape) == (plain.calls, SHAPE)
    assert guard.clock.now_s == plain.clock.now_s
    guard.clock.wait(5.0)
    assert inner.clock.now_s == plain.clock.now_s + 5.0


@pytest.mark.parametrize("timeout_s", [None, 30.0])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "error", [OSError("VI_ERROR_TMO\n  (-1073807339)"), SystemExit(3), TimeoutError("of its own")]
)
def test_what_a_driver_raises_is_one_line_about_array_and_verb(verb, error, timeout_s):
    guard = Guarded(Raising(error), "hidden0.weight", timeout_s)
    for _ in range(2):
        with pytest.raises(HardwareError) as caught:
            VERBS[verb](guard)
        reason = {OSError: "OSError: VI_ERROR_TMO (-1073807339)", SystemExit: "SystemExit: 3"}
        wanted = reason.get(type(error), "TimeoutError: of its own")
        assert str(caught.value) == f"hidden0.weight: {verb} failed ({wanted})"
        assert caught.value.__cause__ is error
    assert caught.value.exit_code == 4
    assert len(guard.crossbar.calls) == 2, "it answers, so it is asked again"


def test_a_long_reason_is_cut():
    with pytest.raises(HardwareError) as caught:
        Guarded(Raising(OSError("x" * 5000)), "w").read()
    assert len(str(caught.value)) < 250


def test_errors_of_ours_and_ctrl_c_pass_as_they_are():
    with pytest.raises(UsageError, match="counts must be whole numbers"):
        Guarded(MockCrossbar(SHAPE), "w", 30.0).pulse(np.ones(SHAPE))
    for timeout_s in (None, 30.0):
        with pytest.raises(KeyboardInterrupt):
            Guarded(Raising(KeyboardInterrupt()), "w", timeout_s).read()


@pytest.mark.parametrize("verb", VERBS)
def test_a_driver_that_hangs_is_an_error_in_time_and_is_sent_nothing_more(verb, hanging):
    guard, began_s = Guarded(hanging, "w", timeout_s=0.05), time.monotonic()
    with pytest.raises(HardwareError, match=rf"^w: {verb} failed \(no answer within 0\.05 s\)$"):
        VERBS[verb](guard)
    assert time.monotonic() - began_s < 10.0
    for later, ask in VERBS.items():
        with pytest.raises(HardwareError, match=rf"{later} was not sent, for {verb} has not come"):
            ask(guard)
    assert hanging.calls == [verb]


def test_without_a_timeout_there_is_no_thread():
    threads = []

    class Watched(MockCrossbar):
        def _note(self, call):
            super()._note(call)
            threads.append(threading.current_thread())

    for timeout_s in (None, 30.0):
        for ask in VERBS.values():
            ask(Guarded(Watched(SHAPE), "w", timeout_s))
    assert [t is threading.main_thread() for t in threads] == [True] * 4 + [False] * 4
    assert all(t.daemon for t in threads[4:])


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (lambda a: None, "object of shape"),
        (lambda a: a[:-1], "float64 of shape"),
        (lambda a: a.T, "float64 of shape"),
        (lambda a: a[..., None], "float64 of shape"),
        (lambda a: a.round().astype(np.int16), "int16 of shape"),
        (lambda a: a.astype(complex), "complex128 of shape"),
        (lambda a: a.astype(str).tolist(), "of shape"),
        (lambda a: [[1.0], [1.0, 2.0]], "failed (ValueError"),
        (lambda a: np.where(np.arange(a.size).reshape(a.shape) < 2, np.nan, a), "2 of"),
        (lambda a: np.where(np.arange(a.size).reshape(a.shape) < 3, np.inf, a), "3 of"),
    ],
)
@pytest.mark.parametrize("verb", ["read", "multiply"])
def test_an_answer_that_cannot_be_is_one_line(verb, answer, found):
    with pytest.raises(HardwareError) as caught:
        VERBS[verb](Guarded(Odd(answer), "w"))
    assert str(caught.value).startswith(f"w: {verb} ")
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_read_of_chosen_devices_that_gives_all_is_refused():
    with pytest.raises(HardwareError, match=r"floats of shape \(10,\) were expected"):
        Guarded(Odd(lambda a: np.ones(SHAPE)), "w").read(WHERE)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.longdouble, np.float64),
        (">f4", np.float32),
        (">f8", np.float64),
        (list, np.float64),
    ],
)
def test_floats_of_any_kind_become_those_that_torch_knows(kind, wanted):
    def answer(a):
        if kind is list:
            return a.tolist()
        return np.frombuffer(a.astype(kind).tobytes(), kind).reshape(a.shape)  # read-only

    inner = Odd(answer)
    inner.program(np.arange(48.0).reshape(SHAPE))
    for found in (Guarded(inner, "w").read(), Guarded(inner, "w").multiply(X)):
        assert found.dtype == wanted
        assert found.dtype.isnative
        assert found.flags.writeable
    np.testing.assert_array_equal(Guarded(inner, "w").read(), inner.g)
    layer = HardwareLinear.onto(Guarded(inner, "w"), torch.ones(3, 4), 25.0)
    assert layer(torch.ones(2, 3)).tolist() == [[3.0] * 4] * 2


def test_an_answer_stays_when_the_driver_uses_its_buffer_again():
    buffer = np.zeros(SHAPE)

    def answer(a):
        buffer[...] = a
        return buffer

    guard = Guarded(Odd(answer), "w")
    first = guard.read()
    guard.program(np.full(SHAPE, 9.0))
    guard.read()
    assert not first.any()


def test_shape_and_clock_that_raise_are_errors_of_the_hardware():
    class Silent(MockCrossbar):
        @property
        def shape(self):
            raise OSError("no link")

        @shape.setter
        def shape(self, _):
            pass

        @property
        def clock(self):
            return self

        @clock.setter
        def clock(self, _):
            pass

        now_s = float("nan")

        def wait(self, _):
            raise OSError("no trigger")

    guard = Guarded(Silent(SHAPE), "w")
    with pytest.raises(HardwareError, match=r"w: shape failed \(OSError: no link\)"):
        _ = guard.shape
    with pytest.raises(HardwareError, match="w: the clock shows nan s"):
        _ = guard.clock.now_s
    with pytest.raises(HardwareError, match=r"w: waiting failed \(OSError: no trigger\)"):
        guard.clock.wait(1.0)


def test_the_guard_costs_little():
    inner = MockCrossbar((2, 1, 8, 8))
    guard, x = Guarded(inner, "w"), np.ones((1, 8))

    def best_s(crossbar):
        times = []
        for _ in range(20):
            began_s = time.perf_counter()
            for _ in range(50):
                crossbar.multiply(x)
            times.append(time.perf_counter() - began_s)
        return min(times) / 50

    assert best_s(guard) - best_s(inner) < 50e-6
