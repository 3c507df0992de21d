"""Temporary files and folders: gone with their block, gone at a second Ctrl-C, and, after `kill -9`, gone with the next
run.

Whoever makes one holds a lock on it (the kernel's, through `filelock`), which goes with the process. So whatever bears
the name and is held by nobody was left behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edgekit.reading import StrPath

#: Names of a file or folder that is being made beside its target, and of a folder in the system's temporary place.
BESIDE = re.compile(r"\.edgekit-[0-9a-f]{16}\.part")
APART = re.compile(r"edgekit-[a-z]+-[0-9a-f]{16}")
#: In a folder: the file that its maker holds.
HELD = ".held"
#: A folder without that file is somebody's who is just making it, or older.
YOUNG_S = 60.0

#: Errors of a disk, or of a user's share of it, that is full, and of a place that takes no file of that size.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

#: What this process has made and not yet removed, and the process that it belongs to: a fork inherits the list.
_mine: dict[Path, int] = {}
#: Where this process has cleared up already.
_cleared: set[Path] = set()


@contextlib.contextmanager
def part_file(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file in `folder`, open for writing, to be filled and renamed; removed where that has not happened."""
    clear_leftovers(folder)
    place = folder / f".edgekit-{secrets.token_hex(8)}.part"
    with passing(place), os.fdopen(_create(place), "wb") as file:
        yield file, place


@contextlib.contextmanager
def scratch_folder(purpose: str, beside: StrPath | None = None) -> Iterator[Path]:
    """An empty folder that only this user can enter, removed afterwards.

    purpose: a word for its name. It lies in the system's place for temporary files, or, with `beside`, in the folder of
    that path, so that what is made in it can be renamed there. Raises OSError that names the place, and not what was
    copied from elsewhere, when it is full or takes no file of that size.
    """
    beside = None if beside is None else Path(beside)
    where = Path(tempfile.gettempdir()) if beside is None else beside.parent
    clear_leftovers(where)
    token = secrets.token_hex(8)
    place = where / (f"edgekit-{purpose}-{token}" if beside is None else f".edgekit-{token}.part")
    with passing(place), _naming(where, place, temporary=beside is None):
        held = _held_folder(place)
        try:
            yield place
        finally:
            os.close(held)


@contextlib.contextmanager
def _naming(where: Path, place: Path, temporary: bool) -> Iterator[None]:
    """Errors of a place that is full name `where`, which `place` lies in; of temporary files with what moves them."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or not _is_inside(place, error):
            raise
        advice = " (where temporary files go; the variable TMPDIR names another place)" if temporary else ""
        raise OSError(error.errno, f"{error.strerror}{advice}", str(where)) from None


@contextlib.contextmanager
def replaced_folder(path: StrPath) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of `path`, which may exist, when the block ends without an error.

    Whatever happens, and `kill -9` at any moment included, `path` is the old folder or the new one, if not at once then
    after the next run.
    """
    path = Path(path)
    with scratch_folder("folder", beside=path) as beside:
        made, old = beside / "new", beside / "old"
        made.mkdir()
        yield made
        (beside / "target").write_bytes(os.fsencode(path.name))
        if path.exists():
            made.chmod(stat.S_IMODE(path.stat().st_mode))
            path.rename(old)
        made.rename(path)


def clear_leftovers(folder: StrPath, again: bool = False) -> None:
    """Remove what killed processes left in `folder`, once a process unless `again`. What can't be removed is left in
    peace."""
    folder = Path(folder)
    folder = folder.absolute()
    if folder in _cleared and not again:
        return
    _cleared.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in [entry for entry in entries if _bears_the_name(entry)]:
            with contextlib.suppress(OSError):
                _clear(Path(entry.path), entry.is_dir(follow_symlinks=False))


def discard_scratch() -> None:
    """Remove everything that this process has not yet removed itself; for a process that is about to end."""
    for place, owner in list(_mine.items()):
        if owner == os.getpid():
            _remove(place)


@contextlib.contextmanager
def passing(place: Path) -> Iterator[None]:
    """Something that is to be at `place` only as long as the block runs, however the process ends but for `kill -9`."""
    _mine[place] = os.getpid()
    try:
        yield
    finally:
        _remove(place)


def _remove(place: Path) -> None:
    """A file, or a folder with all that is in it; a folder that was to be replaced is put back first."""
    if place.is_dir() and not place.is_symlink():
        _restore(place)
        shutil.rmtree(place, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            place.unlink(missing_ok=True)
    _mine.pop(place, None)


def _restore(place: Path) -> None:
    old, target = place / "old", place / "target"
    if old.is_dir() and target.is_file():
        path = place.parent / Path(os.fsdecode(target.read_bytes())).name
        if not os.path.lexists(path):
            old.rename(path)


def _is_inside(place: Path, error: OSError) -> bool:
    """Whether an error speaks of what lies in `place`, or does not say of what."""
    named = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    return not named or any(Path(name).is_relative_to(place) for name in named)


def _bears_the_name(entry: os.DirEntry[str]) -> bool:
    name = BESIDE.fullmatch(entry.name) or (APART.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False))
    return bool(name) and _own(entry)


def _own(entry: os.DirEntry[str]) -> bool:
    return not hasattr(os, "geteuid") or entry.stat(follow_symlinks=False).st_uid == os.geteuid()


def _clear(place: Path, folder: bool) -> None:
    try:
        handle = os.open(place / HELD if folder else place, os.O_RDWR | _NO_LINK)
    except FileNotFoundError:
        if folder and time.time() - place.lstat().st_mtime > YOUNG_S:
            _remove(place)
        return
    try:
        if _hold(handle, blocking=False):
            _remove(place)
    finally:
        os.close(handle)


@contextlib.contextmanager
def taking_turns(folder: StrPath) -> Iterator[None]:
    """While the block runs, no other process that takes turns in the same folder runs its own. Where folders can't be
    held, as on Windows, all run at once."""
    try:
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        yield
        return
    try:
        _hold(handle, blocking=True)
        yield
    finally:
        os.close(handle)


#: Flags of os.open that Windows lacks or wants.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _held_folder(place: Path) -> int:
    """A new folder that this process holds: a descriptor of the file in it that says so."""
    while True:
        place.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # somebody cleared the folder away before it was held
            return _create(place / HELD)


def _create(place: Path) -> int:
    """A new file that this process holds: a descriptor. Its rights are those that the umask leaves."""
    while True:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666)
        _hold(handle, blocking=True)
        if os.fstat(handle).st_nlink:  # else somebody cleared it away before it was held
            return handle
        os.close(handle)


def _hold(handle: int, blocking: bool) -> bool:
    """Whether this process holds the file now. Where the file system knows no locks, everything counts as held."""
    from filelock import lock_descriptor

    try:
        return lock_descriptor(handle, blocking=blocking)
    except OSError:
        return False
