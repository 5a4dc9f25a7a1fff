"""Numbers, laws and sources as a reader wants to see them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DOI = re.compile(r"doi:(10\.\d{4,9}/[^\s,;<>\"']*[^\s,;<>\"'.):])")
_UNITS = {"uS": "µS", "1": "–", "": "–"}


def number(value: float) -> str:
    """Write a plain number; `value` may be huge or tiny.

    >>> number(25.0), number(2.5e-7), number(-0.0125)
    ('25', '2.5e-07', '−0.0125')
    """
    return f"{value:.6g}".replace("-", "−", 1) if value < 0 else f"{value:.6g}"


def count(value: float) -> str:
    """Write a count or a mean of counts.

    >>> count(12345.0), count(2.5), count(12345.5)
    ('12,345', '2.5', '12,346')
    """
    return f"{value:,.1f}" if value < 100.0 and value != round(value) else f"{value:,.0f}"


def value(found: Any) -> str:
    """Write a value of a parameter set: a number, a word, or a law of g = G/g_max.

    >>> value({"polynomial": [0.2635, 1.965, -1.1731]}), value({"constant": 0.5}), value(True)
    ('0.2635 + 1.965 g − 1.1731 g²', '0.5', 'yes')
    >>> value({"slope": -0.0155, "intercept": 0.0244, "low": 0.049, "high": 0.1})
    '−0.0155 ln g + 0.0244, within 0.049 … 0.1'
    """
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int | float):
        return number(found)
    if isinstance(found, Mapping):
        return _law(found)
    if isinstance(found, Sequence) and not isinstance(found, str):
        return ", ".join(value(item) for item in found)
    return str(found)


def unit(found: str) -> str:
    """Write a unit as printed.

    >>> unit("uS"), unit("s")
    ('µS', 's')
    """
    return _UNITS.get(found, found)


def linked(text: str) -> Markup:
    """Text in which each `doi:10...` is a link; everything else is escaped.

    >>> linked("a < b (doi:10.1063/1.5042408).")
    Markup('a &lt; b (<a href="https://doi.org/10.1063/1.5042408">doi:10.1063/1.5042408</a>).')
    """
    parts = _DOI.split(text)
    linked = [
        Markup('<a href="https://doi.org/{0}">doi:{0}</a>').format(part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    ]
    return Markup("").join(linked)


def breakable(name: str) -> Markup:
    """Let a long name break after its underscores.

    >>> breakable("t_read_s")
    Markup('t_<wbr>read_<wbr>s')
    """
    return Markup("_<wbr>").join(name.split("_"))


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Rows of a nested dictionary.

    >>> flat({"seed": 1, "versions": {"numpy": "2.4"}, "git_commit": None})
    [('seed', '1'), ('versions numpy', '2.4'), ('git commit', 'unknown')]
    """
    rows = []
    for key, found in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(found, Mapping):
            rows += flat(found, f"{name} ")
        else:
            rows.append((name, "unknown" if found is None else value(found)))
    return rows


def _law(law: Mapping[str, Any]) -> str:
    match sorted(law):
        case ["constant"]:
            return value(law["constant"])
        case ["polynomial"]:
            return _polynomial(law["polynomial"])
        case ["high", "intercept", "low", "slope"]:
            line = f"{number(law['slope'])} ln g {_signed(law['intercept'])}"
            return f"{line}, within {number(law['low'])} … {number(law['high'])}"
        case ["coefficient", "exponent", "high"]:
            power = f"{number(law['coefficient'])} g^{number(law['exponent'])}"
            return f"{power}, at most {number(law['high'])}"
        case ["a", "b"]:
            return f"1 / ({number(law['a'])} {_signed(law['b'])} g)"
        case ["above", "below", "threshold"]:
            below, above = value(law["below"]), value(law["above"])
            return f"{below} for g < {number(law['threshold'])}, else {above}"
    return "; ".join(f"{key} {value(item)}" for key, item in law.items())


def _polynomial(coefficients: Sequence[float]) -> str:
    text = number(coefficients[0]) if coefficients else "0"
    for power, coefficient in enumerate(coefficients[1:], start=1):
        text += f" {_signed(coefficient)} g"
        text += str(power).translate(_SUPERSCRIPTS) if power > 1 else ""
    return text


def _signed(number_: float) -> str:
    return f"{'−' if number_ < 0 else '+'} {number(abs(number_))}"


def metric(value: float, like: float | None = None) -> str:
    """Three decimals; four where `like`, or the value itself, is below one, as error rates are.

    >>> metric(8.4361), metric(0.0085), metric(0.0121, like=8.4361)
    ('8.436', '0.0085', '0.012')
    """
    return f"{value:.{_decimals(value if like is None else like)}f}"


def change(value: float, like: float) -> str:
    """A difference of values like `like`, with its sign.

    >>> change(0.0341, 8.4361), change(-0.0017, 0.0085)
    ('+0.034', '-0.0017')
    """
    return f"{value:+.{_decimals(like)}f}"


def _decimals(value: float) -> int:
    return 3 if abs(value) >= 1.0 else 4
