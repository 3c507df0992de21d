"""Programs of this machine that the emulator needs, and how they are run."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.errors import ConfigError, InputError

#: C compilers, looked for in this order, where the environment's CC names none.
COMPILERS = ("cc", "gcc", "clang")
#: Seconds that one program may take; a download of some ten megabytes takes longest.
PATIENCE_S = 600.0

Word = str | Path


def compiler_commands() -> list[list[str]]:
    """What the environment's CC says, else cc, gcc and clang, whether they are there or not. Raises ConfigError where
    CC is no command."""
    said = os.environ.get("CC", "")
    try:
        words = shlex.split(said)
    except ValueError as error:
        raise ConfigError(
            f"the variable CC is {said!r:.80}, which is no command ({error}); name a C compiler"
        ) from error
    return [words] if words else [[name] for name in COMPILERS]


def c_compiler() -> list[str]:
    """The first of them that is there. Raises InputError where none is."""
    for command in compiler_commands():
        if shutil.which(command[0]):
            return command
    raise InputError("the emulator's plugin is compiled here, and no C compiler is found: install gcc, or set CC")


def run_program(
    command: Sequence[Word],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    patience_s: float = PATIENCE_S,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, however that is. environment: all of its variables, where they are not this process's.
    Raises InputError where it is not there or does not end in time."""
    words = [str(word) for word in command]
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=folder,
            env=environment,
            timeout=patience_s,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise InputError(f"{words[0]}: no such program; install it first") from None
    except subprocess.TimeoutExpired:
        raise InputError(f"{words[0]} did not end within {patience_s:g} s, and was stopped") from None


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a program wrote to stderr, or how it ended."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"it ended with {done.returncode} and said nothing"
