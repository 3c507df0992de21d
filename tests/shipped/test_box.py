"""What edgekit comes with: whole, small, and nothing but what was made."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifacts import sha256_file
from edgekit.data import SynthConfig, synthesise_hands
from edgekit.errors import DataError, ModelFileError
from edgekit.evaluate import predict_batches
from edgekit.runtime import open_predictor
from edgekit.shipped import CARD, CONTENTS, FOLDER, STUDENT_FILE, TAKES, digests_of, open_box

MOST_BYTES = 6_000_000
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what edgekit comes with, to spoil."""
    return Path(shutil.copytree(FOLDER, tmp_path / "shipped", ignore=shutil.ignore_patterns("*.py", "__pycache__")))


def test_every_file_is_there_as_it_was_made_and_no_other() -> None:
    box = open_box()
    found = {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.is_file()}
    found = {name for name in found if not name.endswith((".py", ".pyc")) and name != CONTENTS}
    assert found == set(box.files)
    assert all(sha256_file(box.path(name)) == digest for name, digest in box.files.items())


def test_together_they_are_small_enough_for_the_repository() -> None:
    assert sum(p.stat().st_size for p in FOLDER.rglob("*") if p.is_file() and p.suffix != ".pyc") < MOST_BYTES


def test_the_student_reads_the_letters_of_one_hand_with_its_preprocessing_inside() -> None:
    box = open_box()
    predictor = open_predictor(box.student)
    metadata = predictor.info.metadata
    assert metadata is not None
    assert (metadata.class_names, metadata.scheme) == (LETTERS, "int8-weights")
    assert (box.class_names, box.features, box.frames) == (LETTERS, 63, 30)
    assert (metadata.features, metadata.sequence_length) == (box.features, box.frames)
    made = synthesise_hands(SynthConfig(people=4, takes_per_letter=2, seed=77))
    answers = predict_batches(predictor, made.sequences[:, :30]).argmax(axis=1)
    assert (answers == made.labels).mean() > 0.15, "chance is 0.04"


@pytest.mark.parametrize("name", [STUDENT_FILE, "teacher/model.safetensors", "student/model.json", TAKES])
def test_a_file_that_was_tampered_with_is_refused(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelFileError, match=rf"{name}: not the file that edgekit came with: .*install edgekit again"):
        open_box(copy).path(name)


def test_a_file_that_is_missing_is_named(copy: Path) -> None:
    (copy / STUDENT_FILE).unlink()
    with pytest.raises(ModelFileError, match=r"student\.int8\.onnx: no such file; edgekit comes with it: install"):
        _ = open_box(copy).student


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"class_names": [], "files": {}}', '{"class_names": 3}'])
def test_damaged_contents_are_told(copy: Path, text: str) -> None:
    (copy / CONTENTS).write_text(text, encoding="utf-8")
    with pytest.raises(ModelFileError, match=r"contents\.json: can't be read .*install edgekit again"):
        open_box(copy)


def test_contents_that_do_not_know_a_file_are_told(copy: Path) -> None:
    told = json.loads((copy / CONTENTS).read_text(encoding="utf-8"))
    del told["files"]["teacher/model.json"]
    (copy / CONTENTS).write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ModelFileError, match=r"knows no teacher/model\.json; install edgekit again"):
        open_box(copy).model("teacher")


@pytest.mark.parametrize(
    ("features", "names", "words"),
    [
        (
            126,
            ("A", "B"),
            "signs.npz: 126 numbers per frame; the student that edgekit comes with reads the letters A to",
        ),
        (63, ("hello", "no"), "signs.npz: no class is called by a letter (hello, no); the student that edgekit comes"),
    ],
)
def test_recordings_that_the_student_can_not_read_are_refused(
    features: int, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        open_box().refuse_others(features, names, "signs.npz")
    assert str(caught.value).startswith(words)
    assert "name a model" in str(caught.value)


def test_recordings_of_some_letters_in_either_case_or_without_names_are_not() -> None:
    box = open_box()
    box.refuse_others(63, ("b", "wave"), "signs.npz")
    box.refuse_others(63, (), "take.npy")
    assert box.named_as(("b", "A"))[:3] == ("A", "b", "C")
    assert box.named_as(("A", "a"))[:2] == ("A", "B"), "of both, its own"


def test_the_card_tells_whose_recordings_they_are_and_what_is_not_to_be_expected() -> None:
    card, box = (FOLDER / CARD).read_text(encoding="utf-8"), open_box()
    licences = {name: (FOLDER / name).read_text(encoding="utf-8") for name in box.files if name.startswith("licenses/")}
    assert licences
    assert {f"licenses/{name}" for name in re.findall(r"\(licenses/([\w.-]+)\)", card)} == set(licences)
    for name, text in licences.items():
        for holder in re.findall(r"^\s*Copyright \(c\) [^{\[\n]+$", text, re.MULTILINE):
            assert holder.strip() in card, name
        for makers in re.findall(r"^Attribution: (.*),$", text, re.MULTILINE):
            assert makers in card, name
    assert ("PRELIMINARY" in card.splitlines()[0]) == box.preliminary
    for words in ("What is no sign", "J and Z are movements", "one hand at a time", "Other manual alphabets"):
        assert words in card


def test_a_take_is_known_again_whatever_it_is_padded_with() -> None:
    rng = np.random.default_rng(0)
    takes = rng.normal(size=(3, 8, 63)).astype(np.float32)
    lengths = np.array([8, 5, 5])
    padded = np.pad(takes, ((0, 0), (0, 4), (0, 0)))
    assert np.array_equal(digests_of(takes, lengths), digests_of(padded, lengths))
    assert len(set(digests_of(takes, lengths).tolist())) == 3
    changed = takes.copy()
    changed[1, 4, 0] += 1e-3
    assert (digests_of(takes, lengths) != digests_of(changed, lengths)).tolist() == [False, True, False]
    changed = takes.copy()
    changed[1, 6, 0] += 1e-3  # behind its length
    assert np.array_equal(digests_of(takes, lengths), digests_of(changed, lengths))


def test_hands_that_nobody_recorded_are_not_among_those_that_were_learned_from() -> None:
    made = synthesise_hands(SynthConfig(people=1, takes_per_letter=2))
    assert not open_box().seen(made.sequences, made.lengths).any()


def test_the_card_has_the_rule_for_no_sign_that_the_student_holds() -> None:
    metadata = open_predictor(open_box().student).info.metadata
    assert metadata is not None
    assert metadata.no_sign is not None
    card = " ".join((FOLDER / CARD).read_text(encoding="utf-8").split())
    rule = metadata.no_sign
    assert f"An energy below {rule.threshold:.2f} is no sign; that costs {rule.lost:.2%} of the takes" in card
