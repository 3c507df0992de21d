"""Signals around the processes that training starts."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

#: What a terminal, or whoever ends a job, may send to all of its processes at once.
SENT_TO_ALL = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def answered_here() -> Iterator[None]:
    """Processes started inside never see Ctrl-C, SIGTERM or SIGHUP, from their first moment on: this process answers
    them, and kills its own. Where the system can't hold signals back (Windows), nothing is changed."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {getattr(signal, name) for name in SENT_TO_ALL})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
