"""What a sensitivity study found: paired differences, and Sobol indices with their intervals."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from SALib.analyze import sobol

from pcmsim.rng import key
from pcmsim.studies import store
from pcmsim.studies.intervals import LEVEL, Mean, mean_over_chips, paired
from pcmsim.studies.plan import Unit
from pcmsim.studies.sensitivity import Design, problem
from pcmsim.studies.variation import number_of

_RESAMPLES = 1000


def responses(folder: Path, design: Design, units: tuple[Unit, ...]) -> NDArray[np.float64]:
    """Loss per step and per sequence [nat/step] of every point on every chip, from disk.

    Shape (chips, points, 2); NaN where a point was not measured. Raises `DataError` if a file is
    damaged.
    """
    found = np.full((design.chips, len(design.factors), 2), np.nan)
    for unit in units:
        for life, lived in store.load(folder, unit).items():
            found[unit.chip, number_of(str(life.devices))] = lived.metric[0, -1]
    return found


def frame(design: Design, found: NDArray[np.float64]) -> pd.DataFrame:
    """One row for each evaluation: its design, point, chip, factors and losses [nat/step]."""
    points, chips = np.nonzero(np.isfinite(found[..., 0]).T)
    one = points < design.first_sobol
    columns: dict[str, Any] = {
        "design": np.where(one, "one_at_a_time", "sobol"),
        "point": points,
        "chip": chips,
    }
    for j, name in enumerate(design.parameters):
        columns[f"factor_{name}"] = design.factors[points, j]
    columns["metric_per_step"], columns["metric_per_sequence"] = found[chips, points].T
    return pd.DataFrame(columns)


def one_at_a_time(design: Design, metric: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Mean differences to nominal on the same chips, with intervals; `metric` (chips, points)."""
    nominal = metric[:, 0]
    return [
        {
            "parameter": name,
            "low": _mean(paired(metric[:, 1 + 2 * j], nominal)),
            "high": _mean(paired(metric[:, 2 + 2 * j], nominal)),
        }
        for j, name in enumerate(design.parameters)
    ]


def nominal_mean(metric: NDArray[np.float64]) -> float | None:
    """Mean over chips at the nominal point; None if it was measured on none."""
    return _number(mean_over_chips(metric[:, 0]).mean)


def sobol_indices(
    design: Design, metric: NDArray[np.float64], step: float, seed: int
) -> dict[str, Any] | None:
    """Sobol indices of the response of one chip to its parameters, averaged over chips.

    With f(x, c) the metric of chip c at factors x, and V_c = Var_x f(x, c), the variance is the
    mean of V_c over chips; the first-order index of parameter j is that share of it that the
    parameter explains by itself, mean over c of Var_xj(E[f | xj, c]), and the total index the share
    that is left when all others are fixed. Differences between chips are no part of it: each
    chip's mean is taken out. `between_chips` tells how large they are, as the share
    s² / (s² + variance) with the variance s² of the nominal metric over chips.

    Estimators: Saltelli et al., doi:10.1016/j.cpc.2009.09.018, and Jansen's for the total.
    Half-widths (95 %) are from resampling base points; chips are not resampled. A base point with
    a point that could not be measured is left out. None without base points; indices are zero if
    nothing moves the metric; a half-width of too few base points may be None.
    """
    whole = [(i, _block(design, metric, i)) for i in range(design.samples)]
    measured = [(i, block) for i, block in whole if np.isfinite(block).all()]
    if len(measured) < 2:
        return None
    chips = np.array([design.chip_of(i) for i, _ in measured])
    blocks = _centred(np.array([block for _, block in measured]), chips)
    variance = float(np.var(blocks[:, [0, -1]]))
    found = _analyse(design, blocks, step, seed) if variance > 0.0 else {}
    zeros = [0.0] * len(design.parameters)
    return {
        "parameters": list(design.parameters),
        "first": found.get("S1", zeros),
        "first_half_width": found.get("S1_conf", zeros),
        "total": found.get("ST", zeros),
        "total_half_width": found.get("ST_conf", zeros),
        "samples": len(measured),
        "evaluations": blocks.size,
        "variance": variance,
        "between_chips": _between(metric[:, 0], variance),
    }


def _block(design: Design, metric: NDArray[np.float64], base_point: int) -> NDArray[np.float64]:
    return metric[design.chip_of(base_point), design.rows_of(base_point)]


def _centred(blocks: NDArray[np.float64], chips: NDArray[np.int_]) -> NDArray[np.float64]:
    """Blocks without the mean of each chip, that over its independent points A and B."""
    centred = blocks.copy()
    for chip in np.unique(chips):
        # From one of its values first: what does not move at all is zero then, without rounding.
        own = blocks[chips == chip] - blocks[chips == chip][0, 0]
        centred[chips == chip] = own - own[:, [0, -1]].mean()
    return centred


def _analyse(
    design: Design, blocks: NDArray[np.float64], step: float, seed: int
) -> dict[str, list[float | None]]:
    # Of a few base points, a resample may have no variance and so no index.
    with np.errstate(invalid="ignore", divide="ignore"):
        found = sobol.analyze(
            problem(design.parameters, step),
            blocks.ravel(),
            calc_second_order=False,
            num_resamples=_RESAMPLES,
            conf_level=LEVEL,
            # A seed of zero would be numpy's global generator.
            seed=1 + key(seed, "sensitivity", "resampling"),
        )
    names = ("S1", "S1_conf", "ST", "ST_conf")
    return {name: [_number(float(x)) for x in found[name]] for name in names}


def _between(nominal: NDArray[np.float64], variance: float) -> float | None:
    std = mean_over_chips(nominal).std
    if std is None or not std**2 + variance > 0.0:
        return None
    return std**2 / (std**2 + variance)


def _mean(found: Mean) -> dict[str, Any]:
    return {"mean": _number(found.mean), "half_width": found.half_width, "chips": found.n}


def _number(x: float) -> float | None:
    return x if math.isfinite(x) else None
