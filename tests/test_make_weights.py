"""The command that makes what edgekit comes with: whose takes it uses, and what it leaves."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit.data import Recordings, SynthConfig, load_recordings, save_recordings, synthesise_hands
from edgekit.errors import DataError, InputError
from edgekit.shipped import CARD, FOLDER, open_box

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools"
MIT = "MIT License\n\nCopyright (c) 2020 Somebody Else\n\nPermission is hereby granted ...\n"
CC_BY = """Creative Commons Attribution 4.0 International

Data: Some hands.
Attribution: A. Maker, B. Maker,
who made it.
"""
SMALL = (
    "--preset=quick", "--threads=1",
    "--set=model.hidden_size=8", "--set=model.num_layers=1", "--set=student.hidden_size=16", "--set=student.dense=24",
    "--set=training.epochs=1", "--set=distill.training.epochs=1", "--set=distill.copies=1",
    "--set=prune.recovery.training.epochs=1", "--set=prune.recovery.copies=1", "--set=gates.max_accuracy_drop=0.9",
    "--set=logging.tensorboard=false",
)  # fmt: skip


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """tools/make_weights.py; sys.path is as before afterwards."""
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    yield importlib.import_module("make_weights")
    for name in ("make_weights", "public_recordings", "model_card"):
        sys.modules.pop(name, None)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Recordings of `a` (22 frames, with a tier) and `b`, and a text of a licence for both of `a`'s people and for `b`;
    returns the folder."""
    hands = synthesise_hands(SynthConfig(people=3, takes_per_letter=4, seed=1))
    names = np.array(["p1", "p2", "p3"])[np.unique(hands.signer, return_inverse=True)[1]]
    for file, people, frames in (("a", ("p1", "p2"), 22), ("b", ("p3",), 30)):
        part = hands.take(np.flatnonzero(np.isin(names, people)))
        x, signer = part.sequences[:, :frames], names[np.isin(names, people)]
        lengths = np.minimum(part.lengths, frames)
        made = Recordings(x, lengths, part.labels, part.class_names, signer, None, file)
        save_recordings(tmp_path / f"{file}.npz", made)
    with np.load(tmp_path / "a.npz") as arrays:
        kept = dict(arrays)
    np.savez(tmp_path / "a.npz", **kept, tier=np.where(kept["signer"] == "p2", "B", "A"))
    licences = tmp_path / "texts"
    licences.mkdir()
    (licences / "a-p1.txt").write_text(MIT, encoding="utf-8")
    (licences / "a-p2.txt").write_text(MIT.replace("Else", "Else's Brother"), encoding="utf-8")
    (licences / "b.txt").write_text(CC_BY, encoding="utf-8")
    return tmp_path


def test_who_is_left_out_and_why(tool: ModuleType, two: Path) -> None:
    kept, left = tool.chosen(two / "a.npz", [], False)
    assert (kept.takes, left) == (104, {"p2": "its licence is named in a README only"})
    kept, left = tool.chosen(two / "a.npz", ["p1"], True)
    assert (set(kept.signer), left) == ({"p2"}, {"p1": "left out by name"})


def test_joined_takes_are_padded_and_keep_labels_and_people(tool: ModuleType, two: Path) -> None:
    a, b = (tool.chosen(two / f"{name}.npz", [], True)[0] for name in "ab")
    whole = tool.joined({"a": a, "b": b})
    assert (whole.takes, whole.sequences.shape[1]) == (a.takes + b.takes, 30)
    assert np.array_equal(whole.labels, np.concatenate([a.labels, b.labels]))
    assert set(whole.signer) == {"a:p1", "a:p2", "b:p3"}
    assert np.array_equal(whole.sequences[: a.takes, :22], a.sequences)
    assert not whole.sequences[: a.takes, 22:].any()


def test_a_recorder_without_a_licence_is_refused(tool: ModuleType, two: Path) -> None:
    part = tool.chosen(two / "b.npz", [], False)[0]
    (two / "texts/b.txt").write_text("All rights reserved.", encoding="utf-8")
    with pytest.raises(DataError, match=r"b-p3\.txt: no text of a licence that is known; add it, or --without p3"):
        tool.recorders_of("b", part, two / "texts")


def test_classes_that_are_no_letters_are_refused(tool: ModuleType, tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0.2, 0.8, (4, 5, 63)).astype(np.float32)
    made = Recordings(x, np.full(4, 5), np.arange(4) % 2, ("A", "space"), np.full(4, "me"), None, "x")
    save_recordings(tmp_path / "x.npz", made)
    with pytest.raises(DataError, match=r"no letter from A to Z: space; leave them out"):
        tool.chosen(tmp_path / "x.npz", [], False)


def test_more_than_may_be_shipped_is_refused_and_nothing_replaced(tool: ModuleType, tmp_path: Path) -> None:
    made, target = tmp_path / "made", tmp_path / "target"
    made.mkdir()
    target.mkdir()
    (target / "contents.json").write_text("{}", encoding="utf-8")
    (made / "teacher").write_bytes(bytes(6_000_001))
    with pytest.raises(InputError, match=r"6,000,001 bytes, more than the 6,000,000"):
        tool.replace_box(target, made, {})
    assert (target / "contents.json").exists()


@pytest.fixture
def made(tool: ModuleType, two: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the command leaves, in a folder of its own."""
    monkeypatch.setattr("edgekit.jobs.scores.LATENCY_PROCESSES", 1)
    monkeypatch.setattr("edgekit.jobs.scores.LATENCY_REPEATS", 5)
    words = ["--recordings", two / "a.npz", two / "b.npz", "--licenses", two / "texts", "--workdir", two / "work"]
    words += ["--output", two / "box", "--preliminary", *SMALL]
    monkeypatch.setattr(sys, "argv", ["make_weights.py", *map(str, words)])
    assert tool.main() == 0
    return two / "box"


@pytest.mark.slow
def test_one_command_leaves_a_whole_box(made: Path, two: Path) -> None:
    box = open_box(made)
    assert {name for name in box.files if not name.startswith(("teacher", "student"))} == {
        "MODEL_CARD.md", "takes.bin", "licenses/a-p1.txt", "licenses/b.txt",
    }  # fmt: skip
    assert all(box.path(name) for name in box.files)
    a, b = (load_recordings(two / f"{name}.npz") for name in "ab")
    assert box.seen(a.sequences, a.lengths).tolist() == (a.signer == "p1").tolist()
    assert box.seen(b.sequences, b.lengths).all(), "no take is held out"
    record: Any = json.loads((two / "work/chain/manifest.json").read_text())["stages"]["train accurate"]
    data = record["metrics"]["data"]
    assert (data["train"] + data["validation"], data["test"]) == (104 + 104, 208)
    assert "pretrain" not in record["config"], "nothing is shipped that started from what is shipped"
    card = (made / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("PRELIMINARY: ")
    assert "- a, p2: its licence is named in a README only\n" in card
    assert "> Data: Some hands. Attribution: A. Maker, B. Maker, who made it. Licence: CC BY 4.0" in card
    assert "- Copyright (c) 2020 Somebody Else: `licenses/a-p1.txt`" in card
    assert "Brother" not in card
    assert "Not measured." in card
    assert str(two) not in card, "no folder of this machine"


def test_the_card_has_the_figures_of_a_study(tool: ModuleType) -> None:
    card = sys.modules["model_card"]
    study = {"command": "python study.py", "recorders": {"p1": {"takes": 1200, "teacher": 0.9612, "int8": 0.94}}}
    seen = [SimpleNamespace(name=name) for name in ("p1", "p3", "p2")]
    text = card._accuracy(study, seen)
    assert "(`python study.py`)" in text
    table, mean, unmeasured = text.split("\n\n")[1:]
    assert table.endswith("| p1 | 1,200 | 96.1 % | 94.0 % |")
    assert mean == "Mean over recorders (1): teacher 96.1 %, INT8 student 94.0 %."
    assert unmeasured == "Not measured yet: p2, p3."
    assert "Not measured" not in card._accuracy(study, seen[:1])


def test_the_shipped_card_tells_what_the_study_of_strangers_measured(tool: ModuleType, tmp_path: Path) -> None:
    told, results = tmp_path / "study.json", ROOT / "bench" / "results" / "strangers.jsonl"
    command = [ROOT / "bench" / "strangers.py", "card", results, "--recipe", "public", "--output", told]
    subprocess.run([sys.executable, *map(str, command)], check=True)
    card = sys.modules["model_card"]
    wanted = card.wrapped(card._accuracy(json.loads(told.read_text()), []))
    assert wanted in (FOLDER / CARD).read_text(encoding="utf-8")
