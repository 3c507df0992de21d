"""Finds a C compiler, builds the shared library and the test program with it, and runs the latter."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.device.emulator.programs import compiler_commands
from edgekit.errors import EdgekitError, GateError
from edgekit.native.network import Arithmetic
from edgekit.native.program import FAST, STRICT
from edgekit.native.source import VARIANTS

#: Seconds that one call may take; the largest models take some tens.
PATIENCE_S = 600
#: And one that asks a compiler what it is.
PROBE_S = 60


@dataclass(frozen=True)
class Compiler:
    """command: with what CC has behind the name. version: its first line. machine: what it compiles for."""

    command: tuple[str, ...]
    version: str
    machine: str

    @property
    def family(self) -> str:
        """The kind of machine, such as x86_64 or aarch64."""
        return self.machine.partition("-")[0]

    def ways(self, arithmetic: Arithmetic) -> Mapping[str, tuple[str, ...]]:
        """The variants that a library has there beside the baseline, with their options."""
        return VARIANTS[self.family][arithmetic] if self.family in VARIANTS else {}


def find_compiler() -> Compiler | None:
    """The environment's CC, else cc, gcc or clang; None where there is none that answers. Raises ConfigError where CC
    is no command."""
    for command in compiler_commands():
        if shutil.which(command[0]):
            version, machine = (answer_of([*command, option]) for option in ("--version", "-dumpmachine"))
            if version and machine:
                return Compiler(tuple(command), version, machine)
    return None


def answer_of(command: Sequence[str]) -> str:
    """The first line that a program says; empty where it fails."""
    done = _ended(command, PROBE_S)
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""


def build_library(compiler: Compiler, folder: Path, name: str, arithmetic: Arithmetic) -> tuple[Path, tuple[str, ...]]:
    """lib<name>.so of what lies in `folder`, and the variants in it, the fastest first. Raises EdgekitError where the
    compiler fails."""
    variants = _variants(compiler, arithmetic)
    parts = [_part(compiler, folder, name, (), "baseline", _library_flags(compiler, arithmetic, variants))]
    for variant, flags in variants.items():
        parts.append(_part(compiler, folder, name, flags, variant, (f"-DEK_VARIANT={variant}",)))
    library = folder / library_name(name)
    run_tool([*compiler.command, "-shared", "-o", str(library), *map(str, parts), "-lm"])
    return library, (*variants, "baseline")


def library_name(name: str) -> str:
    """File name of a model's shared library."""
    return f"lib{name}.so"


def _variants(compiler: Compiler, arithmetic: Arithmetic) -> Mapping[str, tuple[str, ...]]:
    """Those whose options the compiler knows."""
    return {name: flags for name, flags in compiler.ways(arithmetic).items() if _knows(compiler, flags)}


def _knows(compiler: Compiler, flags: Sequence[str]) -> bool:
    return works([*compiler.command, *flags, "-x", "c", "-fsyntax-only", os.devnull])


def works(command: Sequence[str]) -> bool:
    """Whether a program ends well."""
    return _ended(command, PROBE_S).returncode == 0


def _library_flags(compiler: Compiler, arithmetic: Arithmetic, variants: Collection[str]) -> tuple[str, ...]:
    missing = [name for name in compiler.ways(arithmetic) if name not in variants]
    return ("-DEK_LIBRARY", *(f"-DEK_WITHOUT_{name}" for name in missing))


def _part(
    compiler: Compiler, folder: Path, name: str, flags: Sequence[str], variant: str, defined: Sequence[str]
) -> Path:
    made = folder / f"{name}.{variant}.o"
    options = [*STRICT, *FAST, *flags, "-fPIC", *defined]
    run_tool([*compiler.command, *options, "-c", str(folder / f"{name}.c"), "-o", str(made)])
    return made


def run_test(compiler: Compiler, folder: Path, name: str) -> str:
    """Builds the test program of `folder`, runs it, and returns what it says. Raises EdgekitError where the compiler
    fails, GateError where the program does not compute what it should."""
    program = folder / "test"
    sources = [str(folder / "test.c"), str(folder / f"{name}.c")]
    run_tool([*compiler.command, *STRICT, *FAST, "-o", str(program), *sources, "-lm"])
    return check([str(program)], f"{name}.c, compiled with {' '.join(compiler.command)},")


def check(command: Sequence[str], what: str) -> str:
    """What a test program says. Raises GateError where `what` does not compute what it should."""
    done = _ended(command, PATIENCE_S)
    if done.returncode:
        said = done.stdout.strip() or done.stderr.strip()[:300] or f"it ended with {done.returncode}"
        raise GateError(f"{what} does not compute what the model does: {said}; nothing is written")
    return done.stdout.strip()


def run_tool(command: Sequence[str]) -> None:
    """Raises EdgekitError with what a compiler or a linker says where it fails."""
    done = _ended(command, PATIENCE_S)
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[:300])
        raise EdgekitError(
            f"{command[0]} ended with {done.returncode}: {said}; nothing was written. If it fails on other programs,"
            " too, name another compiler in the variable CC"
        )


def _ended(command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """What a program left. Raises EdgekitError where it does not end in time; it is stopped then."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise EdgekitError(
            f"{command[0]} did not end within {seconds:g} s, and was stopped; nothing was written. Name a C compiler"
            " that answers in the variable CC"
        ) from None
