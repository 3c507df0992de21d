"""One process at a time in a work directory."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekit.artifacts.manifest import EMPTY, MANIFEST, read_manifest
from edgekit.artifacts.scratch import clear_leftovers, passing
from edgekit.artifacts.writing import write_text
from edgekit.errors import EdgekitError, InputError, StateError
from edgekit.reading import FileKind, StrPath, read_file

LOCK = ".lock"
#: Tells who holds the lock, as long as it is held.
HOLDER = ".lock-holder"
HOLDER_KIND = FileKind("the number of a process", InputError, 100)


@contextlib.contextmanager
def lock(workdir: StrPath) -> Iterator[None]:
    """Hold the work directory for one process, and clear up what a killed one left in it.

    Raises StateError at once when another holds it, or it can't be used. The lock is the kernel's, through `filelock`:
    it goes with the process, so a crash leaves none behind. A link in its place is refused, never followed. Where an
    error ends what is done there, folders that were made for it and hold nothing are removed.
    """
    workdir = Path(workdir)
    from filelock import FileLock, Timeout

    held = FileLock(workdir / LOCK, timeout=0, thread_local=False)
    new = [folder for folder in (workdir, *workdir.parents) if not folder.exists()]
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except Timeout:
        raise StateError(f"{workdir}: in use by {_holder(workdir)}; wait for it or use another --workdir") from None
    except OSError as error:
        raise StateError(f"{workdir}: can't be used as a work directory: {_reason(workdir, error)}") from None
    try:
        _clear_up(workdir)
        with passing(workdir / HOLDER):
            write_text(workdir / HOLDER, str(os.getpid()))
            yield
    except EdgekitError:
        _remove_unused(new)
        raise
    finally:
        held.release()


def _remove_unused(new: Sequence[Path]) -> None:
    """new: the work directory, then those above it, as far as this process made them."""
    if not new or not {entry.name for entry in new[0].iterdir()} <= {LOCK, MANIFEST}:
        return
    if read_manifest(new[0]) != EMPTY:
        return
    for name in (MANIFEST, LOCK):
        (new[0] / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # another process may have put something there
        for folder in new:
            folder.rmdir()


def _holder(workdir: Path) -> str:
    try:
        return f"process {int(read_file(workdir / HOLDER, HOLDER_KIND))}"
    except (InputError, ValueError):
        return "another process"


def _reason(workdir: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP or (workdir / LOCK).is_symlink():
        return f"{workdir / LOCK} is a link, which is not followed; remove it"
    return str(error.strerror or error)


def _clear_up(workdir: Path) -> None:
    for folder, _, _ in os.walk(workdir):
        clear_leftovers(Path(folder))
