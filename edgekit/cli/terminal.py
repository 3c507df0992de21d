"""What goes to stdout and stderr: text without control characters, on streams that may be full, closed or gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from typing import IO

from edgekit.errors import InputError
from edgekit.text import plain

#: What reports are drawn with, where the stream's encoding lacks it: a table's rules, and no take in a matrix.
DRAWN = {ord("\u2500"): "-", ord("\u00b7"): "."}


def say(text: str) -> bool:
    """A result on stdout, at once. False when its reader has gone, as `head` goes: the rest goes nowhere.

    Raises InputError when it can't be written: a full disk, a closed stdout.
    """
    if sys.stdout is None:
        raise InputError("stdout is closed: the result has nowhere to go")
    return _told(_fitting(sys.stdout, text) + "\n")


def _told(text: str) -> bool:
    """`say` of text that is ready."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget(sys.stdout)
        return False
    except OSError as error:
        _forget(sys.stdout)
        raise InputError(f"stdout: the result can't be written: {error.strerror or error}") from None
    return True


class Line:
    """The last line of a terminal, written again and again in its place."""

    def __init__(self) -> None:
        self.shown = ""

    @property
    def works(self) -> bool:
        """Whether stdout is a terminal."""
        return sys.stdout is not None and sys.stdout.isatty()

    @property
    def width(self) -> int:
        """How many characters there is room for."""
        return max(shutil.get_terminal_size().columns - 1, 1)

    def show(self, text: str) -> bool:
        """Put the text there; False when nobody reads it any more. Raises InputError as `say` does."""
        fresh = _fitting(sys.stdout, text)
        if fresh == self.shown:
            return True
        blank = " " * max(len(self.shown) - len(fresh), 0)
        self.shown = fresh
        return _told(f"\r{fresh}{blank}")

    def leave(self) -> None:
        """What is there stays, and the next line begins."""
        if self.shown:
            _told("\n")
            self.shown = ""


def complain(text: str) -> None:
    """A line on stderr; where that can't be written, nobody is there to be told."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            _write(sys.stderr, text)


@contextlib.contextmanager
def apart_from_libraries() -> Iterator[None]:
    """Meanwhile edgekit's own words go to stderr, and what C libraries write there goes nowhere: those that decode
    pictures complain of every damaged one. Does nothing where stderr is not the process's own."""
    stream = sys.stderr
    if not _is_standard(stream):
        yield
        return
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    with os.fdopen(kept, "w", buffering=1, encoding=stream.encoding, errors=stream.errors) as own:
        os.dup2(nowhere, 2)
        os.close(nowhere)
        sys.stderr = own
        try:
            yield
        finally:
            sys.stderr = stream
            with contextlib.suppress(OSError):
                own.flush()
            os.dup2(kept, 2)


def _is_standard(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.fileno() == 2
    except (OSError, ValueError):  # a stream without a file, as in tests
        return False


def _write(stream: IO[str], text: str) -> None:
    stream.write(_fitting(stream, text) + "\n")
    stream.flush()


def _fitting(stream: IO[str], text: str) -> str:
    """The text without control characters, as the stream's encoding has it."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = plain(text)
    try:
        shown.encode(encoding)
    except UnicodeEncodeError:
        shown = shown.translate(DRAWN).encode(encoding, "backslashreplace").decode(encoding)
    return shown


def _forget(stream: IO[str]) -> None:
    """What is left in the stream's buffer goes nowhere, so that Python's own end does not try again and fail."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def open_streams() -> None:
    """Give stdin and stderr a place where they were closed, or the next file that is opened would become them.

    Raises InputError for a closed stdout, before anything is done whose result could not be told.
    """
    closed = [stream is None for stream in (sys.stdin, sys.stdout, sys.stderr)]
    while any(closed):
        handle = os.open(os.devnull, os.O_RDWR)
        if handle > 2:
            os.close(handle)
            break
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        raise InputError("stdout is closed: the result has nowhere to go")
