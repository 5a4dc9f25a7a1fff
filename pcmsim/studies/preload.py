"""What a worker of this machine loads when it starts.

Ctrl-C in a terminal reaches every process of the command. It is meant for the command alone, which
writes what is done and then ends its workers.
"""

import logging
import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C to the command, and to it what there is to say of it; called by Dask."""
    logging.getLogger("distributed").setLevel(logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
