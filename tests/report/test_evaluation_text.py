"""An evaluation's text: nothing is left out silently, and the matrix shows every take."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.evaluate import Evaluation, Metrics, Seen, check_order, evaluate_predictions
from edgekit.report import evaluation_text
from edgekit.report.evaluation import confused_text, confusion_matrix
from edgekit.report.tables import WIDTH


def metrics(names: tuple[str, ...] = ("A", "B", "C")) -> Metrics:
    """Of 60 predictions, one in two right."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(names), 60)
    return evaluate_predictions(np.where(np.arange(60) % 2, labels, rng.integers(0, len(names), 60)), labels, names)


def evaluation(classes: tuple[str, ...] = ("A", "B", "C"), **more: Any) -> Evaluation:
    """Of these metrics, of a file that has not seen the takes."""
    order = check_order(np.arange(200) % 2, np.arange(200) % 2, 2)
    about = Evaluation("m.onnx", "signs.npz", "test", False, metrics(classes), "own", order, Seen(0, 0), 30, 0)
    return replace(about, **more)


def test_synthetic_takes_are_called_so() -> None:
    assert "synthetic" not in evaluation_text(evaluation()).lower()
    assert "SYNTHETIC" in evaluation_text(evaluation(synthetic=True))


def test_every_note_is_a_line_under_the_accuracy_and_its_interval() -> None:
    found = evaluation(names="assumed", seen=Seen(None, None, "nobody says"))
    lines, (low, high) = evaluation_text(found).splitlines(), found.metrics.interval
    assert lines[1].endswith(f"(95 % interval {100 * low:.1f} to {100 * high:.1f})")
    assert lines[2].startswith("note: the file holds no class names")
    assert lines[3].endswith("is not known: nobody says")
    assert len(found.notes) == 2


def test_what_was_left_out_is_named() -> None:
    left_out = replace(metrics(), accuracy=0.9375, takes=1050, excluded=30, excluded_classes=("space", "nothing"))
    text = evaluation_text(evaluation(metrics=left_out))
    assert "30 takes left out" in text
    assert "space, nothing" in text
    assert "93.8 % on 1,050 takes" in text
    assert "longer" not in text


def test_takes_that_the_model_does_not_read_to_their_end_are_counted() -> None:
    line = "note: takes longer than the model's 30 frames: 1,200; their ends were not read"
    assert line in evaluation_text(evaluation(takes_cut=1200)).splitlines()


@pytest.mark.parametrize("names", [tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), ("hello", "goodbye"), ("A", "B", "C")])
def test_the_matrix_holds_every_count_in_its_place(names: tuple[str, ...]) -> None:
    confusion = metrics(names).confusion.tolist()
    lines = confusion_matrix(names, confusion).splitlines()[-len(names) :]
    for name, line, row in zip(names, lines, confusion, strict=True):
        words = line.split()
        assert name in words[: len(words) - len(names)]
        assert [int(word.replace("\u00b7", "0")) for word in words[-len(names) :]] == row


def test_long_names_are_numbered_in_rows_and_columns() -> None:
    head, *rows = confusion_matrix(("hello", "goodbye"), [[5, 1], [0, 4]]).splitlines()[2:]
    assert head.split() == ["1", "2"]
    assert [row.split()[:2] for row in rows] == [["1", "hello"], ["2", "goodbye"]]


def test_a_matrix_wider_than_the_page_is_left_to_the_json() -> None:
    names = tuple(f"sign {k}" for k in range(60))
    confusion = metrics(names).confusion
    assert confusion_matrix(names[:30], confusion[:30, :30].tolist())
    assert confusion_matrix(names, confusion.tolist()) == ""
    assert "most confused" in evaluation_text(evaluation(names))


@pytest.mark.parametrize("classes", [2, 26, 38, 39, 40])
def test_no_line_of_a_matrix_is_wider_than_the_page(classes: int) -> None:
    matrix = confusion_matrix([f"c{k}" for k in range(classes)], np.diag([9] * classes).tolist())
    assert max(map(len, matrix.splitlines()), default=0) <= WIDTH


def test_the_most_confused_come_first_and_the_rest_is_counted() -> None:
    confusion = np.diag([9] * 12)
    confusion[0, 1:] = np.arange(1, 12)
    text = confused_text([f"c{k}" for k in range(12)], confusion.tolist())
    assert [int(number) for number in re.findall(r"\((\d+)\)", text)] == [11, 10, 9, 8, 7, 6, 5, 4]
    assert "c0 as c11 (11)" in text
    assert text.endswith("; 3 other pairs less often")
    assert confused_text(["a", "b"], [[3, 0], [0, 4]]) == "no take was taken for another class"
