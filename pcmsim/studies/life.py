"""One chip as it ages: refreshed when it is time, measured with each compensation."""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcmsim.crossbar import Chip
from pcmsim.crossbar.mapping import FloatArray
from pcmsim.datasets import Batch
from pcmsim.devices import pulse_s
from pcmsim.errors import PcmsimError
from pcmsim.loop import evaluate, in_batches
from pcmsim.mitigations import COMPENSATIONS, Correction, Cost, Known, Site, refresh_of
from pcmsim.networks import Multiply
from pcmsim.studies.materials import Materials
from pcmsim.studies.plan import NO_REFRESH, Life, Unit


@dataclass(frozen=True)
class Moment:
    """What was measured at one time.

    `metric` (compensations, 2) is the loss per step and per sequence [nat/step]. `calibration` is
    what each compensation took by itself since the time before, this calibration included;
    `refresh` what refreshing took since then; `commissioning` what each took to begin with.
    """

    metric: NDArray[np.float64]
    calibration: tuple[Cost, ...]
    refresh: Cost
    commissioning: tuple[Cost, ...]


def moments(
    unit: Unit,
    life: Life,
    materials: Materials,
    chip: Chip,
    commissioned: Mapping[str, tuple[Known, Cost]],
) -> Iterator[Moment]:
    """Yield one `Moment` for each time of the unit; the clock of `chip` runs along.

    `chip` has just been programmed with the network; `commissioned` has the reference of each
    compensation and what it took (`commission`). Raises `PcmsimError` if a loss is no number.
    """
    subject = materials.subjects[unit.network]
    settings = materials.study.calibration
    test = in_batches(subject.dataset.test)
    network = deepcopy(subject.network) if life.refresh != NO_REFRESH else subject.network
    site = Site(chip, network, subject.dataset, settings)
    programmed_s, last_s = chip.clock.now_s, 0.0
    prepared = _prepared(life.compensations, site)
    known = {kind: commissioned[kind][0] for kind in life.compensations}
    first = tuple(prepared[kind] + commissioned[kind][1] for kind in life.compensations)
    for t_s in unit.times_s:
        refreshed, own, new = _refresh(site, life, materials, programmed_s, (last_s, t_s))
        known, last_s = known | new, t_s
        _wait_until(chip, programmed_s + t_s)
        corrections = {}
        for kind in life.compensations:
            corrections[kind], cost = _calibrate(site, kind, known[kind], t_s)
            own[kind] = own.get(kind, Cost()) + cost
        memo = FirstProducts(site)
        metric = np.array([memo.evaluate(test, corrections[k], t_s) for k in life.compensations])
        _check(metric, life, t_s)
        yield Moment(metric, tuple(own[k] for k in life.compensations), refreshed, first)


def commission(
    kinds: Sequence[str], unit: Unit, materials: Materials, twin: Chip
) -> dict[str, tuple[Known, Cost]]:
    """References of compensations, and what each took.

    Measured on `twin`, the chip by its seed, when its devices are t0 old, at the reference
    temperature: whatever a chip goes through later, it was commissioned in the same way.
    """
    subject = materials.subjects[unit.network]
    site = Site(twin, subject.network, subject.dataset, materials.study.calibration)
    states = [state for matrix in twin.matrices.values() for state in matrix.states]
    written_s = max(float(np.max(state.programmed_at_s)) for state in states)
    _prepared(kinds, site)
    _wait_until(twin, pulse_s(twin.values, written_s) + twin.values.t0_s)
    known, costs = _references(kinds, site)
    return {kind: (known[kind], costs[kind]) for kind in kinds}


def _prepared(kinds: Sequence[str], site: Site) -> dict[str, Cost]:
    """Let each compensation set apart what it needs; what that took."""
    costs = {}
    for kind in kinds:
        site.cost = Cost()
        COMPENSATIONS[kind].prepare(site)
        costs[kind] = site.cost
    return costs


def _references(kinds: Sequence[str], site: Site) -> tuple[dict[str, Known], dict[str, Cost]]:
    known, costs = {}, {}
    for kind in kinds:
        site.cost = Cost()
        site.chip.address_reads(kind, "reference", site.chip.clock.now_s.hex())
        known[kind] = COMPENSATIONS[kind].reference(site)
        costs[kind] = site.cost
    return known, costs


def _refresh(
    site: Site, life: Life, materials: Materials, programmed_s: float, span_s: tuple[float, float]
) -> tuple[Cost, dict[str, Cost], dict[str, Known]]:
    """Refresh at the times that are due from the beginning of the span to before its end.

    A measurement at the very time of a refresh comes first: it shows the chip at its oldest.
    Returns what refreshing took, what it made each compensation do again, and the references that
    were measured anew, which is needed where outputs have changed.
    """
    total, own = Cost(), dict.fromkeys(life.compensations, Cost())
    known: dict[str, Known] = {}
    if life.refresh == NO_REFRESH:
        return total, own, known
    renewal = materials.study.refreshes[life.refresh]
    refresh = refresh_of(renewal)
    first = max(math.ceil(span_s[0] / renewal.every_s), 1)
    for k in range(first, math.ceil(span_s[1] / renewal.every_s)):
        _wait_until(site.chip, programmed_s + k * renewal.every_s)
        site.chip.address_reads("refresh", k)
        site.cost = Cost()
        refresh.act(site)
        total += site.cost
        if refresh.renews_devices:
            costs = _prepared(life.compensations, site)
            own = {kind: own[kind] + costs[kind] for kind in own}
        if refresh.renews_reference:
            known, costs = _references(life.compensations, site)
            own = {kind: own[kind] + costs[kind] for kind in own}
    return total, own, known


def _calibrate(site: Site, kind: str, known: Known, t_s: float) -> tuple[Correction, Cost]:
    """Calibrate one compensation, with reads of its own: none moves the numbers of another."""
    site.cost = Cost()
    site.chip.address_reads(kind, t_s.hex())
    correction = COMPENSATIONS[kind].correct(site, known)
    return correction, site.cost


def _check(metric: NDArray[np.float64], life: Life, t_s: float) -> None:
    """A loss that is no number would drop out of every mean unseen."""
    for kind, losses in zip(life.compensations, metric, strict=True):
        if not np.isfinite(losses).all():
            raise PcmsimError(f"the loss with compensation {kind} is {losses[0]} at {t_s:g} s")


def _wait_until(chip: Chip, t_s: float) -> None:
    """Wait, unless what was done took until then."""
    chip.clock.wait_until(max(t_s, chip.clock.now_s))


class FirstProducts:
    """Evaluations of one instant that share the products of the inputs with the first matrix.

    Those are the same reads of the same devices whatever follows digitally, so each compensation
    is measured on them; so are the draws of noise of later matrices (common random numbers).
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._first = site.matrices[0]
        self._known: list[FloatArray] = []

    def evaluate(
        self, split: tuple[Batch, ...], correction: Correction, t_s: float
    ) -> tuple[float, float]:
        """Loss per step and per sequence [nat/step] with the outputs corrected."""
        self._site.chip.address_reads("evaluate", t_s.hex())
        found = evaluate(self._site.network, split, self._multiplier(correction))
        return found.per_step, found.per_sequence

    def _multiplier(self, correction: Correction) -> Multiply:
        later, calls = self._site.multiplier(correction), iter(range(1_000_000_000))

        def multiply(name: str, rows: Tensor) -> Tensor:
            if name != self._first:
                return later(name, rows)
            number = next(calls)
            if number == len(self._known):
                self._known.append(self._site.chip.multiply(name, rows.detach().numpy()))
            y = self._known[number]
            return torch.from_numpy(self._site.corrected(name, y, correction))

        return multiply
