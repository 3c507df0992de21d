"""`predict` and `evaluate` where no model was made: the student that edgekit comes with answers, and it is said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.artifacts import write_manifest
from edgekit.data import Recordings, SynthConfig, save_recordings, synthesise_hands
from edgekit.errors import ModelFileError
from edgekit.jobs import find_model, find_reader
from edgekit.shipped import STUDENT_FILE, open_box

Cli = Callable[..., Any]
NOTE = (
    "no model in edgekit-work: the student that edgekit comes with answers; it reads the letters A to Z of one hand,"
    " and may take another sign for one of them"
)


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a work directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hands(tmp_path: Path) -> Recordings:
    """Two takes a letter, in `hands.npz`, too."""
    made = synthesise_hands(SynthConfig(people=1, takes_per_letter=2, seed=5))
    save_recordings(tmp_path / "hands.npz", made)
    return made


def test_takes_are_labelled_and_who_did_it_is_said(cli: Cli, take: Path) -> None:
    answer = cli("predict", take, "--json", "--no-reject")
    assert answer.code == 0, answer.err
    assert answer.err.startswith(f"edgekit: note: {NOTE}")
    assert answer.err.count("\n") == 1
    assert answer.json["notes"][0].startswith(NOTE)
    assert answer.json["predictions"][0]["label"] in open_box().class_names


def test_a_stream_is_answered_too(cli: Cli, take: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.load(take).tolist()
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{json.dumps(frame)}\n" for frame in frames)))
    answer = cli("predict")
    assert answer.code == 0
    assert answer.err.startswith(f"edgekit: note: {NOTE}")
    assert [json.loads(line)["frame"] for line in answer.out.splitlines()] == list(range(9, len(frames)))


def test_an_evaluation_says_it_on_stderr_and_in_json(cli: Cli, hands: Recordings) -> None:
    answer = cli("evaluate", "--data=hands.npz", "--part=all", "--json")
    assert answer.code == 0, answer.err
    assert answer.err.startswith(f"edgekit: note: {NOTE}")
    assert answer.json["notes"][0].startswith(NOTE)
    assert answer.json["model"].endswith(STUDENT_FILE)
    assert answer.json["accuracy"] > 0.1, "chance is 0.04"
    assert (answer.json["seen"]["trained"], answer.json["seen"]["reason"]) == (0, ""), "it knows what it learned from"
    text = cli("evaluate", "--data=hands.npz", "--part=all")
    assert NOTE not in text.out, "stderr has it"


def test_classes_in_lower_case_are_its_letters(cli: Cli, hands: Recordings) -> None:
    upper = cli("evaluate", "--data=hands.npz", "--part=all", "--json").json
    save_recordings(Path("lower.npz"), replace(hands, class_names=tuple(name.lower() for name in hands.class_names)))
    lower = cli("evaluate", "--data=lower.npz", "--part=all", "--json").json
    assert (lower["accuracy"], lower["takes"]) == (upper["accuracy"], upper["takes"])


@pytest.mark.parametrize(
    ("features", "names", "words"),
    [(126, ("A", "B"), "126 numbers per frame"), (63, ("hello", "no"), "no class is called by a letter (hello, no)")],
)
@pytest.mark.parametrize("command", [("predict", "others.npz"), ("evaluate", "--data=others.npz", "--part=all")])
def test_other_recordings_are_one_message(
    cli: Cli, features: int, names: tuple[str, ...], words: str, command: tuple[str, ...]
) -> None:
    x = np.random.default_rng(0).uniform(0.2, 0.8, (4, 12, features)).astype(np.float32)
    save_recordings(Path("others.npz"), Recordings(x, np.full(4, 12), np.arange(4) % 2, names, None, None, "others"))
    answer = cli(*command)
    assert (answer.code, answer.out) == (2, "")
    last = answer.err.splitlines()[-1]
    assert last.startswith("edgekit: error: ")
    assert words in last
    assert "the student that edgekit comes with reads the letters A to Z of one hand" in last
    assert answer.err.count("error:") == 1


def test_named_it_labels_what_it_is_given(cli: Cli) -> None:
    x = np.random.default_rng(0).uniform(0.2, 0.8, (4, 12, 63)).astype(np.float32)
    save_recordings(
        Path("others.npz"), Recordings(x, np.full(4, 12), np.arange(4) % 2, ("hello", "no"), None, None, "others")
    )
    answer = cli("predict", "others.npz", "--model=shipped", "--json")
    assert (answer.code, answer.json["notes"]) == (0, [])
    assert len(answer.json["predictions"]) == 4


def test_named_it_knows_what_it_learned_from(cli: Cli, monkeypatch: pytest.MonkeyPatch, hands: Recordings) -> None:
    save_recordings(Path("signs.npz"), hands)
    said = ("evaluate", "shipped", "--data=signs.npz", "--part=all", "--json")
    seen = cli(*said).json["seen"]
    assert (seen["trained"], seen["reason"]) == (0, "")
    monkeypatch.setattr("edgekit.shipped.Box.seen", lambda self, sequences, lengths: np.arange(len(sequences)) < 3)
    assert cli(*said).json["seen"]["trained"] == 3


def test_a_bench_takes_it_by_name_alone(cli: Cli) -> None:
    """A gate that passes on a file that nobody named would be none."""
    answer = cli("bench", "--dry-run")
    assert answer.code == 2
    assert "run `edgekit quantize` first, or name a model, or `shipped` for edgekit's own" in answer.err
    assert cli("bench", "shipped", "--dry-run").code == 0
    named = cli("bench", "shipped", "--processes=1", "--repeats=5", "--time-limit=1", "--json")
    assert named.code in (0, 4), named.err
    assert named.json["model"]["path"].endswith(STUDENT_FILE)


def test_a_file_that_is_called_so_is_that_file(tmp_path: Path) -> None:
    assert find_model(tmp_path, "shipped").name == STUDENT_FILE
    (tmp_path / "shipped").write_bytes(b"x")
    assert find_model(tmp_path, "shipped") == Path("shipped")


def test_where_something_was_made_it_does_not_step_in(tmp_path: Path) -> None:
    assert find_reader(tmp_path / "none", None)[1] is not None
    write_manifest(tmp_path, {"schema_version": 1, "options": {}, "stages": {}})
    with pytest.raises(ModelFileError, match=r"model\.int8\.onnx: no such file; run `edgekit quantize"):
        find_reader(tmp_path, None)
    (tmp_path / "model.int8.onnx").write_bytes(b"copied here")
    assert find_reader(tmp_path, None) == (tmp_path / "model.int8.onnx", None)


def test_one_that_was_tampered_with_is_one_message(cli: Cli, take: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = open_box()
    spoilt = replace(box, files={**box.files, STUDENT_FILE: "0" * 64})
    monkeypatch.setattr("edgekit.jobs.model_files.open_box", lambda: spoilt)
    answer = cli("predict", take)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "not the file that edgekit came with" in answer.err
    assert "install edgekit again" in answer.err
