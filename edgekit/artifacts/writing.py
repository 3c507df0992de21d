"""Files that are whole or absent. No link is followed, and what can't be written is named by its own path."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from edgekit.artifacts.scratch import part_file
from edgekit.artifacts.strict_json import json_text
from edgekit.errors import InputError
from edgekit.reading import StrPath


def write_bytes(path: StrPath, content: bytes) -> Path:
    """Write a file at once; see `written_file`."""
    with written_file(path) as file:
        file.write(content)
    return Path(path)


@contextlib.contextmanager
def written_file(path: StrPath) -> Iterator[BinaryIO]:
    """A file beside `path` to write to, renamed when the block has ended well: readers see the old file or the new one,
    never a part. Makes folders.

    A link at `path` is replaced, not followed. An existing file's rights stay; a new file has those that the umask
    leaves. Raises OSError that names `path`, InputError where a device, a pipe or a folder stands there.
    """
    path = Path(path)
    mode = _mode_there(path)
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with part_file(path.parent) as (file, place):
            yield file
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                place.chmod(mode)
            if os.name == "nt":
                file.close()  # Windows renames no open file
            place.replace(path)


def write_text(path: StrPath, text: str) -> Path:
    """`write_bytes` of UTF-8. Bytes of a path that were no text are written as they were; a half of a surrogate pair,
    which is no character, as its number."""
    try:
        content = text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        content = text.encode(errors="backslashreplace")
    return write_bytes(path, content)


def write_json(path: StrPath, content: Any) -> Path:
    """`content` as indented JSON, atomically. Refuses NaN, which is no JSON."""
    return write_bytes(path, (json_text(content, indent=2) + "\n").encode())


def real_place(path: StrPath) -> Path:
    """Where a path leads, every link followed: what tells whether two names are one file. A link that leads to itself
    stays as it is, for whoever opens it to refuse."""
    return Path(os.path.realpath(path))


def append_text(path: StrPath, text: str) -> None:
    """Add to the end of a file, for a log that grows. Raises OSError for a link, which is not followed."""
    path = Path(path)
    with _named(path):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags, 0o666), "ab") as file:
            file.write(text.encode(errors="surrogateescape"))


def refuse_unwritable(path: StrPath) -> None:
    """For commands that work long before they write: raises InputError where no file can be made at `path`, as far as
    the folders' rights tell. Nothing is made."""
    path = Path(path)
    place = next((above for above in path.absolute().parents if os.path.exists(above)), Path(os.sep))  # noqa: PTH110
    if not place.is_dir():
        raise InputError(f"{path}: can't be written: {place} is no folder; name a place of yours")
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"{path}: can't be written: you may make no files in {place}; name a place of yours")


def refuse_link(path: StrPath) -> None:
    """Raises InputError where `path` is a link: for libraries that would follow it and write behind it."""
    path = Path(path)
    if path.is_symlink():
        raise InputError(f"{path}: is a link, and edgekit writes no file through a link; remove it")


def _mode_there(path: Path) -> int | None:
    """The rights of the file at `path`; None where there is none, or a link. Raises InputError for what is no file."""
    try:
        there, behind = path.lstat(), path.stat()
    except OSError:  # nothing there, a link to nothing, or a folder that can't be entered: writing will say so
        return None
    if not stat.S_ISREG(behind.st_mode):
        kind = "a folder" if stat.S_ISDIR(behind.st_mode) else "a device or a pipe"
        raise InputError(f"{path}: is {kind}, and a file was to be written there; choose another name")
    return None if stat.S_ISLNK(there.st_mode) else stat.S_IMODE(there.st_mode)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """An OSError from inside names `path`, not the temporary file beside it, and says a link for what it is."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        reason = "is a link, which is not followed" if error.errno == errno.ELOOP else error.strerror
        raise OSError(error.errno, reason, str(path)) from None
