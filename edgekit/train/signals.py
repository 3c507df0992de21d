"""Signals around the processes that training starts."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

#: What a terminal, or whoever ends a job, may send to all of its processes at once.
SENT_TO_ALL = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextlib.contextmanager
def answered_here() -> Iterator[None]:
    """Processes started inside never see Ctrl-C, SIGTERM or SIGHUP, from their first moment on: this process answers
    them, and kills its own.

    What comes meanwhile is answered at the end: amid a fork, Python would drop the exception that an answer raises.
    Where the system can't hold signals back (Windows), the processes see them.
    """
    with _answered_later(), _blocked():
        yield


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """A mask goes along to forked and to new programs; other threads of this process still take the signals."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SENT_TO_ALL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _answered_later() -> Iterator[None]:
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    answers = {}
    if threading.current_thread() is threading.main_thread():  # no other may set them
        answers = {number: signal.getsignal(number) for number in SENT_TO_ALL}
    answers = {number: answer for number, answer in answers.items() if callable(answer)}
    for number in answers:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, answer in answers.items():
            signal.signal(number, answer)
        for number in came:
            signal.raise_signal(number)
