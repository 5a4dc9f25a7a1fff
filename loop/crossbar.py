"""The seam to hardware: what a training loop asks of an array, simulated or real."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pcmsim.crossbar import MOST_PULSES, RESET
from pcmsim.errors import UsageError

FloatArray = NDArray[Any]
Shape = tuple[int, int, int, int]


class Timekeeper(Protocol):
    """Time of the hardware. Simulated time passes at once, that of an instrument as it does."""

    @property
    def now_s(self) -> float:
        """Time since the start [s]."""
        ...

    def wait(self, duration_s: float) -> None:
        """Return after `duration_s` seconds of the hardware's time."""
        ...


class Crossbar(Protocol):
    """One array of differential pairs: rows are inputs, columns are outputs.

    Arrays of devices have the shape (2, pairs, rows, columns), G+ first. Conductances are in
    microsiemens. Every operation takes time of the `clock`, and devices drift meanwhile. An
    operation that fails raises; one that was refused has not moved a device: `check_targets`,
    `check_where`, `check_counts` and `check_rows` refuse for any implementation what it has to.
    The promises are tested by `pcmsim.loop.contract`, which runs on any implementation.
    """

    @property
    def shape(self) -> Shape:
        """Shape (2, pairs, rows, columns) of the array of devices."""
        ...

    @property
    def clock(self) -> Timekeeper:
        """The clock of the chip, shared by its arrays."""
        ...

    def program(self, g_target: FloatArray, where: FloatArray | None = None) -> None:
        """Program devices to `g_target` [µS], of the shape of the array; zero leaves in RESET.

        `where`, a boolean array of the same shape, chooses devices; None means all.
        """
        ...

    def pulse(self, counts: FloatArray) -> None:
        """Send pulses: n > 0 SET pulses to a device, one RESET pulse for -1, none for 0."""
        ...

    def read(self, where: FloatArray | None = None) -> FloatArray:
        """Conductances [µS] as one read shows them: all, or in order those chosen by `where`."""
        ...

    def multiply(self, x: FloatArray) -> FloatArray:
        """Σ_i x_i mean_p (G+ - G-) [µS] for each row of `x` (n, rows); shape (n, columns)."""
        ...


@runtime_checkable
class Restorable(Protocol):
    """A chip whose whole state can be kept in a checkpoint: simulated ones, not real ones."""

    def snapshot(self) -> bytes:
        """State of the chip: devices, clock, streams of chance."""
        ...

    def restore(self, state: bytes) -> None:
        """Go back to what `snapshot` returned; `DataError` if it is damaged."""
        ...


@runtime_checkable
class Worn(Protocol):
    """An array that counts what its devices have been through."""

    def wear(self) -> Mapping[str, float]:
        """Counts by name, such as SET pulses, RESET pulses and the most of one device."""
        ...


def check_targets(g_target: FloatArray, where: FloatArray | None, shape: Shape) -> None:
    """Refuse targets [µS] that no device can have, before any is written; others are not looked at.

    What the largest conductance of a device is only the array knows.
    """
    g_target = np.asarray(g_target)
    if g_target.shape != shape or g_target.dtype.kind not in "fiu":
        raise UsageError(
            f"g_target must be conductances of shape {shape}, one per device; got "
            f"{g_target.dtype} of shape {g_target.shape}"
        )
    check_where(where, shape)
    chosen = g_target if where is None else g_target[where]
    if not np.isfinite(chosen).all():
        raise UsageError("g_target holds NaN or infinite values; every target must be a number")
    if chosen.size and chosen.min() < 0.0:
        raise UsageError(f"g_target reaches {chosen.min():g} uS; a conductance cannot be negative")


def check_where(where: FloatArray | None, shape: Shape) -> None:
    """Refuse what is no choice of devices: whole numbers would choose others than they mean."""
    if where is not None and (
        not isinstance(where, np.ndarray) or where.dtype != np.bool_ or where.shape != shape
    ):
        raise UsageError(
            f"where must be a boolean array of shape {shape} or None; got "
            f"{np.asarray(where).dtype} of shape {np.shape(where)}"
        )


def check_counts(counts: FloatArray, shape: Shape) -> None:
    """Refuse what is no request for pulses, before any is sent."""
    counts = np.asarray(counts)
    if counts.shape != shape or counts.dtype.kind not in "iu":
        raise UsageError(
            f"counts must be whole numbers of shape {shape}, one per device; got {counts.dtype} of "
            f"shape {counts.shape}"
        )
    if counts.size and counts.max() > MOST_PULSES:
        raise UsageError(f"counts reach {counts.max()}; send at most {MOST_PULSES} pulses at once")
    if counts.size and counts.min() < RESET:
        raise UsageError(
            f"counts reach {counts.min()}; write n SET pulses, -1 for RESET, 0 for none"
        )


def check_rows(x: FloatArray, shape: Shape) -> None:
    """Refuse what is no batch of inputs, before any is applied."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != shape[2] or x.dtype.kind not in "fiub":
        raise UsageError(
            f"inputs must be numbers of shape (n, {shape[2]}), one per row of the array; got "
            f"{x.dtype} of shape {x.shape}"
        )
    if not np.isfinite(x).all():
        raise UsageError("inputs hold NaN or infinite values; a row driver has none")
