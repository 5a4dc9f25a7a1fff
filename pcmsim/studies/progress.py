"""Working through units: what is there already, what is done, what failed and is tried again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pcmsim.studies import store
from pcmsim.studies.plan import Life, Unit
from pcmsim.studies.pool import Pool


@dataclass(frozen=True)
class Failure:
    """A life of a chip that could not be measured, and why."""

    unit: Unit
    life: Life
    reason: str


Progress = Callable[[int, int, int], None]


def open_units(folder: Path, units: tuple[Unit, ...]) -> list[Unit]:
    """What of `units` is not on disk yet: units with the lives that are missing."""
    found = []
    for unit in units:
        known = store.load(folder, unit)
        missing = tuple(life for life in unit.lives if life not in known)
        if missing:
            found.append(replace(unit, lives=missing))
    return found


def work_through(
    folder: Path,
    units: tuple[Unit, ...],
    pool: Pool,
    retries: int,
    on_done: Progress | None = None,
) -> list[Failure]:
    """Work out what is missing of `units`, each on disk as soon as it is there.

    Lives that fail are tried `retries` times more at the end, when all others are done; those that
    failed every time are returned. `on_done(done, total, failed)` counts lives of chips; it may be
    called without news, and may stop the work by an exception.
    """
    whole = {unit.name: unit for unit in units}
    total = sum(len(unit.lives) for unit in units)
    pending = open_units(folder, units)
    done = total - sum(len(unit.lives) for unit in pending)
    failures: list[Failure] = []
    for _ in range(1 + retries):
        failures = []
        if on_done is not None:
            on_done(done, total, 0)
        for found in pool.outcomes(pending):
            if found is not None:
                unit, outcome = found
                if outcome.lived:
                    store.save(folder, whole[unit.name], outcome.lived)
                failures += [Failure(unit, life, why) for life, why in outcome.failed.items()]
                done += len(outcome.lived)
            if on_done is not None:
                on_done(done, total, len(failures))
        pending = open_units(folder, units) if failures else []
        if not pending:
            break
    return failures
