"""The plugin counts exactly: a program of known instructions, a cache of known misses."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from edgekit.device.emulator import plugin
from edgekit.device.emulator.plugin import KINDS, KNOWN, SOURCE, between, build_plugin, known_program, read_marks
from edgekit.device.emulator.programs import c_compiler, run_program
from edgekit.errors import EdgekitError, InputError

QEMU = os.environ.get("EDGEKIT_QEMU") or shutil.which("qemu-aarch64")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The plugin and the version of its interface; skips where no emulator takes plugins."""
    if QEMU is None:
        pytest.skip("qemu-aarch64 is not installed (Debian 12: qemu-user)")
    place = tmp_path_factory.mktemp("plugin") / "plugin.so"
    try:
        return place, build_plugin([QEMU], place)
    except InputError as error:
        pytest.skip(str(error))


def count(built: tuple[Path, int], folder: Path, program: bytes, more: str = "") -> list[plugin.Counts]:
    assert QEMU is not None
    path = folder / "program"
    path.write_bytes(program)
    path.chmod(0o700)
    done = run_program([QEMU, "-plugin", f"{built[0]},out={folder / 'counts'}{more}", path])
    assert done.returncode == 0, done.stderr
    return between(read_marks(folder / "counts"))


@pytest.mark.parametrize("turns", [1, 7, 65_535])
def test_a_known_program_has_the_instructions_that_it_has(built: tuple[Path, int], tmp_path: Path, turns: int) -> None:
    (found,) = count(built, tmp_path, known_program(turns))
    assert dict(found.kinds) == {**KNOWN, "alu": KNOWN["alu"] + turns, "branch": KNOWN["branch"] + turns}
    assert found.instructions == sum(KNOWN.values()) + 2 * turns


def test_two_runs_have_the_same_count(built: tuple[Path, int], tmp_path: Path) -> None:
    first, second = (count(built, tmp_path, known_program(123)) for _ in range(2))
    assert first == second


def test_the_cache_misses_the_one_line_that_is_read(built: tuple[Path, int], tmp_path: Path) -> None:
    """Both loads read the top of the stack, which lies within one line."""
    (found,) = count(built, tmp_path, known_program(5), ",cache=512:16")
    assert found.missed == 1


def test_wrong_arguments_are_refused(built: tuple[Path, int], tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        count(built, tmp_path, known_program(5), ",speed=9")


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_it_compiles_without_a_warning_for_every_interface(tmp_path: Path, compiler: str, version: int) -> None:
    """QEMU 7 and 8 speak version 1, 9 to 10 versions 2 to 4."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    made = tmp_path / "plugin.so"
    done = run_program([compiler, *plugin.FLAGS, f"-DPLUGIN_VERSION={version}", "-o", made, SOURCE])
    assert (done.returncode, done.stderr) == (0, "")


def test_an_emulator_without_plugins_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuses = tmp_path / "qemu-aarch64"
    refuses.write_text("#!/bin/sh\necho \"qemu: unknown option 'plugin'\" >&2\nexit 1\n")
    refuses.chmod(0o700)
    try:
        c_compiler()
    except InputError:
        pytest.skip("no C compiler is installed")
    with pytest.raises(InputError, match="loads no plugins, which count instructions"):
        build_plugin([str(refuses)], tmp_path / "plugin.so")
    assert not (tmp_path / "plugin.so").exists()
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(InputError, match="no C compiler is found: install gcc, or set CC"):
        build_plugin([str(refuses)], tmp_path / "plugin.so")


def test_what_is_no_count_is_refused(tmp_path: Path) -> None:
    for text in ("{}", "nonsense", "[1]"):
        (tmp_path / "counts").write_text(text)
        with pytest.raises(EdgekitError, match="wrote no counts"):
            read_marks(tmp_path / "counts")


def test_differences_are_taken_from_begin_to_end(tmp_path: Path) -> None:
    zeros = dict.fromkeys(KINDS, 0)
    lines = [("stage", 1), ("begin", 2), ("end", 5), ("begin", 9), ("end", 10), ("begin", 20), ("exit", 30)]
    text = [json.dumps({**zeros, "mark": name, "missed": at, "alu": at, "guest_bytes": 4096}) for name, at in lines]
    (tmp_path / "counts").write_text("\n".join(text) + "\n")
    found = between(read_marks(tmp_path / "counts"))
    assert [(counts.instructions, counts.missed) for counts in found] == [(3, 3), (1, 1)]
