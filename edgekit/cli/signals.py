"""Ctrl-C, SIGTERM and a terminal that closes: the first ends the command in good order, a second one at once.

In good order: everything on the way out is closed and removed, and finished work is kept. At once: processes that this
one has started are killed, its temporary files removed, and nothing else. So does the first one amid an import.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

from edgekit.cli.terminal import complain

#: Where the system has them.
ANSWERED = ("SIGINT", "SIGTERM", "SIGHUP")

_received: list[int] = []
_process: list[int] = []


def listen() -> None:
    """Answer from now on. What is ignored stays ignored, as under nohup."""
    _process[:] = [os.getpid()]
    _received.clear()
    for name in ANSWERED:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) not in (None, signal.SIG_IGN):
            signal.signal(number, _answer)


def received() -> int | None:
    """The first signal that came, or None."""
    return _received[0] if _received else None


def tidy() -> None:
    """Kill the processes that this one has started, and remove its temporary files, where that has not been done."""
    try:
        _kill_children()
    finally:
        from edgekit.artifacts import discard_scratch

        discard_scratch()


def _answer(number: int, frame: FrameType | None) -> None:
    if os.getpid() not in _process:  # a fork that has not said what it does with signals
        os._exit(128 + number)
    _received.append(number)
    if len(_received) == 1 and not _importing(frame):
        raise KeyboardInterrupt
    _end_now()


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported: an exception then may leave an extension half set up, of which the process
    dies on its way out, or is swallowed by the import system."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib._bootstrap"):
            return True
        frame = frame.f_back
    return False


def ignore() -> None:
    """From now on: there is nothing left that a signal could end, and Python on its way out would die of one."""
    for name in ANSWERED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _end_now() -> None:
    ignore()
    complain("edgekit: interrupted")
    try:
        tidy()
    finally:
        os._exit(128 + _received[0])


def _kill_children() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
