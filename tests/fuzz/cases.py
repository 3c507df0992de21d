"""What a case is: a command, the files that it meets, and what it may leave."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .mutate import raw

#: In every name of a changed file, so that messages can be asked whether they name it.
CORE = "victim"
#: Where FIFOs and devices stand in for files, and what a name may look like.
NAMES = (
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "with space ",
    "\x1b[31m",
    "é",
    "\u202e",
    "new\nline ",
    "-",
    "\udcff",
    "'\"",
    "%s{}",
    "$(x)",
)

Mutator = Callable[[Random, bytes], tuple[bytes, str]]
Check = Callable[[], list[str]]


@dataclass(frozen=True)
class Case:
    """One command in the current folder.

    argv: after `edgekit`. recipe: what was done to which seed, for people. stdin: what comes in. names: one of these
    words must be in the message of an exit 2; none: whatever it says. may_write: names of files or folders here that
    it may make or change; a folder with an exit 2, too. lines: stdout is a JSON value a line, not one. check: what is
    wrong with what an exit 0 left, in words.
    """

    argv: tuple[str, ...]
    recipe: str
    stdin: bytes = b""
    names: tuple[str, ...] = (CORE,)
    may_write: tuple[str, ...] = ()
    lines: bool = False
    check: Check | None = None


def odd_name(rng: Random, suffix: str) -> str:
    """A file's name that holds CORE."""
    prefix = rng.choice(NAMES) if rng.random() < 0.3 else ""
    return f"{'./' if prefix == '-' else ''}{prefix}{CORE}{suffix}"


def place(rng: Random, seed: Path, mutators: tuple[Mutator, ...], suffix: str | None = None) -> tuple[str, str]:
    """A changed copy of a seed in the current folder: its name and what was done. Rarely something that is no file."""
    name = odd_name(rng, seed.suffix if suffix is None else suffix)
    if rng.random() < 0.03:
        return name, f"{seed.name}: {special(rng, Path(name))}"
    content, done = changed(rng, seed.read_bytes(), mutators)
    Path(name).write_bytes(content)
    return name, f"{seed.name}: {done}"


def changed(rng: Random, content: bytes, mutators: tuple[Mutator, ...]) -> tuple[bytes, str]:
    """One to four changes, mostly one."""
    steps = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 4))):
        content, done = careful(rng, content, rng.choice(mutators))
        steps.append(done)
    return content, "; ".join(steps)


def careful(rng: Random, content: bytes, mutator: Mutator) -> tuple[bytes, str]:
    """A change; of bytes, where what was changed before can't be read any more."""
    try:
        return mutator(rng, content)
    except Exception:
        return raw.mutate(rng, content)


def special(rng: Random, path: Path) -> str:
    """Something else where a file is expected."""
    kind = rng.choice(
        ("fifo", "folder", "dangling link", "link to itself", "device", "sparse", "missing", "null device", "socket")
    )
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "null device":
        path.symlink_to("/dev/null")
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(5 * 2**30)
    elif kind == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path) if path.is_absolute() else path.name)
    return kind


def copy(source: Path, name: str) -> str:
    """An unchanged copy in the current folder."""
    shutil.copytree(source, name) if source.is_dir() else shutil.copyfile(source, name)
    return name
