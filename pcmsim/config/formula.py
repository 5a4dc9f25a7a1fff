"""Formulas of the time that a configuration may hold, evaluated without running code."""

import ast
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpleeval import InvalidExpression, SimpleEval

from pcmsim.errors import UsageError

_LONGEST = 1000
_KNOWN = "t_s, pi, sin, cos, exp, sqrt, abs, min, max, floor, numbers and + - * / // % **"


def evaluated(formula: str, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of `formula` at the times `t_s` [s], in their shape.

    It may use t_s, pi, sin, cos, exp, sqrt, abs, min, max, floor, numbers and arithmetic.
    Raises `UsageError` for anything else, and for values that are not finite.

    >>> evaluated("23 + 3*sin(2*pi*t_s/86400)", np.array([0.0, 21600.0]))
    array([23., 26.])
    """
    if len(formula) > _LONGEST:
        raise UsageError(f"formula has {len(formula)} characters; write at most {_LONGEST}")
    try:
        tree = ast.parse(formula.strip(), mode="eval").body
        with np.errstate(all="ignore"):
            values = np.asarray(_evaluator(t_s).eval(formula, tree), dtype=np.float64)
    except (InvalidExpression, SyntaxError, ValueError, TypeError, ArithmeticError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"formula {formula!r:.60}: {reason:.100}; it may use {_KNOWN}") from None
    except (RecursionError, MemoryError):
        raise UsageError(f"formula {formula!r:.60} is nested too deeply") from None
    values = np.broadcast_to(values, t_s.shape)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        t, value = t_s.flat[wrong[0]], values.flat[wrong[0]]
        raise UsageError(f"formula {formula!r:.60} gives {value:g} at t_s = {t:g} s")
    return values


def _evaluator(t_s: NDArray[np.float64]) -> SimpleEval:
    """An evaluator of arithmetic on arrays, which knows no other syntax."""
    evaluator = SimpleEval(
        operators={
            ast.Add: _real(np.add),
            ast.Sub: _real(np.subtract),
            ast.Mult: _real(np.multiply),
            ast.Div: _real(np.true_divide),
            ast.FloorDiv: _real(np.floor_divide),
            ast.Mod: _real(np.mod),
            ast.Pow: _real(np.float_power),
            ast.USub: _real(np.negative),
            ast.UAdd: _real(np.positive),
        },
        functions={
            **{name: _real(getattr(np, name)) for name in ("sin", "cos", "exp", "sqrt", "floor")},
            "abs": _real(np.abs),
            "min": _of_all(np.minimum),
            "max": _of_all(np.maximum),
        },
        names={"t_s": t_s, "pi": np.pi},
    )
    known = (ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.Call)
    evaluator.nodes = {kind: evaluator.nodes[kind] for kind in known}
    return evaluator


def _real(function: np.ufunc) -> Callable[..., Any]:
    """The function of real numbers alone: whole ones would grow without end."""

    def applied(*arguments: Any) -> Any:
        # numpy takes one more for the output.
        if len(arguments) != function.nin:
            raise ValueError(f"{len(arguments)} arguments where {function.nin} belong")
        return function(*(np.asarray(argument, dtype=np.float64) for argument in arguments))

    return applied


def _of_all(pair: np.ufunc) -> Callable[..., Any]:
    """The least or largest of two or more."""

    def applied(*arguments: Any) -> Any:
        if len(arguments) < 2:
            raise ValueError("min and max take two or more arguments")
        return reduce(_real(pair), arguments)

    return applied
