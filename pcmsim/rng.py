"""Named streams of chance: one seed, any number of independent generators.

A stream is addressed by names, never by the order in which it was asked for, so that adding
one moves no other: what is programmed does not depend on how often anything was read.
"""

import hashlib

import numpy as np

from pcmsim.errors import UsageError


def key(seed: int, *names: str | int) -> int:
    """64-bit key of a named stream, the seed of counter-based draws.

    >>> key(7, "noise", 0) == key(7, "noise", 0), key(7, "noise", 0) == key(7, "noise", 1)
    (True, False)
    """
    return _words(seed, names)[0]


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Independent generator of the stream `names` under `seed`.

    Raises `UsageError` if the seed is not a whole number of at least zero.

    >>> bool(stream(7, "write").random() == stream(7, "write").random())
    True
    """
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(_words(seed, names))))


def _words(seed: int, names: tuple[str | int, ...]) -> list[int]:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise UsageError(f"seed must be a whole number >= 0; got {seed!r}")
    text = repr((int(seed), tuple(f"{type(n).__name__}:{n}" for n in names)))
    digest = hashlib.sha256(text.encode()).digest()
    return [int.from_bytes(digest[i : i + 8], "little") for i in range(0, 32, 8)]
