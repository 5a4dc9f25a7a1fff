"""Values of parameter sets as text."""


def text(value: object) -> str:
    r"""A number with four digits, lists on one line, one line for each part of a law.

    >>> text({"low": 0.123456, "x": [1.0, 2.0]})
    'low 0.1235\nx 1, 2'
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(text(x) for x in value)
    if isinstance(value, dict):
        return "\n".join(f"{key} {text(x)}" for key, x in value.items())
    return "" if value is None else str(value)
