"""`edgekit compile` and `predict --runtime native` as they are typed."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifacts import write_bytes
from edgekit.bench import BenchConfig, bench_onnx
from edgekit.cli import run_cli
from edgekit.errors import ConfigError, GateError
from edgekit.native import compile_model, compiling

MakeFile = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def test_without_a_compiler_the_sources_are_written_and_that_is_said(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    target = tmp_path / "out"
    assert run_cli(["compile", str(make_file(scheme="int8-weights")), "-o", str(target)]) == 0
    said = capfd.readouterr().out
    assert "no C compiler found (looked for what the variable CC names, without one for cc, gcc and clang)" in said
    assert f"make -C {target} check library" in said
    assert sorted(path.name for path in target.iterdir()) == ["Makefile", "model.c", "model.h", "test.c"]


def test_a_compiler_that_never_ends_is_stopped_and_named(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    compiler = tmp_path / "sleeps"
    compiler.write_text("#!/bin/sh\nexec sleep 600\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setattr("edgekit.native.building.PROBE_S", 0.2)
    assert run_cli(["compile", str(make_file()), "-o", str(tmp_path / "out")]) == 1
    assert f"{compiler} did not end within 0.2 s, and was stopped; nothing was written" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("new", [True, False])
def test_a_full_disk_leaves_all_as_it_was(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    target, source = tmp_path / "out", make_file()
    if not new:
        target.mkdir()
        for name in ("model.c", "libmodel.so"):
            (target / name).write_text("/* written by `edgekit compile` */")

    def full(path: Path, content: bytes) -> Path:
        if path.name == "test.c":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write_bytes(path, content)

    monkeypatch.setattr(compiling, "write_bytes", full)
    with pytest.raises(OSError, match=re.escape(str(target))):
        compile_model(source, target)
    left = {path.name: path.read_text() for path in target.iterdir()} if target.exists() else None
    assert left == (None if new else dict.fromkeys(("model.c", "libmodel.so"), "/* written by `edgekit compile` */"))


def test_a_target_that_is_a_file_and_a_cc_that_is_no_command_are_refused(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = make_file(), tmp_path / "file"
    target.touch()
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(ConfigError, match="is a file, and a folder was to be written there"):
        compile_model(source, target)
    monkeypatch.setenv("CC", "gcc 'x")
    with pytest.raises(ConfigError, match=r"CC is .*, which is no command \(No closing quotation\)"):
        compile_model(source, tmp_path / "out")


def test_no_library_of_another_model_stays_beside_new_sources(make_file: MakeFile, tmp_path: Path) -> None:
    stale, own = tmp_path / "libmodel.so", tmp_path / "libother.so"
    for path in (stale, own):
        path.write_bytes(b"of another model")
    compile_model(make_file(features=10, kind="standard"), tmp_path, build=False)
    assert (stale.exists(), own.exists()) == (False, True)


def test_the_makefile_builds_and_checks_what_was_written(make_file: MakeFile, tmp_path: Path, capfd: Capture) -> None:
    missing = [name for name in ("make", "cc") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    target = tmp_path / "out"
    result = compile_model(make_file(features=10, kind="standard"), target, name="tiny", build=False)
    assert result.library is None
    done = subprocess.run(["make", "-C", target, "CFLAGS=-O1", "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, "3 takes, largest difference of a logit" in done.stdout) == (0, True), done.stderr


def test_the_json_says_what_the_text_says(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    path = make_file("gru", (8, 5), True, scheme="int8-weights")
    assert run_cli(["compile", str(path), "-o", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["layers"] == "GRU 63 to 2 x 8, GRU 16 to 5"
    assert (told["arithmetic"], told["scheme"], told["library"]) == ("int8", "int8-weights", None)
    header = (tmp_path / "out" / "model.h").read_text(encoding="utf-8")
    assert f"#define MODEL_WEIGHT_BYTES {told['weight_bytes']}\n" in header
    assert f"#define MODEL_CONTEXT_BYTES {told['context_bytes']}\n" in header


def test_names_that_c_does_not_take_are_refused(make_file: MakeFile, tmp_path: Path) -> None:
    path = make_file()
    for name in ("9lives", "with-dash", "A", "a" * 41, "über"):
        with pytest.raises(ConfigError, match=f"--name {name}: expected a name for C"):
            compile_model(path, tmp_path / "out", name=name)
    for name in ("int", "and", "test", "ek", "ek_x", "string", "m"):
        with pytest.raises(
            ConfigError, match=f"--name {name}: C, C\\+\\+ or edgekit's own code uses this name already"
        ):
            compile_model(path, tmp_path / "out", name=name)
    assert not (tmp_path / "out").exists()


def test_a_makefile_of_somebody_elses_stays(make_file: MakeFile, tmp_path: Path) -> None:
    path, makefile = make_file(features=10, kind="standard"), tmp_path / "Makefile"
    makefile.write_text("all:\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="Makefile: is there already, and edgekit compile did not write it; choose"):
        compile_model(path, tmp_path, build=False)
    assert makefile.read_text(encoding="utf-8") == "all:\n"
    makefile.unlink()
    for name in ("one", "two"):
        compile_model(path, tmp_path, name=name, build=False)
    assert "two.c" in makefile.read_text(encoding="utf-8")


def test_integers_of_an_fp32_file_are_refused(make_file: MakeFile, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its weights are fp32; for int8 arithmetic run `edgekit quantize"):
        compile_model(make_file(), tmp_path / "out", arithmetic="int8")


def test_nothing_is_written_where_answers_differ(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(*given: object) -> np.ndarray:  # type: ignore[type-arg]
        return real(*given) + 0.01  # type: ignore[arg-type, no-any-return]

    real = compiling.reference.predict
    monkeypatch.setattr(compiling.reference, "predict", off)
    with pytest.raises(GateError, match=r"in fp32 arithmetic a logit is 0\.01 off ONNX Runtime's, allowed 1e-05"):
        compile_model(make_file(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_compiled_model_has_no_sweep(make_file: MakeFile, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave out --sweep"):
        bench_onnx(make_file(), config=BenchConfig(sweep=True), library=tmp_path)


def test_a_library_needs_neither_onnx_nor_torch() -> None:
    code = "import sys, edgekit.runtime.native; print(*({'onnx', 'torch', 'onnxruntime'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.split() == []
