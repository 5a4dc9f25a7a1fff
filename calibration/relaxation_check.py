"""Whether a relaxation law predicts devices, and times, that it was not fitted to."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.distributions import Distribution, compare, held_out
from pcmsim.calibration.placement import Placement
from pcmsim.calibration.relaxation import RelaxationFit
from pcmsim.calibration.relaxation_solve import maximise
from pcmsim.calibration.relaxation_traces import Traces
from pcmsim.calibration.reproduction import LevelCheck
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.relaxation_law import Relaxation
from pcmsim.rng import stream

_SHARE, _DRAWS, _FEWEST = 0.2, 20_000, 20
# Targets are the groups where there are few of them; more are joined to this many.
_GROUPS = 8
_TURNS = 5


@dataclass(frozen=True)
class RelaxationCheck:
    """Held-out devices against a law fitted to the others, and times against one without them.

    levels          every target with twenty held-out devices, at every later time
    groups          the same for eight groups of targets, a sharper test
    left_out        groups at one time, by a law fitted to all others
    moments         mean and spread of groups of all devices under the law itself
    """

    levels: tuple[Distribution, ...]
    groups: tuple[Distribution, ...]
    left_out: tuple[Distribution, ...]
    moments: tuple[LevelCheck, ...]


def check_relaxation(fit: RelaxationFit, placement: Placement, seed: int = 0) -> RelaxationCheck:
    """Refit to 80 % of the devices and predict the others; then leave out each time in turn.

    The prediction for a group takes first reads of the devices that were fitted and lets them
    relax by the law; it knows nothing of the held-out devices but their target. Times that are left
    out are tested on devices that were fitted at other times, which makes that test conservative.
    Moments alone start from the targets, and so test `placement` as well.
    """
    traces, g_low = fit.traces, fit.g_low
    test = held_out(traces.device, _SHARE, stream(seed, "held out for the check"))
    rng = stream(seed, "relaxation check")
    theta, _ = maximise(fit.form, traces.reads(g_low, ~test), fit.g_max)
    law = _law(fit, theta)
    levels = tuple(_compared(traces, law, _by_target(traces), test, rng, g_low))
    groups = tuple(_compared(traces, law, _by_group(traces, test), test, rng, g_low))
    left_out: list[Distribution] = []
    reads = traces.reads(g_low)
    for k in _turns(traces.t_s.size):
        others = reads.where(reads.t_s != traces.t_s[k])
        if not others.row.size:
            continue
        theta, _ = maximise(fit.form, others, fit.g_max, fit.estimate.values)
        everyone = np.ones(test.size, dtype=bool)
        left_out += _compared(
            traces, _law(fit, theta), _by_group(traces, test), everyone, rng, g_low, (k,)
        )
    return RelaxationCheck(
        levels, groups, tuple(left_out), tuple(_moments(traces, fit.law, placement, rng))
    )


def _turns(times: int) -> list[int]:
    """Times that are left out in turn: each, or some of many, the ends among them."""
    if times < 2:
        return []
    return sorted({round(k) for k in np.linspace(0, times - 1, min(times, _TURNS))})


def _law(fit: RelaxationFit, theta: FloatArray) -> Relaxation:
    return fit.form.law(theta, fit.law.persistence, fit.law.memory_s)


def _by_target(traces: Traces) -> Iterator[tuple[str, np.ndarray]]:
    for target in np.unique(traces.g_target):
        yield f"{target:.4g} uS", traces.g_target == target


def _by_group(traces: Traces, test: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Groups of neighbouring targets with about as many devices each, enough to be tested."""
    targets = np.unique(traces.g_target)
    groups = int(np.clip(test.sum() // (2 * _FEWEST), 1, _GROUPS))
    if targets.size <= groups:
        yield from _by_target(traces)
        return
    edges = np.unique(np.quantile(traces.g_target, np.linspace(0.0, 1.0, groups + 1)))
    group = np.clip(np.searchsorted(edges, traces.g_target, side="right") - 1, 0, edges.size - 2)
    for k in range(edges.size - 1):
        inside = traces.g_target[group == k]
        if inside.size:
            yield f"{inside.min():.4g} ... {inside.max():.4g} uS", group == k


def _compared(
    traces: Traces,
    law: Relaxation,
    groups: Iterator[tuple[str, np.ndarray]],
    test: np.ndarray,
    rng: np.random.Generator,
    g_low: float,
    times: tuple[int, ...] | None = None,
) -> Iterator[Distribution]:
    for label, members in groups:
        known = traces.g_first[members & ~test]
        known = known if known.size else traces.g_first[members]
        for k in range(traces.t_s.size) if times is None else times:
            found = traces.g[members & test, k]
            if np.sum(~np.isnan(found)) >= _FEWEST:
                t_s = float(traces.t_s[k])
                drawn = _drawn(law, known, traces.g_max, t_s, rng)
                # What is cut off in the data, or rounded to zero, is so in the prediction.
                yield compare(label, t_s, np.maximum(found, g_low), np.maximum(drawn, g_low))


def _drawn(
    law: Relaxation, g_first: FloatArray, g_max: float, t_s: float, rng: np.random.Generator
) -> FloatArray:
    g = rng.choice(g_first, _DRAWS)
    return law.relaxed(g, g_max, t_s, rng.standard_normal(_DRAWS))


def _moments(
    traces: Traces, law: Relaxation, placement: Placement, rng: np.random.Generator
) -> Iterator[LevelCheck]:
    """Groups of targets under the set: first reads about the targets, and how they relax."""
    everyone = np.ones(traces.device.size, dtype=bool)
    for _, members in _by_group(traces, everyone):
        members = members & traces.converged
        reads = np.column_stack([traces.g_first, traces.g])[members]
        t_s = np.append(0.0, traces.t_s)
        seen = np.sum(~np.isnan(reads), axis=0) >= _FEWEST
        if not seen.any():
            continue
        g, t_s = reads[:, seen], t_s[seen]
        count = np.sum(~np.isnan(g), axis=0)
        mean, std = np.nanmean(g, axis=0), np.nanstd(g, axis=0)
        excess = np.maximum(np.nanmean((g - mean) ** 4, axis=0) - std**4, 0.0)
        targets = traces.g_target[members]
        drawn = [_programmed(law, placement, targets, traces.g_max, float(t), rng) for t in t_s]
        yield LevelCheck(
            g_target=float(np.mean(targets)),
            g_max=traces.g_max,
            t_s=t_s,
            mean=mean,
            mean_stderr=std / np.sqrt(count),
            std=std,
            std_stderr=np.sqrt(excess / count) / np.maximum(2.0 * std, 1e-12),
            predicted_mean=np.array([g.mean() for g in drawn]),
            predicted_std=np.array([g.std() for g in drawn]),
        )


def _programmed(
    law: Relaxation,
    placement: Placement,
    targets: FloatArray,
    g_max: float,
    t_s: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Devices that the set programs to `targets` [µS], `t_s` after the first read."""
    aim = rng.choice(targets, _DRAWS)
    g = np.maximum(aim + placement.law(aim / g_max) * rng.standard_normal(_DRAWS), 0.0)
    return law.relaxed(g, g_max, t_s, rng.standard_normal(_DRAWS))
