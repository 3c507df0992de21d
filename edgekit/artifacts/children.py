"""Processes that end with the one that started them, however that ends."""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int | None) -> None:
    """Let the system kill this process when `parent`, which started it, ends: Linux alone can.

    None: it lives on. `measure/worker.py`, which imports nothing of edgekit, has this function, too.
    """
    if parent is None or not sys.platform.startswith("linux"):
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:  # it ended before
        os._exit(1)
