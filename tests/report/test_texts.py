"""Short results as text: nothing is hidden, nothing is called what it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from edgekit.config import settings_text
from edgekit.evaluate import Prediction
from edgekit.profiles import list_profiles
from edgekit.report import (
    pairs_text,
    predictions_text,
    profile_text,
    profiles_text,
    stage_text,
)
from edgekit.report.tables import milliseconds, percent, size, table
from edgekit.report.tuning import duration
from edgekit.results import DataDescription, Finding, PruningFigures, Record, StageResult, TrainingFigures

DATA = DataDescription(
    source="my-signs.npz", synthetic=False, sha256="0" * 64, takes=240, classes=26, features=63, train=1375,
    validation=275, test=1350,
)  # fmt: skip
FIGURES = TrainingFigures(
    parameters=56346, data=DATA, epochs=100, best_epoch=88, val_accuracy=0.991, val_loss=0.1, elapsed_s=1.0,
    stopped_early=False,
)  # fmt: skip


def shown(figures: TrainingFigures, verb: str = "trained", **data: Any) -> str:
    """The text of a stage with these figures. data: what is else about its takes."""
    outputs = {"student/model.safetensors": "0", "student/training_log.csv": "1"}
    figures = replace(figures, data=replace(DATA, **data))
    return stage_text(verb, StageResult("distill", Record({}, {}, 1, outputs, {}, 0, 1.0, {}), figures))


def pruned(**more: Any) -> PruningFigures:
    """Figures of a pruned model."""
    return PruningFigures(**{**vars(FIGURES), **more})


def test_a_training_stages_accuracy_is_called_optimistic_and_synthetic_where_it_is() -> None:
    text = shown(FIGURES)
    assert "optimistic" in text
    assert "weights of epoch 88 of 100" in text
    assert "synthetic" not in text.lower()
    assert "SYNTHETIC" in shown(FIGURES, synthetic=True)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({}, "sequences: 50 frames of each take"),
        (
            {"takes_cut": 1, "longest_frames": 10_000},
            "sequences: 50 frames of each take; takes longer than the 50 frames that are read: 1 of 240, with 10000 at"
            " most; their ends are cut (--set data.sequence_length=10000 reads them whole)",
        ),
        (
            {"takes_cut": 120, "longest_frames": 60, "synthetic": True},
            "sequences: 50 frames of each take; takes longer than the 50 frames that are read: 120 of 240, with 60 at"
            " most; their ends are cut",
        ),
        (
            {"takes_cut": 2, "longest_frames": 10_001},
            "sequences: 50 frames of each take; takes longer than the 50 frames that are read: 2 of 240, with 10001 at"
            " most; their ends are cut",
        ),
    ],
)
def test_a_stage_says_how_long_its_sequences_are_and_what_was_cut(data: dict[str, Any], line: str) -> None:
    assert line in shown(FIGURES, **{"sequence_length": 50, "longest_frames": 50, **data}).splitlines()
    assert "sequences" not in shown(FIGURES), "an older edgekit did not say"


def test_a_stages_findings_are_a_line_each_with_fact_and_advice() -> None:
    finding = Finding("overfitting", "training accuracy 99 %, validation 61 %", "increase dropout")
    line = "diagnosis: overfitting: training accuracy 99 %, validation 61 %; increase dropout"
    assert line in shown(replace(FIGURES, diagnosis=(finding,))).splitlines()
    assert "diagnosis" not in shown(FIGURES)


def test_the_weakest_classes_are_named_and_the_rest_counted() -> None:
    by_class = {"A": 1.0, "B": 0.5, "C": 0.6, "D": 0.7, "E": 0.8, "F": 0.85, "G": 0.9}
    line = "weakest classes in validation: B 50.0 %, C 60.0 %, D 70.0 %, E 80.0 %, F 85.0 % and 1 more"
    assert line in shown(replace(FIGURES, val_per_class=by_class, val_accuracy=0.95)).splitlines()
    assert "weakest" not in shown(replace(FIGURES, val_per_class=dict.fromkeys(by_class, 1.0)))


def test_a_pruned_stage_says_what_went() -> None:
    figures = pruned(sparsity=0.504, parameters_before=56346, parameters_after=27953, hidden_sizes=(33,), dense=131)
    text = shown(figures, "pruned")
    assert "56,346 to 27,953 parameters (50.4 % removed); hidden [33], dense 131" in text
    assert "zero" not in text


def test_a_stage_of_zeros_says_that_they_save_neither_size_nor_time() -> None:
    figures = pruned(
        method="unstructured",
        scope="global",
        sparsity=0.5,
        parameters_before=56346,
        parameters_after=56346,
        zeros=28173,
        layer_zeros_ratio={"recurrent.0": 0.512, "dense": 0.701, "output": 0.0},
        hidden_sizes=(64,),
        dense=256,
    )
    text = shown(figures, "pruned")
    assert "28,173 of 56,346 parameters are zero (50.0 %, scope global)" in text
    assert "recurrent.0 51.2 %, dense 70.1 %, output 0.0 %" in text
    assert "leave the file's size and the speed as they are, only the compressed file gets smaller" in text
    assert "--method structured" in text
    assert "removed" not in text


def test_names_in_brackets_are_text_not_markup() -> None:
    assert "[bold]x[/bold]" in table(["name"], [["[bold]x[/bold]"]])


def test_predictions_are_one_row_each() -> None:
    rows = [Prediction("a.npz", k, "A", 0.5 + k / 10) for k in range(3)]
    lines = predictions_text(rows).splitlines()
    assert [line.split() for line in lines[-3:]] == [["a.npz", str(k), "A", f"{0.5 + k / 10:.3f}"] for k in range(3)]
    rows[1] = replace(rows[1], frames_cut=20)
    assert predictions_text(rows).splitlines()[-1] == (
        "note: takes longer than the model reads: 1 of 3; their ends were not read"
    )
    rows[2] = replace(rows[2], empty=True)
    assert predictions_text(rows).splitlines()[-1] == "note: takes without any hand: 1 of 3"


def test_pairs_are_aligned_and_none_is_unknown() -> None:
    assert pairs_text({"a": 1, "long": None}) == "a     1\nlong  unknown"


def test_settings_are_yaml_with_what_each_is_for() -> None:
    tree = {
        "preset": "quick",
        "seed": 0,
        "data": {"test_sessions": ["a", "2022-03-07"], "empty": {}},
        "training": {"epochs": 5, "early_stopping": None, "lr_scheduler": {"min_lr": 1e-5, "type": "a: b # c"}},
    }
    assert yaml.safe_load(settings_text(tree)) == tree
    explained = settings_text(tree, {"training.epochs": "at most", "training.lr_scheduler.min_lr": "least"})
    assert yaml.safe_load(explained) == tree
    assert "  epochs: 5  # at most\n" in explained
    assert "    min_lr: 1.0e-05  # least\n" in explained


def test_every_shipped_profile_and_board_is_listed_with_its_limits() -> None:
    profiles = list_profiles()
    text = profiles_text(profiles)
    for profile in profiles:
        assert profile.name in text
    assert "< 10 MB" in text
    assert "< 100 ms (p95)" in text


@pytest.mark.parametrize("profile", list_profiles(), ids=lambda profile: profile.name)
def test_every_fact_of_a_board_is_shown_and_marked_where_it_was_not_looked_up(profile: Any) -> None:
    text = profile_text(profile)
    facts = [fact for board in profile.boards for fact in board.facts().values()]
    assert text.count("[UNVERIFIED]") == sum(not fact.verified for fact in facts)
    for board in profile.boards:
        assert board.name in text
        for name in board.facts():
            assert name in text


def test_whole_numbers_of_a_board_are_shown_whole() -> None:
    zero = next(profile for profile in list_profiles() if profile.name == "raspberry-pi-zero-2w")
    shown = {line.split()[0]: line.split()[1] for line in profile_text(zero).splitlines() if len(line.split()) > 1}
    assert (shown["cores"], shown["clock_mhz"], shown["ram_mb"]) == ("4", "1000", "512")
    assert float(shown["ipc_lowest"]) == zero.boards[0].ipc_lowest.value


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (percent(0.934), "93.4 %"),
        (percent(-0.021), "-2.1 %"),
        (milliseconds(41e-6), "0.041 ms"),
        (milliseconds(0.1234), "123 ms"),
        (size(34_053), "34.1 KB"),
        (size(999_999), "1000.0 KB"),
        (size(8_200_000), "8.20 MB"),
    ],
)
def test_figures_are_in_the_units_people_use(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (12, "12 s"), (240, "4 min"), (9000, "2.5 h"), (359_000, "99.7 h"), (360_000, "4 days"), (6e7, "694 days"),
        (3e9, "95 years"), (3.7e12, "117,326 years"),
    ],
)  # fmt: skip
def test_a_time_is_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text
