import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from pcmsim import runlog
from pcmsim.report import svg

TIMES_S = (1.0, 10.0, 60.0, 600.0, 3600.0, 20000.0, 86400.0, 345600.0)
RATE = {"none": 0.031, "global": 0.012, "column": 0.009}
SHAPES = {"hidden": (12, 20), "output": (20, 12)}
CONFIG = "seed: 3\ndata:\n  name: jsb\nnetwork:\n  unit: ssnu\n"
ENVIRONMENT = {
    "kind": "train",
    "versions": {"python": "3.11.9", "torch": "2.13.0", "pcmsim": "0.1.0"},
    "git_commit": "0123456789abcdef",
    "seed": 3,
    "command": "pcmsim train configs/jsb.yaml --out runs/first",
}


def write_json(path: Path, values) -> None:
    path.write_text(json.dumps(values), encoding="utf-8")


def make_train(run: Path, epochs: int = 40) -> Path:
    """A training run as a finished job leaves it; every number is different."""
    run.mkdir(parents=True)
    epoch = np.arange(1.0, epochs + 1)
    rows = {
        "epoch": epoch,
        "train_loss": 7.9 + 4 * np.exp(-epoch / 6),
        "valid_metric": 8.4 + 3.5 * np.exp(-epoch / 6) + 1e-4 * epoch**2,
        "learning_rate": np.full(epochs, 1e-3),
    }
    units = {
        "epoch": "1",
        "train_loss": "nat/step",
        "valid_metric": "nat/step",
        "learning_rate": "1",
    }
    runlog.append(run / "log.h5", rows, units)
    (run / "config.yaml").write_text(CONFIG)
    write_json(run / "environment.json", ENVIRONMENT)
    results = {
        "kind": "train",
        "format": 1,
        "task": "jsb",
        "network": "88-150-88",
        "unit": "ssnu",
        "software_metric": 8.4631,
        "software_metric_per_sequence": 8.4262,
        "best_epoch": 27,
        "valid_metric": 8.5173,
        "epochs": epochs,
        "seconds": 125.0,
    }
    write_json(run / "results.json", results)
    return run


def make_drift(run: Path, chips: int = 8, compensations=("none", "global", "column")) -> Path:
    """A drift run as a finished job leaves it; every number is different."""
    run.mkdir(parents=True)
    rng = np.random.default_rng(11)
    points = []
    for kind in compensations:
        for t_s in TIMES_S:
            found = 8.49 + RATE[kind] * np.log1p(t_s) + rng.normal(0.0, 0.02, chips)
            point = {"compensation": kind, "t_s": t_s, "mean": float(found.mean())}
            point["std"] = float(found.std(ddof=1)) if chips > 1 else None
            point["per_chip"] = found.tolist()
            points.append(point | {"mean_per_sequence": float(found.mean() - 0.037)})
    results = {
        "kind": "drift",
        "format": 1,
        "task": "jsb",
        "network": "88-150-88",
        "devices": 52800,
        "software_metric": 8.4631,
        "software_metric_per_sequence": 8.4262,
        "device_set": "pcm-example",
        "chips": chips,
        "seed": 5,
        "drift": points,
    }
    write_json(run / "results.json", results)
    polynomial = {"polynomial": [0.2635, 1.965, -1.1731]}
    entries = [
        ("g_max", 25.0, "uS", "definition"),
        ("programming_std", polynomial, "uS", "a fit"),
        ("t0_s", 20.0, "s", "doi:10.1038/s41467-020-16108-9"),
        ("zero_target", "reset", "1", "engineering default"),
    ]
    device = {
        "name": "pcm-example",
        "title": "Mushroom cells of an example",
        "source": "Example et al. (doi:10.1063/1.5042408)",
        "entries": [
            dict(zip(("name", "value", "unit", "source"), e, strict=True)) for e in entries
        ],
    }
    write_json(run / "device.json", device)
    make_arrays(run / "arrays.h5", rng)
    return run


def make_arrays(path: Path, rng: np.random.Generator, shapes=SHAPES, pairs: int = 1) -> None:
    with h5py.File(path, "w") as file:
        for name, shape in shapes.items():
            weight = np.clip(rng.normal(0.0, 5.0, (pairs, *shape)), -25, 25)
            target = np.stack([np.maximum(weight, 0), np.maximum(-weight, 0)])
            g = np.abs(target + rng.normal(0.0, 0.4, target.shape))
            group = file.create_group(name)
            group.attrs["t_start_s"], group.attrs["t_end_s"] = 0.0, 345600.0
            group["g_start"] = g
            group["g_end"] = g * 17280.0 ** -rng.normal(0.06, 0.015, g.shape)


LOOP_TIMES_S = (0.0, 3600.0, 86400.0, 345600.0)
LOOP_CONFIG = (
    CONFIG
    + """loop:
  phases:
  - rule: {name: accumulate}
    epochs: 3
  - rule: {name: digital}
    epochs: 2
"""
)


def make_loop(run: Path, chips: int = 3, kinds=("none", "global", "affine"), aware=True) -> Path:
    """A training run with the hardware in the loop as a finished job leaves it."""
    make_train(run)
    rng = np.random.default_rng(17)
    losses = {"transfer": (0.33, 0.05), "in_loop": (0.07, 0.008)}
    stages = []
    for stage, (first, rate) in losses.items():
        for t_s in LOOP_TIMES_S:
            for i, kind in enumerate(kinds):
                aged = rate * np.log1p(t_s) / (1.0 + 2.0 * i) + 0.013 * i
                found = 8.4631 + first + aged + rng.normal(0.0, 0.01, chips)
                point = {"stage": stage, "compensation": kind, "t_s": t_s}
                point["mean"] = float(found.mean())
                point["std"] = float(found.std(ddof=1)) if chips > 1 else None
                point["per_chip"] = found.tolist()
                stages.append(point | {"mean_per_sequence": float(found.mean() - 0.037)})
    found = {
        "stages": stages,
        "devices": 105600,
        "device_set": "pcm-example",
        "chips": [make_chip(run / f"chip{index}", index, rng) for index in range(chips)],
    }
    if aware:
        found |= {"aware_metric": 8.5127, "aware_seconds": 77.0}
        epoch = np.arange(1.0, 9.0)
        rows = {
            "epoch": epoch,
            "train_loss": 12.0 - epoch,
            "valid_metric": 8.6 + 0.1 * abs(epoch - 6),
        }
        (run / "aware").mkdir()
        runlog.append(run / "aware" / "log.h5", rows, dict.fromkeys(rows, "1"))
    (run / "config.yaml").write_text(LOOP_CONFIG)
    rewrite_json(run / "results.json", lambda values: values.update(found))
    return run


def make_chip(folder: Path, index: int, rng: np.random.Generator) -> dict:
    """The folder of a chip, and what is said of it in the results of the run."""
    folder.mkdir()
    rows = {
        "phase": [0.0, 1.0, 1.0, 1.0, 2.0, 2.0],
        "epoch": [0.0, 1.0, 2.0, 3.0, 1.0, 2.0],
        "train_loss": np.linspace(9.4, 8.4, 6),
        "valid_metric": np.array([9.21, 8.93, 8.82, 8.75, 8.71, 8.66]) + 0.05 * index,
        "activity": np.full(6, 0.1),
        "programmed": np.array([105600.0, 421.0 + 10.0 * index, 77.0, 0.0, 0.0, 0.0]),
        "set_pulses": np.array([0.0, 5310.0, 2440.0, 1207.0, 0.0, 0.0]) * (index + 1),
        "resets": np.array([0.0, 41.0, 12.0, 5.0, 0.0, 0.0]) + index * np.array([0, 1, 1, 1, 0, 0]),
        "chip_s": np.linspace(0.6, 9000.0, 6),
        "seconds": np.full(6, 2.0),
    }
    runlog.append(folder / "log.h5", rows, dict.fromkeys(rows, "1"))
    names = ("set_pulses", "resets", "most_set_pulses", "most_resets")
    wear = {
        "hidden": dict(zip(names, (5000.0 + index, 90000.0, 61.0, 7.0 + index), strict=True)),
        "output": dict(zip(names, (3957.0, 21000.0, 83.0 - index, 4.0), strict=True)),
    }
    chip = {
        "kind": "loop",
        "format": 1,
        "chip": index,
        "devices": 105600,
        "epochs": 5,
        "seconds": 600.0 + 60.0 * index,
        "chip_s": 9000.0 + 1800.0 * index,
        "wear": wear,
    }
    write_json(folder / "results.json", chip | {"measured": {}})
    return chip


def rewrite_json(path: Path, change) -> None:
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    write_json(path, values)


@pytest.fixture
def train_run(tmp_path) -> Path:
    return make_train(tmp_path / "first")


@pytest.fixture
def drift_run(tmp_path) -> Path:
    return make_drift(tmp_path / "alone")


@pytest.fixture
def full_run(train_run) -> Path:
    make_drift(train_run / "drift")
    return train_run


@pytest.fixture
def loop_run(tmp_path) -> Path:
    return make_loop(tmp_path / "looped")


@pytest.fixture(name="make_loop", scope="session")
def _make_loop():
    return make_loop


@pytest.fixture(name="make_train", scope="session")
def _make_train():
    return make_train


@pytest.fixture(name="make_drift", scope="session")
def _make_drift():
    return make_drift


@pytest.fixture(name="make_arrays")
def _make_arrays():
    return lambda path, shapes: make_arrays(path, np.random.default_rng(4), shapes)


@pytest.fixture
def make_log():
    def make(path: Path, columns) -> None:
        path.unlink()
        runlog.append(path, columns, dict.fromkeys(columns, "1"))

    return make


@pytest.fixture
def rewrite():
    return rewrite_json


@pytest.fixture
def read_results():
    return lambda run: json.loads((run / "results.json").read_text())


# Losses of the chips of hand-made cells right after programming and at the end [nat/step].
STUDY_LOSSES = {
    ("none", "none"): ((8.70, 8.72, 8.74), (9.50, 9.60, 9.70)),
    ("none", "global"): ((8.70, 8.71, 8.75), (8.80, 8.84, 8.88)),
    ("none", "affine"): ((8.69, 8.72, 8.73), (8.84, 8.85, 8.86)),
    ("daily", "global"): ((8.70, 8.71, 8.75), (8.76, 8.79, 8.82)),
}
STUDY_CONFIG = """networks: {n: runs/n}
devices: {d: pcm-example}
temperatures: {warm: {celsius: 60.0}}
"""
# One calibration [pJ], all refreshes [pJ].
STUDY_ENERGIES = {
    ("none", "none"): (0.0, 0.0),
    ("none", "global"): (5000.0, 0.0),
    ("none", "affine"): (2.0e6, 0.0),
    ("daily", "global"): (5000.0, 2.0e8),
}


def study_cell(refresh: str, compensation: str, /, **changes) -> dict:
    """A cell of three chips at 1 s and 4 d, of the network "n" at the temperature "warm"."""
    losses = np.array(STUDY_LOSSES[refresh, compensation])
    calibration, refreshes = STUDY_ENERGIES[refresh, compensation]
    last = losses[1]
    best = np.array(STUDY_LOSSES["daily", "global"])[1]
    bare = np.array(STUDY_LOSSES["none", "none"])[1]
    cell = {
        "network": "n",
        "devices": "d",
        "temperature": "warm",
        "refresh": refresh,
        "compensation": compensation,
        "chips": 3,
        "mean": losses.mean(axis=1).tolist(),
        "half_width": [0.05, 0.06],
        "quantiles": {
            "q05": losses.min(axis=1).tolist(),
            "q50": np.median(losses, axis=1).tolist(),
            "q95": losses.max(axis=1).tolist(),
        },
        "within": (losses <= 8.85).mean(axis=1).tolist(),
        "against_none": _study_difference(last - bare),
        "against_best": _study_difference(last - best),
        "chips_needed": 12 + len(compensation),
        "cost": {
            "products": calibration / 100,
            "energy_pj": calibration,
            "programmed": refreshes / 1000,
            "refresh_products": 0,
            "refresh_energy_pj": refreshes,
        },
    }
    return cell | changes


def _study_difference(found: np.ndarray) -> dict | None:
    """Student's t of two degrees of freedom is 4.303 at 97.5 %."""
    if not found.any():
        return None
    half = 4.303 * found.std(ddof=1) / 3**0.5
    return {"mean": float(found.mean()), "half_width": float(half), "chips": 3}


def study_results(**changes) -> dict:
    """Results of four mitigations in one place; software 8.6, tolerance 0.25."""
    results = {
        "kind": "study",
        "format": 1,
        "chips": 3,
        "seed": 7,
        "times_s": [1.0, 345600.0],
        "tolerance": 0.25,
        "software": {"n": 8.6},
        "ideal": {"n": 8.65},
        "cells": [study_cell(*names) for names in STUDY_LOSSES],
        "failures": [],
        "sensitivity": None,
    }
    return results | changes


def make_study(folder: Path, results: dict, config: str | None = None) -> Path:
    """A study as a finished job leaves it, without its tables."""
    folder.mkdir(parents=True)
    write_json(folder / "results.json", results)
    write_json(folder / "environment.json", ENVIRONMENT)
    known = (
        "networks: {n: runs/n}\ndevices: {d: pcm-example}\ntemperatures: {warm: {celsius: 60.0}}\n"
    )
    (folder / "study.yaml").write_text(known if config is None else config)
    return folder


class StudyMaker:
    """Hand-made studies: `results` and `cell` as dictionaries, a folder by a call."""

    cell = staticmethod(study_cell)
    results = staticmethod(study_results)
    losses = STUDY_LOSSES

    def __init__(self, path: Path):
        self.path = path

    def __call__(self, config: str | None = None, **changes) -> Path:
        return make_study(self.path / "drift study", study_results(**changes), config)


@pytest.fixture
def studies(tmp_path) -> StudyMaker:
    return StudyMaker(tmp_path)


class Drawn:
    """Axes of the figures that were put into a page, and the lines in all of them."""

    def __init__(self):
        self.axes, self.lines = [], []


@pytest.fixture
def drawn(monkeypatch) -> Drawn:
    found, inline = Drawn(), svg.inline

    def kept(figure, name, description):
        found.axes.extend(figure.axes)
        found.lines.extend(figure.axes[0].lines)
        return inline(figure, name, description)

    monkeypatch.setattr(svg, "inline", kept)
    return found
