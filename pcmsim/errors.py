"""The two ways a user can be wrong, and the exit code of each.

Everything else that goes wrong is ours and leaves as an ordinary traceback (exit code 1).
"""


class PcmsimError(Exception):
    """A fault that one clear line explains: the thing, the value, what is allowed, the way out."""

    exit_code = 1


class UsageError(PcmsimError, ValueError):
    """A wrong argument or configuration: nothing was started. Exit code 2."""

    exit_code = 2


class DataError(PcmsimError, ValueError):
    """A file or data set that cannot be used, or a disk that refuses. Exit code 3."""

    exit_code = 3
