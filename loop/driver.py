"""Opening the arrays that a configuration names: simulated ones, or those of a driver."""

import importlib
import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Any

from pcmsim.config import Hardware
from pcmsim.errors import UsageError
from pcmsim.loop.crossbar import Crossbar
from pcmsim.loop.guarded import Guarded, ask
from pcmsim.loop.simulated import SimulatedArrays

GROUP = "pcmsim.drivers"
VERBS = ("program", "pulse", "read", "multiply")
Shapes = Mapping[str, tuple[int, int]]
Driver = Callable[[Shapes, Hardware, int], Mapping[str, Crossbar]]


def open_arrays(shapes: Shapes, hardware: Hardware, seed: int) -> Mapping[str, Crossbar]:
    """Return a crossbar for each name of `shapes` (rows, columns), all on one clock.

    Without `hardware.driver` these are `SimulatedArrays` of a chip drawn from `seed`. A driver is
    called as driver(shapes, hardware, seed) and returns a mapping of the same names.
    Raises `UsageError` for a driver that cannot be found or opens other arrays, `HardwareError`
    for one that raises or does not come back within `hardware.timeout_s`.
    """
    name = hardware.driver
    if name is None:
        return SimulatedArrays(shapes, hardware, seed)
    driver = find_driver(name)
    arrays: Any = ask(
        f"driver {name}",
        "opening the arrays",
        lambda: driver(shapes, hardware, seed),
        hardware.timeout_s,
    )
    if not isinstance(arrays, Mapping):
        raise UsageError(
            f"driver {name} returned {type(arrays).__name__}; a mapping of the names "
            f"{sorted(shapes)} to crossbars is needed"
        )
    for matrix, (rows, columns) in shapes.items():
        wanted = (2, hardware.pairs, rows, columns)
        _check_array(f"driver {name}", matrix, arrays.get(matrix), wanted)
    return arrays


def _check_array(driver: str, matrix: str, array: Any, wanted: tuple[int, ...]) -> None:
    if array is None:
        raise UsageError(f"{driver}: there is no array {matrix}")
    found = ask(driver, f"shape of the array {matrix}", lambda: tuple(array.shape))
    if found != wanted:
        raise UsageError(
            f"{driver}: the array {matrix} has shape {found}; {wanted} is needed (2, pairs, rows, "
            f"columns)"
        )
    missing = [verb for verb in VERBS if not callable(getattr(array, verb, None))]
    if missing or not callable(getattr(getattr(array, "clock", None), "wait", None)):
        raise UsageError(
            f"{driver}: the array {matrix} is no crossbar; it lacks "
            f"{', '.join(missing) or 'a clock that can wait'}"
        )


def guarded(arrays: Mapping[str, Crossbar], hardware: Hardware) -> dict[str, Guarded]:
    """The same arrays with their answers checked, and watched if they are those of a driver."""
    timeout_s = None if hardware.driver is None else hardware.timeout_s
    return {name: Guarded(array, name, timeout_s) for name, array in arrays.items()}


def find_driver(name: str) -> Driver:
    """Find what opens a lab's arrays by entry point or by import path `package.module:function`.

    Raises `UsageError` that shows what importing it raised.

    >>> find_driver("pcmsim.loop.simulated:SimulatedArrays").__name__
    'SimulatedArrays'
    """
    registered = importlib.metadata.entry_points(group=GROUP)
    known = (
        f"; entry points of the group {GROUP} here: {', '.join(sorted(registered.names)) or 'none'}"
    )
    try:
        driver = registered[name].load() if name in registered.names else _imported(name, known)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:  # whatever a lab's module does when it is imported
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(
            f"hardware.driver = {name!r} cannot be imported ({reason}){known}"
        ) from error
    if not callable(driver):
        raise UsageError(f"hardware.driver = {name!r} is no function but {type(driver).__name__}")
    return driver  # type: ignore[no-any-return]


def _imported(name: str, known: str) -> Any:
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise UsageError(
            f"hardware.driver = {name!r}: write an import path package.module:function{known}"
        )
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found
