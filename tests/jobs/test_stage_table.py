"""The table of stages: each has a name and a folder of its own, and is made from stages before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from edgekit.errors import ConfigError
from edgekit.results import Record
from edgekit.stages.model_stage import ModelStage
from edgekit.stages.names import PRUNED, QUANTIZED, STUDENT, train_stage_name
from edgekit.stages.preflight import epochs_elsewhere
from edgekit.stages.table import Stages
from edgekit.workdir import Options, open_workspace


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[Stages]:
    """Those of an empty work directory."""
    with open_workspace(tmp_path / "work", Options(), read_only=True) as workspace:
        yield Stages(workspace)


def test_each_is_found_by_its_own_name_and_keeps_its_model_in_its_own_folder(stages: Stages) -> None:
    assert all(stage.name == name for name, stage in stages.table.items())
    folders = [stage.folder for stage in stages.table.values() if isinstance(stage, ModelStage)]
    assert len(folders) == len(set(folders)) == len(stages.table) - 1
    assert all(folder.is_relative_to(stages.workspace.path) for folder in folders)


def test_the_chain_is_what_the_int8_file_is_made_from_in_order(stages: Stages) -> None:
    assert stages.chain == (train_stage_name("accurate"), STUDENT, PRUNED, QUANTIZED)
    for number, name in enumerate(stages.chain):
        assert set(stages.table[name].upstream) <= set(stages.chain[:number])


def test_what_took_training_is_never_replaced_unasked_and_the_int8_file_took_none(stages: Stages) -> None:
    assert [name for name, stage in stages.table.items() if not stage.trains] == [QUANTIZED]


@pytest.mark.parametrize(
    ("said", "words"),
    [(Options(teacher="acurate"), "did you mean 'accurate'"), (Options(student="egde"), "did you mean 'edge'")],
)
def test_an_unknown_teacher_or_student_is_an_error_before_any_training(
    tmp_path: Path, said: Options, words: str
) -> None:
    with open_workspace(tmp_path / "work", said, read_only=True) as workspace, pytest.raises(ConfigError, match=words):
        Stages(workspace).ensure(train_stage_name("edge"), frozenset())


def test_a_teacher_from_elsewhere_has_no_stage(tmp_path: Path) -> None:
    with open_workspace(tmp_path / "work", Options(teacher="theirs.onnx"), read_only=True) as workspace:
        assert Stages(workspace).chain == (STUDENT, PRUNED, QUANTIZED)


@pytest.mark.parametrize("widths", [None, "recurrent", "uniform", "free"])
def test_a_change_of_widths_is_told_with_both_values(tmp_path: Path, widths: str | None) -> None:
    """Before: "prune.widths was recurrent, now None" for uniform."""
    said = Options(settings={"prune": {"widths": widths}})
    with open_workspace(tmp_path / "work", said, read_only=True) as workspace:
        assert Stages(workspace).pruned.config()["prune"]["widths"] == (widths or "recurrent")


@pytest.mark.parametrize(("widths", "changes"), [(None, ["prune.widths was uniform, now recurrent"]), ("uniform", [])])
def test_what_was_pruned_before_there_were_widths_was_pruned_evenly(
    tmp_path: Path, widths: str | None, changes: list[str]
) -> None:
    """Before: "prune.widths was None, now recurrent", and uniform was another thing than that."""
    said = Options(settings={"prune": {"widths": widths}})
    with open_workspace(tmp_path / "work", said, read_only=True) as workspace:
        stage = Stages(workspace).pruned
        config = stage.config()
        del config["prune"]["widths"]
        record = Record(config, {}, stage.recipe, {}, {}, 0, 0.0, {})
        assert stage.changes(record) == changes


def test_single_zeros_have_no_widths(tmp_path: Path) -> None:
    said = Options(settings={"prune": {"method": "unstructured"}})
    with open_workspace(tmp_path / "work", said, read_only=True) as workspace:
        assert "widths" not in Stages(workspace).pruned.config()["prune"]


SAID = {"training": {"epochs": 5}}
RUNS = (("train base", "training", 2), ("distill", "distill.training", 24), ("prune", "prune.recovery.training", 16))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ""),
        ({"distill": {"training": {"epochs": 3}}}, ""),
        (
            {"training": {"epochs": 2}},
            "2 at most for training on labels alone; at most 24 for distill (distill.training.epochs), 16 for prune"
            " (prune.recovery.training.epochs)",
        ),
        (
            {"training": {"epochs": 2}, "distill": {"training": {"epochs": 24}}},
            "2 at most for training on labels alone; at most 16 for prune (prune.recovery.training.epochs)",
        ),
        (
            {"training": {"epochs": "16"}},
            "16 at most for training on labels alone; at most 24 for distill (distill.training.epochs)",
        ),
        ({"training": {"epochs": 2}, "distill": SAID, "prune": {"recovery": SAID}}, ""),
    ],
)
def test_epochs_that_do_not_hold_for_all_stages_are_told(said: dict[str, Any], expected: str) -> None:
    assert epochs_elsewhere(said, RUNS) == expected


def test_a_dry_run_tells_what_it_measures_and_whose_epochs_were_said(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Before the seconds that it takes; nothing of it stands in the result."""
    small = ("--preset=quick", "--set=synth.people=2", "--set=synth.takes_per_letter=4", "--threads=1")
    models = ("--set=model.hidden_size=8", "--set=model.num_layers=1", "--set=student.hidden_size=6")
    answer = cli(
        "prune", f"--workdir={tmp_path / 'w'}", *small, *models, "--set=training.epochs=2", "--dry-run", "--json"
    )
    assert answer.code == 0, answer.err
    shown = [line.partition(";")[0] for line in answer.err.splitlines()]
    assert shown == [
        "note: training.epochs: 2 at most for training on labels alone",
        "  measuring a few batches of the LSTM 8x1, to estimate how long training will take",
        "? train accurate: not made yet",
        "  measuring a few batches of the LSTM 6x1, to estimate how long training will take",
        "? distill: not made yet",
        "? prune: not made yet",
    ]
    assert [stage["stage"] for stage in answer.json["stages"]] == ["train accurate", "distill", "prune"]
