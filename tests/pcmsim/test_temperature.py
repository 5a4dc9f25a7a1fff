import numpy as np
import pytest
from pydantic import ValidationError

from pcmsim.config import Temperature, evaluated
from pcmsim.errors import UsageError

T_S = np.array([0.0, 1.5, 7200.0])


@pytest.mark.parametrize(
    ("formula", "by_hand"),
    [
        ("23 + 3*sin(2*pi*t_s/86400)", 23 + 3 * np.sin(2 * np.pi * T_S / 86400)),
        ("min(25, t_s, 30) - max(1, t_s//2)", np.minimum(25, T_S) - np.maximum(1, T_S // 2)),
        ("-t_s % 7 + 2**-abs(-3) + floor(2.7)", -T_S % 7 + 2.125),
        (" sqrt(exp(cos(t_s))) / 2 ", np.exp(0.5 * np.cos(T_S)) / 2),
        ("21", np.full(3, 21.0)),
    ],
)
def test_formulas_are_arithmetic_of_the_time(formula, by_hand):
    np.testing.assert_allclose(evaluated(formula, T_S), by_hand, rtol=1e-15)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("__import__('os').getcwd()", "it may use t_s, pi"),
        ("t_s.__class__", "it may use"),
        ("[20 for x in t_s]", "it may use"),
        ("25 if t_s else 20", "it may use"),
        ("(lambda: 20)()", "it may use"),
        ("20; 21", "it may use"),
        ("x = 20", "it may use"),
        ("20 +", "it may use"),
        ("", "it may use"),
        ("sin", "it may use"),
        ("tan(t_s)", "it may use"),
        ("T + 1", "it may use"),
        ("sin(1, t_s)", "2 arguments where 1 belong"),
        ("min(t_s)", "two or more"),
        ("t_s < 5", "it may use"),
        ("10**400", "gives inf at t_s = 0 s"),
        ("9**9**9**9", "gives inf"),
        ("1" * 400, "it may use"),
        ("20 + 0/t_s", "gives nan at t_s = 0 s"),
        ("sqrt(1 - t_s)", "gives nan at t_s = 1.5 s"),
        ("1j", "it may use"),
        ("-" * 999 + "1", "formula"),
        ("1+" * 600 + "1", "1201 characters"),
    ],
)
def test_what_is_no_formula_is_refused(formula, message):
    with pytest.raises(UsageError, match=message):
        evaluated(formula, T_S)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "exactly one of celsius, csv and formula"),
        ({"celsius": 25.0, "csv": "a.csv"}, "exactly one"),
        ({"celsius": -300.0}, "greater than -273.15"),
        ({"celsius": float("nan")}, "finite number"),
        ({"celsius": "25"}, "valid number"),
        ({"celsius": 25.0, "period_s": 10.0}, "period_s belongs to"),
        ({"csv": "a.csv", "step_s": 10.0}, "step_s belongs to"),
        ({"formula": "25", "step_s": 0.0}, "greater than 0"),
        ({"formula": "25", "period_s": -1.0}, "greater than 0"),
        ({"formula": "tan(t_s)"}, "it may use"),
        ({"celcius": 25.0}, "Extra inputs"),
    ],
)
def test_sections_that_say_too_little_or_too_much_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        Temperature(**given)
