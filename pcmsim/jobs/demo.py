"""The whole way in one job: train on chorales, write onto chips, watch four days, report."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from pcmsim.config import Config, load_config
from pcmsim.jobs.drift import drift
from pcmsim.jobs.report import report
from pcmsim.jobs.train import train
from pcmsim.loop import EpochReport

CHIPS = 8


def demo_config() -> Config:
    """Configuration of the demonstration, which needs no data besides the installed packages."""
    with resources.as_file(resources.files("pcmsim.jobs") / "demo.yaml") as path:
        return load_config(path)


def free_folder(base: Path) -> Path:
    """`base`, or the first of base-2, base-3 ... that does not exist: nothing is overwritten."""
    candidate, n = base, 1
    while candidate.exists():
        n += 1
        candidate = base.with_name(f"{base.name}-{n}")
    return candidate


def demo(
    out: Path,
    on_load: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_chip: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Any], Path]:
    """Run the demonstration in the new folder `out`; the drift results and the report's path.

    Raises what `train`, `drift` and `report` raise.
    """
    train(demo_config(), out, on_epoch=on_epoch, on_load=on_load)
    results = drift(out, chips=CHIPS, on_chip=on_chip)
    return results, report(out)
