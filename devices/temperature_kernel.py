"""The compiled loop behind `pcmsim.devices.ambient`: ages, piece by piece of a profile."""

import math

import numba

from pcmsim.devices.laws import FloatArray


@numba.njit(cache=True, nogil=True, error_model="numpy")
def aged(
    log_age: float, duration_s: float, kelvin: float, reference_k: float, attempt_s: float
) -> float:  # pragma: no cover - compiled
    """Return ln(θ/τ) after `duration_s` more at `kelvin`, from `log_age` = ln(θ/τ) before.

    θ is the age at the reference temperature, τ the attempt time. At the temperature T the same
    barrier is reached after τ (θ/τ)^(T_ref/T); to that the duration is added.
    """
    if duration_s <= 0.0:
        return log_age
    ratio = reference_k / kelvin
    before, more = log_age * ratio, math.log(duration_s / attempt_s)
    high, low = max(before, more), min(before, more)
    return (high + math.log1p(math.exp(low - high))) / ratio


@numba.njit(cache=True, nogil=True, error_model="numpy")
def through(
    log_age: float,
    begin_s: float,
    first: int,
    last: int,
    starts_s: FloatArray,
    kelvin: FloatArray,
    period_s: float,
    reference_k: float,
    attempt_s: float,
) -> float:  # pragma: no cover - compiled
    """Return ln(θ/τ) at the start of the piece `last`, from that at `begin_s` in the piece `first`.

    Pieces are numbered through all periods; without a period they end with the last of `starts_s`.
    """
    n = starts_s.size
    for piece in range(first, last):
        end_s = (piece + 1) // n * period_s + starts_s[(piece + 1) % n]
        log_age = aged(log_age, end_s - begin_s, kelvin[piece % n], reference_k, attempt_s)
        begin_s = end_s
    return log_age
