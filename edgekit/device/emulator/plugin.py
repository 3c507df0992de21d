"""The plugin that counts (`plugin.c`): compiled for the emulator that is here, proven on a program whose instructions
are known, and read."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifacts import parse_json, scratch_folder, write_bytes
from edgekit.device.emulator.programs import c_compiler, last_words, run_program
from edgekit.errors import EdgekitError, InputError
from edgekit.reading import StrPath

SOURCE = Path(__file__).with_name("plugin.c")
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
#: Versions of the plugin interface, the newest first: an emulator takes older ones, too, and calls them wrongly.
VERSIONS = range(9, 0, -1)
KINDS = ("alu", "branch", "load_store", "vector_load_store", "vector", "other")


@dataclass(frozen=True)
class Counts:
    """What was executed: instructions by kind (`KINDS`). missed: lines of 64 bytes that the last cache did not hold."""

    kinds: Mapping[str, int]
    missed: int = 0

    @property
    def instructions(self) -> int:
        """Of all kinds."""
        return sum(self.kinds.values())

    def __sub__(self, earlier: Counts) -> Counts:
        kinds = {kind: self.kinds[kind] - earlier.kinds[kind] for kind in KINDS}
        return Counts(kinds, self.missed - earlier.missed)


@dataclass(frozen=True)
class Mark:
    """One line of the plugin. name: begin, end, stage or exit. counts: since the start. guest_bytes: resident memory of
    the guest, at a stage."""

    name: str
    counts: Counts
    guest_bytes: int = 0


def read_marks(path: StrPath) -> tuple[Mark, ...]:
    """What the plugin wrote. Raises EdgekitError for anything else."""
    try:
        return tuple(_mark(parse_json(line)) for line in Path(path).read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EdgekitError(f"{path}: the emulator's plugin wrote no counts ({error})") from None


def _mark(line: Mapping[str, Any]) -> Mark:
    counts = Counts({kind: int(line[kind]) for kind in KINDS}, int(line["missed"]))
    return Mark(str(line["mark"]), counts, int(line["guest_bytes"]))


def between(marks: Sequence[Mark]) -> list[Counts]:
    """What was executed from each begin to the end that follows it."""
    pairs = itertools.pairwise(marks)
    return [later.counts - mark.counts for mark, later in pairs if (mark.name, later.name) == ("begin", "end")]


def build_plugin(emulator: Sequence[str], target: StrPath, environment: Mapping[str, str] | None = None) -> int:
    """Write the plugin for this emulator to `target`; the version of the interface that it speaks.

    emulator: its command. environment: its variables. Raises InputError without a C compiler, and where the emulator
    takes no plugins; EdgekitError where it counts wrongly.
    """
    compiler = c_compiler()
    with scratch_folder("plugin") as folder:
        made, program = folder / "plugin.so", folder / "known"
        program.write_bytes(known_program(TURNS))
        program.chmod(0o700)
        for version in VERSIONS:
            built = run_program([*compiler, *FLAGS, f"-DPLUGIN_VERSION={version}", "-o", made, SOURCE])
            if built.returncode:
                raise EdgekitError(f"{compiler[0]} can't compile the emulator's plugin: {last_words(built)}")
            counted = folder / "counts"
            start = [*emulator, "-plugin", f"{made},out={counted}"]
            if run_program([*start, program], environment=environment).returncode:
                continue
            _check_known(between(read_marks(counted)))
            write_bytes(Path(target), made.read_bytes())
            return version
    raise InputError(
        f"{emulator[0]} loads no plugins, which count instructions; Debian's qemu-user of version 7 does, those of"
        " version 10 are built without. Name another qemu-aarch64 in the variable EDGEKIT_QEMU"
    )


#: Of the loop in the program that the plugin is proven on.
TURNS = 1000
#: Executed between its marks, by kind, beside two a turn.
KNOWN = {"alu": 3, "branch": 1, "load_store": 1, "vector_load_store": 1, "vector": 1, "other": 0}


def known_program(turns: int) -> bytes:
    """A program for 64-bit Arm of which every instruction is known: an ELF file without a library. It marks a begin,
    counts down from `turns` (1 to 65,535), loads a number and a vector, adds vectors, marks an end, and ends with 0."""

    def move(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    call, count_down, again = 0xD4000001, 0xF1000421, 0x54FFFFE1
    load, load_vector, add_vectors = 0xF94003E2, 0x3DC003E0, 0x4E20D400
    words = [move(0, 3), move(8, 125), call, move(1, turns), count_down, again, load, load_vector, add_vectors]
    words += [move(0, 5), move(8, 125), call, move(0, 0), move(8, 93), call]
    code = struct.pack(f"<{len(words)}I", *words)
    base, head = 0x400000, 64 + 56
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = head + len(code)
    return elf + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + code


def _check_known(found: Sequence[Counts]) -> None:
    wanted = {**KNOWN, "alu": KNOWN["alu"] + TURNS, "branch": KNOWN["branch"] + TURNS}
    if [dict(counts.kinds) for counts in found] != [wanted]:
        raise EdgekitError(f"the emulator's plugin counts {found}, where {wanted} are executed")
