import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from pcmsim.devices import Ambient
from pcmsim.errors import UsageError

TAU_S = 1e-13
DAY_S = 86400.0
RNG = np.random.default_rng(4)
OFFICE = Ambient(900.0 * np.arange(96), 19.0 + 5.0 * RNG.random(96), DAY_S)


def age_s(ambient, begin_s, now_s, start_s=20.0):
    """Effective age at 25 °C of what is `start_s` old at `begin_s`."""
    log_begin = math.log(start_s / TAU_S) if start_s else -math.inf
    return TAU_S * math.exp(ambient.log_age(log_begin, begin_s, now_s, 25.0, TAU_S))


def composed(pieces, start_s):
    """The same by powers of numbers with fifty digits: pieces are (duration [s], T [°C])."""
    with localcontext() as context:
        context.prec = 50
        tau, reference, zero = Decimal("1e-13"), Decimal("298.15"), Decimal("273.15")
        theta = Decimal(start_s)
        for duration_s, celsius in pieces:
            kelvin = Decimal(celsius) + zero
            aged = tau * (theta / tau) ** (reference / kelvin) if theta else Decimal(0)
            theta = tau * ((aged + Decimal(duration_s)) / tau) ** (kelvin / reference)
        return float(theta)


@pytest.mark.parametrize("start_s", [0.0, 20.0])
def test_a_profile_ages_as_its_pieces_composed_with_fifty_digits(start_s):
    durations, celsius = RNG.uniform(0.1, 1e5, 12), RNG.uniform(0.0, 85.0, 12)
    ambient = Ambient([0.0, *np.cumsum(durations[:-1])], celsius)
    # From within the third piece on.
    inside = [(0.25 * durations[2], celsius[2]), *zip(durations[3:], celsius[3:], strict=True)]
    begin_s, end_s = ambient.starts_s[2] + 0.75 * durations[2], durations.sum()
    expected = composed([(float(d), float(c)) for d, c in inside], start_s)
    assert age_s(ambient, begin_s, end_s, start_s) == pytest.approx(expected, rel=1e-11)


def test_a_constant_temperature_in_many_pieces_equals_one():
    pieces = Ambient(np.linspace(0.0, 9e5, 5000), np.full(5000, 60.0))
    one = age_s(Ambient((0.0,), (60.0,)), 7.0, 1e6)
    assert age_s(pieces, 7.0, 1e6) == pytest.approx(one, rel=1e-10)


def test_at_the_reference_the_effective_age_is_the_age():
    pieces = Ambient((0.0, 1e6), (25.0, 60.0))
    for now_s in (3.0, 3.0 + 1e-6, 100.0, 1e6):
        assert age_s(pieces, 3.0, now_s) == pytest.approx(now_s + 17.0, rel=1e-13)


def test_hotter_never_ages_less():
    for _ in range(200):
        starts_s = [0.0, *np.cumsum(10.0 ** RNG.uniform(-3.0, 6.0, 5))]
        celsius = RNG.uniform(0.0, 60.0, 6)
        cool = Ambient(starts_s, celsius)
        warm = Ambient(starts_s, celsius + RNG.choice([0.0, 20.0], 6))
        now_s = 10.0 ** RNG.uniform(-3.0, 7.0)
        start_s = RNG.choice([0.0, 20.0])
        assert age_s(warm, 0.0, now_s, start_s) >= age_s(cool, 0.0, now_s, start_s)


def test_a_period_is_the_profile_written_out():
    starts_s, celsius, period_s = np.array([0.0, 0.1, 0.7]), [20.0, 80.0, 40.0], 0.9
    periodic = Ambient(starts_s, celsius, period_s)
    written = Ambient(np.concatenate([starts_s + k * period_s for k in range(50)]), celsius * 50)
    for begin_s, now_s in ((0.0, 0.05), (0.3, 17.32), (2.71, 44.9), (0.0, 9.0)):
        assert periodic.at(now_s) == written.at(now_s)
        expected = age_s(written, begin_s, now_s)
        assert age_s(periodic, begin_s, now_s) == pytest.approx(expected, rel=1e-12)


def test_each_temperature_holds_from_its_start_on():
    assert [
        OFFICE.at(t_s) for t_s in (0.0, 899.9, 900.0, DAY_S - 1e-3, DAY_S, 30 * DAY_S + 901)
    ] == [OFFICE.temperature_c[i] for i in (0, 0, 1, 95, 0, 1)]
    tenth = Ambient((0.0, 0.03), (1.0, 2.0), 0.1)
    for cycle in range(1, 2000):
        assert tenth.at(cycle * 0.1) == 1.0
        assert tenth.at(math.nextafter(cycle * 0.1, 0.0)) == 2.0


def test_the_answer_does_not_depend_on_what_was_asked_before():
    times_s = np.geomspace(1.0, 365 * DAY_S, 50)
    fresh = [
        age_s(Ambient(OFFICE.starts_s, OFFICE.temperature_c, DAY_S), 0.5, 0.5 + t) for t in times_s
    ]
    for order in (np.arange(50), np.arange(50)[::-1], RNG.permutation(50)):
        one = Ambient(OFFICE.starts_s, OFFICE.temperature_c, DAY_S)
        asked = {i: age_s(one, 0.5, 0.5 + times_s[i]) for i in order}
        assert [asked[i] for i in range(50)] == fresh


def test_devices_written_at_other_times_or_with_other_laws_are_not_mixed_up():
    one = Ambient((0.0, 100.0), (25.0, 85.0))
    again = Ambient((0.0, 100.0), (25.0, 85.0))
    first = [age_s(one, begin_s, 1e4) for begin_s in (0.0, 50.0)]
    assert first[0] > first[1] == age_s(again, 50.0, 1e4)
    assert age_s(one, 0.0, 1e4, 4000.0) == age_s(again, 0.0, 1e4, 4000.0) > age_s(one, 0.0, 1e4)
    args = (math.log(20.0 / TAU_S), 0.0, 1e4)
    assert one.log_age(*args, 30.0, TAU_S) == again.log_age(*args, 30.0, TAU_S)
    assert one.log_age(*args, 30.0, TAU_S) < one.log_age(*args, 25.0, TAU_S)


def test_what_is_remembered_does_not_grow_without_end(monkeypatch):
    monkeypatch.setattr("pcmsim.devices.ambient._MOST_REMEMBERED", 3)
    one = Ambient((0.0, 100.0), (25.0, 85.0))
    ages = [age_s(one, begin_s, 1e4) for begin_s in range(10)]
    assert len(one._passed) <= 3
    assert ages == [age_s(one, begin_s, 1e4) for begin_s in range(10)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (((0.0, 5.0, 5.0), (25.0, 26.0, 27.0)), "must increase; 5 s follows 5 s"),
        (((0.0, 5.0, 4.0), (25.0, 26.0, 27.0)), "must increase; 4 s follows 5 s"),
        (((1.0,), (25.0,)), "must start at 0 s; it starts at 1 s"),
        (((0.0, 1.0), (25.0,)), "got 1 temperatures and 2 starts"),
        (((0.0,), (math.nan,)), "temperature_c must be a row of finite numbers"),
        (((0.0, math.inf), (20.0, 20.0)), "starts_s must be a row of finite numbers"),
        (((), ()), "starts_s must be a row"),
        (((0.0,), ("warm",)), "temperature_c must be numbers"),
        (((0.0,), (-274.0,)), "above -273.15"),
        (((0.0, 10.0), (20.0, 21.0), 10.0), "period_s must be finite and above 10 s"),
        (((0.0, 10.0), (20.0, 21.0), math.nan), "period_s must be finite and above 10 s"),
    ],
)
def test_profiles_that_are_none_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        Ambient(*given)


def test_times_that_are_not_known_and_endless_periods_are_refused():
    with pytest.raises(UsageError, match="from 0 s on; asked for -1 s"):
        OFFICE.at(-1.0)
    with pytest.raises(UsageError, match="make the pieces or the period longer"):
        age_s(Ambient((0.0, 5e-7), (20.0, 30.0), 1e-6), 0.0, 1e9)
