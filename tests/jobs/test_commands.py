"""Commands that are printed for pasting, and the files that commands use unasked."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from edgekit.artifacts import sha256_file, write_manifest
from edgekit.cli import run_cli
from edgekit.cli.options import WORKDIR
from edgekit.data import SynthConfig, synthesise_hands
from edgekit.data.splits import split_recordings
from edgekit.data.training_checks import training_note
from edgekit.errors import ModelFileError
from edgekit.jobs import find_model
from edgekit.jobs.model_files import refuse_changed
from edgekit.workdir.commands import DEFAULT_WORKDIR, next_command


def test_it_works_in_the_same_place_on_the_same_recordings() -> None:
    assert next_command(DEFAULT_WORKDIR, "quantize") == "edgekit quantize"
    assert WORKDIR.attributes["default"] == DEFAULT_WORKDIR
    words = ["edgekit", "train", "base", "--workdir", "it's mine", "--data", "/a b/$HOME.npz"]
    assert shlex.split(next_command(Path("it's mine"), "train", "base", data="/a b/$HOME.npz")) == words


def test_what_to_do_first_is_said_for_the_place_that_was_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"run `edgekit quantize --workdir '[^']*my work'` first"):
        find_model(tmp_path / "my work", None)


def test_recordings_are_named_as_a_shell_wants_them() -> None:
    made = synthesise_hands(SynthConfig(people=1, takes_per_letter=4))
    object.__setattr__(made, "source", "my signs.npz")
    note = training_note(made, split_recordings(made))
    assert note is not None
    assert "`edgekit data check 'my signs.npz'` says where" in note


@pytest.fixture
def made_here(tmp_path: Path) -> Path:
    """A work directory with two files that `quantize` is said to have left, of which nothing is read."""
    for name in ("model.int8.onnx", "model.onnx"):
        (tmp_path / name).write_bytes(name.encode())
    outputs = {name: sha256_file(tmp_path / name) for name in ("model.int8.onnx", "model.onnx")}
    write_manifest(tmp_path, {"schema_version": 1, "options": {}, "stages": {"quantize": {"outputs": outputs}}})
    return tmp_path


def test_the_work_directorys_own_file_is_used_only_as_it_was_made(made_here: Path) -> None:
    own = made_here / "model.int8.onnx"
    assert find_model(made_here, None) == own
    own.write_bytes(b"something else")
    with pytest.raises(ModelFileError, match=r"model\.int8\.onnx: not the file that was made here.*or name the file"):
        find_model(made_here, None)
    assert find_model(made_here, own) == own, "named, it is what somebody wants"


@pytest.mark.parametrize("command", [("evaluate",), ("predict", "take.npy"), ("bench",), ("bench", "--dry-run")])
def test_no_command_uses_a_file_that_was_changed_behind_its_back(
    made_here: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (made_here / "model.int8.onnx").write_bytes(b"something else")
    assert run_cli([*command, "--workdir", str(made_here)]) == 2
    assert "not the file that was made here" in capsys.readouterr().err


def test_nor_a_parent_that_was(made_here: Path) -> None:
    (made_here / "model.onnx").write_bytes(b"something else")
    with pytest.raises(ModelFileError, match=r"model\.onnx: not the file that was made here"):
        refuse_changed(made_here, made_here / "model.onnx")
    refuse_changed(made_here, made_here / "model.int8.onnx")


@pytest.mark.parametrize("stages", [{}, {"quantize": 3}, {"quantize": {"outputs": []}}, {"quantize": {"outputs": {}}}])
def test_files_that_the_manifest_does_not_know_are_used(tmp_path: Path, stages: Any) -> None:
    (tmp_path / "model.int8.onnx").write_bytes(b"copied here")
    write_manifest(tmp_path, {"schema_version": 1, "options": {}, "stages": stages})
    assert find_model(tmp_path, None) == tmp_path / "model.int8.onnx"
