"""Units of time and how times are shown, and what a likelihood of words is in perplexity.

Conductances are in microsiemens throughout.
"""

import math

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0
YEAR_S = 365.0 * DAY_S

BOLTZMANN_EV_PER_K = 8.617333262e-5  # exact by the SI of 2019, to ten digits
ZERO_CELSIUS_K = 273.15

# Times after programming at which results are usually told.
LANDMARKS_S = (1.0, MINUTE_S, HOUR_S, DAY_S, 4 * DAY_S)

_STEPS = ((YEAR_S, "y"), (DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min"), (1.0, "s"))


def format_duration(t_s: float) -> str:
    """Write a time in the largest unit that keeps it at or above one.

    >>> [format_duration(t_s) for t_s in (0.5, 90.0, 3600.0, 345600.0)]
    ['0.5 s', '1.5 min', '1 h', '4 d']
    """
    for size, name in _STEPS:
        if t_s >= size:
            return f"{t_s / size:.3g} {name}"
    return f"{t_s:.3g} s"


def perplexity(metric: float, unit: str) -> float | None:
    r"""Perplexity :math:`\exp(E)` of a negative log-likelihood E [nat/word]; None of other units.

    As many words, all equally likely, would be as hard to guess. Finite whatever the metric is: 700
    nat/word are taken as the most.

    >>> round(perplexity(math.log(30), "nat/word"), 9), perplexity(8.4, "nat/step")
    (30.0, None)
    """
    return math.exp(min(metric, 700.0)) if unit == "nat/word" else None
