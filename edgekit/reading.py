"""Files that a user names: regular ones, no larger than a limit, and parsers whose every failure is the file's fault.

Every module that reads such a file has one `FileKind` for it, opens it here, and lets other people's parsers run only
inside `parsing`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgekit.errors import ConfigError, EdgekitError, InputError

#: What every public function takes as a path.
StrPath = str | os.PathLike[str]

#: Raises (or lowers) every limit: megabytes that may be read of one input.
LIMIT_VARIABLE = "EDGEKIT_MAX_READ_MB"
MB = 10**6

#: What is no regular file, as people call it.
_OTHERS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class FileKind:
    """One kind of file that users name.

    what: as people call it, with its article. error: what is raised for a bad one. most_bytes: the default limit, of
    the file and of what it unpacks to. advice: what to do about a damaged one; missing: about one that is not there
    [give it].
    """

    what: str
    error: type[InputError]
    most_bytes: int
    advice: str = "write it again"
    missing: str = ""

    def limit(self) -> int:
        """Bytes that may be read: EDGEKIT_MAX_READ_MB where it is set. Raises ConfigError when that is no number."""
        said = whole_number(LIMIT_VARIABLE, "megabytes")
        return self.most_bytes if said is None else said * MB


def whole_number(variable: str, unit: str) -> int | None:
    """What an environment variable says; None where it is not set. Raises ConfigError for anything but digits."""
    said = os.environ.get(variable, "").strip()
    if not said:
        return None
    if not said.isascii() or not said.isdigit() or not 1 <= len(said) <= 12 or int(said) == 0:
        raise ConfigError(f"{variable}: expected a whole number of {unit} from 1 on, got {said[:40]!r}")
    return int(said)


def refuse_large(size_bytes: int, where: object, kind: FileKind, holds: str = "holds") -> None:
    """Raises the kind's error for more bytes than its limit, before anybody allocates them. holds: the verb of the
    message, such as `would take` for what is not unpacked yet."""
    if size_bytes > kind.limit():
        needed = -(-size_bytes // MB)
        raise kind.error(
            f"{where}: {holds} {needed:,} MB, more than the {kind.limit() // MB:,} MB that edgekit reads of one input;"
            f" if it is right, set the environment variable {LIMIT_VARIABLE}={needed}"
        )


@contextlib.contextmanager
def open_file(path: StrPath, kind: FileKind) -> Iterator[BinaryIO]:
    """A regular file of at most the kind's limit, open for reading. Raises the kind's error for a missing or unreadable
    one, for a folder, pipe, socket or device (never waiting for one), and for one beyond the limit."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise kind.error(f"{path}: no such file; {kind.missing or f'give {kind.what}'}") from None
    except (OSError, ValueError) as error:
        raise kind.error(f"{path}: can't be read: {reason(error)}") from None
    if not stat.S_ISREG(mode):
        found = next((name for test, name in _OTHERS if test(mode)), "no regular file")
        raise kind.error(f"{path}: can't be read: it is {found}; give {kind.what} as a regular file")
    with os.fdopen(handle, "rb") as file:
        refuse_large(os.fstat(handle).st_size, path, kind)
        yield file


def read_file(path: StrPath, kind: FileKind) -> bytes:
    """Everything in a file; see `open_file`. Also refused: one that has no end, whatever its size says."""
    path = Path(path)
    with open_file(path, kind) as file, parsing(path, kind):
        content = file.read(kind.limit() + 1)
    refuse_large(len(content), path, kind)
    return content


def read_text(path: StrPath, kind: FileKind) -> str:
    """A file's text, UTF-8 with or without a byte order mark. Raises the kind's error for anything else."""
    path = Path(path)
    content = read_file(path, kind)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fault = f"not UTF-8 ({error.reason} at byte {error.start})"
        raise kind.error(f"{path}: can't be read as {kind.what}: {fault}; {kind.advice}") from None


@contextlib.contextmanager
def parsing(where: object, kind: FileKind, part: str = "") -> Iterator[None]:
    """Around a parser that edgekit did not write: whatever it raises becomes the kind's error, which names the file.

    part: what of it is read, such as an array's name. Errors of edgekit's own pass, and so does the user's Ctrl-C.
    Its warnings are for programmers, and stay unsaid.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except EdgekitError:
        raise
    except MemoryError:
        raise kind.error(f"{where}: {part}takes more memory than there is; {kind.advice}, or use less of it") from None
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # Rust's, under PyO3
            raise
        if isinstance(error, OSError) and error.errno is not None:
            raise kind.error(f"{where}: {part}can't be read: {reason(error)}") from None
        raise kind.error(f"{where}: {part}can't be read as {kind.what}: {reason(error)}; {kind.advice}") from None


def reason(error: BaseException) -> str:
    """The first line of what an error says, at most 200 characters, for the end of a message."""
    text = str(getattr(error, "strerror", None) or error).strip()
    name = type(error).__name__
    if isinstance(error, LookupError) or not text:  # a bare key or index says nothing
        text = f"{name}: {text}" if text else name
    return text.splitlines()[0][:200]
