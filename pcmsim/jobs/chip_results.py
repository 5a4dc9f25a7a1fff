"""What chips leave of their training in the loop: checked when it is read, and put together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pcmsim.errors import DataError
from pcmsim.jobs import folder


def done(results: dict[str, Any], out: Path) -> dict[str, Any]:
    """Results of a chip that is done; `DataError` if what they need is missing."""
    wanted = ("chip", "devices", "epochs", "seconds", "chip_s", "wear", "measured")
    measured = results.get("measured")
    if not all(name in results for name in wanted) or not isinstance(measured, dict):
        raise DataError(f"{out / folder.RESULTS} is damaged; remove it to measure the chip again")
    for stage in ("transfer", "in_loop"):
        checked_rows(measured.get(stage), out / folder.RESULTS)
    return results


def checked_rows(rows: Any, file: Path) -> list[dict[str, Any]]:
    """Measurements as they were written; `DataError` if they are not."""
    wanted = {"compensation", "t_s", "at_s", "per_step", "per_sequence"}
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{file} is damaged: it holds no measurements; remove it to measure again")
    if not all(isinstance(row, dict) and wanted <= row.keys() for row in rows):
        raise DataError(
            f"{file} is damaged: a measurement lacks values; remove it to measure again"
        )
    return rows


def stages(chips: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Statistics over chips for each stage, compensation and time. One chip has no spread."""
    cells = []
    for stage, rows in chips[0]["measured"].items():
        for i, row in enumerate(rows):
            same = [chip["measured"][stage][i] for chip in chips]
            per_chip = [cell["per_step"] for cell in same]
            cells.append(
                {
                    "stage": stage,
                    "compensation": row["compensation"],
                    "t_s": row["t_s"],
                    "mean": float(np.mean(per_chip)),
                    "std": float(np.std(per_chip, ddof=1)) if len(per_chip) > 1 else None,
                    "per_chip": per_chip,
                    "mean_per_sequence": float(np.mean([cell["per_sequence"] for cell in same])),
                }
            )
    return cells
