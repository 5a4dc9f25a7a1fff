import importlib.metadata
import threading
import time

import numpy as np
import pytest

from pcmsim.clock import Clock
from pcmsim.config import Hardware
from pcmsim.errors import UsageError
from pcmsim.loop import (
    Guarded,
    HardwareError,
    MockCrossbar,
    SimulatedArrays,
    find_driver,
    guarded,
    open_arrays,
)

SHAPES = {"hidden0.weight": (4, 3), "readout.weight": (3, 2)}
LAB = """
import numpy as np
from pcmsim.clock import Clock
from pcmsim.loop import MockCrossbar

def open_all(shapes, hardware, seed):
    clock = Clock(float(seed))
    return {n: MockCrossbar((2, hardware.pairs, *s), clock=clock) for n, s in shapes.items()}

class Rack:
    class Left:
        open_all = staticmethod(open_all)

number = 5
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Write a module that a user could have written; returns the function that does."""
    monkeypatch.syspath_prepend(tmp_path)
    count = iter(range(100))

    def write(text=LAB):
        name = f"lab_{tmp_path.name}_{next(count)}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def driven(name, **changes):
    return Hardware(device="ideal", driver=name, **changes)


def test_without_a_driver_the_arrays_are_simulated():
    arrays = open_arrays(SHAPES, Hardware(device="ideal", pairs=3), seed=2)
    assert isinstance(arrays, SimulatedArrays)
    assert {n: a.shape for n, a in arrays.items()} == {
        "hidden0.weight": (2, 3, 4, 3),
        "readout.weight": (2, 3, 3, 2),
    }
    arrays["readout.weight"].clock.wait(5.0)
    assert arrays["hidden0.weight"].clock.now_s == 5.0


@pytest.mark.parametrize("path", ["open_all", "Rack.Left.open_all"])
def test_a_driver_is_found_by_its_import_path_and_told_shapes_hardware_and_seed(lab, path):
    arrays = open_arrays(SHAPES, driven(f"{lab()}:{path}", pairs=2), seed=7)
    assert {n: a.shape for n, a in arrays.items()} == {
        "hidden0.weight": (2, 2, 4, 3),
        "readout.weight": (2, 2, 3, 2),
    }
    assert all(a.clock.now_s == 7.0 for a in arrays.values())


def test_a_driver_is_found_by_its_entry_point(lab, monkeypatch):
    name = lab()
    point = importlib.metadata.EntryPoint("our-rack", f"{name}:open_all", "pcmsim.drivers")
    broken = importlib.metadata.EntryPoint("old-rack", f"{name}:gone", "pcmsim.drivers")
    points = importlib.metadata.EntryPoints((point, broken))
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    assert set(open_arrays(SHAPES, driven("our-rack"), seed=1)) == set(SHAPES)
    with pytest.raises(UsageError, match=r"'old-rack' cannot be imported \(AttributeError"):
        find_driver("old-rack")
    with pytest.raises(UsageError, match="drivers here: old-rack, our-rack"):
        find_driver("rack")


@pytest.mark.parametrize(
    ("text", "path", "found"),
    [
        (LAB, "missing", "AttributeError: module"),
        (LAB, "Rack.Right", "AttributeError: type object 'Rack'"),
        ("import pyvisa_that_is_not_there", "open", "ModuleNotFoundError: No module named 'pyvisa"),
        ("def open(:", "open", "SyntaxError: "),
        ("raise RuntimeError('the rack\\n is off')", "open", "RuntimeError: the rack is off"),
        ("raise SystemExit(2)", "open", "SystemExit: 2"),
    ],
)
def test_errors_of_the_users_own_module_are_shown_in_one_line(lab, text, path, found):
    with pytest.raises(UsageError, match="cannot be imported") as error:
        find_driver(f"{lab(text)}:{path}")
    assert found in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.__cause__ is not None


@pytest.mark.parametrize("name", ["", "rack", "rack:", ":open", "no_such_module:open"])
def test_a_name_that_leads_nowhere_says_what_to_write(name):
    wanted = "cannot be imported" if name.startswith("no_such") else "package.module:function"
    with pytest.raises(UsageError, match=wanted):
        find_driver(name)


def test_a_driver_that_is_no_function_is_refused(lab):
    with pytest.raises(UsageError, match="is no function but int"):
        find_driver(f"{lab()}:number")


def opening(monkeypatch, driver, **changes):
    monkeypatch.setattr("pcmsim.loop.driver.find_driver", lambda name: driver)
    return open_arrays(SHAPES, driven("lab:rack", **changes), seed=1)


def right(pairs=1):
    clock = Clock()
    return {n: MockCrossbar((2, pairs, *s), clock=clock) for n, s in SHAPES.items()}


def without(verb):
    class Lacking:
        shape, clock = (2, 1, 3, 2), Clock()

    for each in {"program", "pulse", "read", "multiply"} - {verb}:
        setattr(Lacking, each, lambda self: None)
    if verb == "clock":
        Lacking.clock = None
    return Lacking()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (lambda: None, "returned NoneType; a mapping of the names"),
        (lambda: list(right().values()), "returned list"),
        (lambda: {"hidden0.weight": right()["hidden0.weight"]}, "no array readout.weight"),
        (lambda: right() | {"readout.weight": None}, "no array readout.weight"),
        (
            lambda: right() | {"readout.weight": MockCrossbar((2, 1, 2, 3))},
            r"array readout.weight has shape \(2, 1, 2, 3\); \(2, 1, 3, 2\) is needed",
        ),
        (lambda: right(pairs=2), r"shape \(2, 2, 4, 3\); \(2, 1, 4, 3\) is needed"),
        (lambda: right() | {"readout.weight": without("pulse")}, "it lacks pulse"),
        (lambda: right() | {"readout.weight": without("clock")}, "it lacks a clock that can wait"),
    ],
)
def test_arrays_that_are_not_those_asked_for_are_refused(monkeypatch, found, message):
    with pytest.raises(UsageError, match=message) as error:
        opening(monkeypatch, lambda *_: found())
    assert str(error.value).startswith("driver lab:rack")


def test_a_driver_that_opens_more_arrays_or_says_shapes_as_lists_is_fine(monkeypatch):
    arrays = right() | {"spare": MockCrossbar((2, 1, 9, 9))}
    arrays["readout.weight"].shape = [2, 1, 3, 2]
    assert opening(monkeypatch, lambda *_: arrays) is arrays


def test_a_driver_that_raises_while_opening_is_one_line_about_the_driver(monkeypatch):
    def driver(*_):
        raise OSError("VI_ERROR_RSRC_NFOUND\n  GPIB0::9")

    wanted = r"driver lab:rack: opening the arrays failed \(OSError: VI_ERROR_RSRC_NFOUND GPIB0::9"
    with pytest.raises(HardwareError, match=wanted):
        opening(monkeypatch, driver)
    no_shape = right() | {"readout.weight": object()}
    with pytest.raises(HardwareError, match=r"shape of the array readout.weight failed \(Attrib"):
        opening(monkeypatch, lambda *_: no_shape)


def test_a_driver_that_hangs_while_opening_is_an_error_in_time(monkeypatch):
    over, began_s = threading.Event(), time.monotonic()
    with pytest.raises(HardwareError, match=r"opening the arrays failed \(no answer within 0\.05"):
        opening(monkeypatch, lambda *_: over.wait(60.0), timeout_s=0.05)
    over.set()
    assert time.monotonic() - began_s < 10.0


def test_a_drivers_arrays_are_watched_and_simulated_ones_are_not():
    arrays = right()
    for hardware, timeout_s in ((driven("lab:rack", timeout_s=3.0), 3.0), (Hardware(), None)):
        found = guarded(arrays, hardware)
        assert found == {n: Guarded(arrays[n], n, timeout_s) for n in SHAPES}
    np.testing.assert_array_equal(found["readout.weight"].read(), np.zeros((2, 1, 3, 2)))
