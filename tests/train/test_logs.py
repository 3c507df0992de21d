"""Logs hold every epoch once, whatever happened to the run, and what TensorBoard shows is what the history says."""

from __future__ import annotations

import csv
import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from edgekit.artifacts import append_text
from edgekit.errors import InterruptedRunError
from edgekit.model import RecurrentClassifier, predict_logits
from edgekit.train import (
    CSV_NAME,
    Epoch,
    FitResult,
    LogConfig,
    RunLogs,
    RunSetup,
    Takes,
    TrainingConfig,
    class_accuracies,
    train_model,
)
from edgekit.train.callbacks import EpochReport, ResumeFile
from edgekit.train.loggers import SCALARS, TensorBoardLog

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]
NAMES = ("left", "right", "up")
CONFIG = TrainingConfig.model_validate({"epochs": 4, "batch_size": 7, "learning_rate": 0.02, "early_stopping": None})


def train(
    tiny_model: TinyModel, learnable: Learnable, folder: Path, resume_file: Path | None = None, **more: Any
) -> tuple[RecurrentClassifier, FitResult]:
    logs = RunLogs(folder, LogConfig(**more.pop("log", {})), NAMES)
    model = tiny_model()
    setup = RunSetup(resume_file, more.pop("listener", None), logs=logs)
    return model, train_model(model, *learnable, more.pop("config", CONFIG), seed=3, setup=setup)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / CSV_NAME).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def untimed(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{key: value for key, value in row.items() if not key.endswith("_s")} for row in found]


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"histograms": 0, "scalars": 0})
    found.Reload()
    return found


def interrupt(at: int) -> Callable[[Epoch], None]:
    def listener(epoch: Epoch) -> None:
        if epoch.epoch == at:
            raise KeyboardInterrupt

    return listener


# The CSV.


def test_a_row_is_there_as_soon_as_its_epoch_is_over(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path
) -> None:
    """A listener hears of an epoch just before its row is written."""
    seen: list[int] = []
    _, result = train(tiny_model, learnable, tmp_path, listener=lambda _: seen.append(len(rows(tmp_path))))
    assert seen == [0, 1, 2, 3]
    for row, epoch in zip(rows(tmp_path), result.history, strict=True):
        assert list(row) == list(epoch.to_dict())
        assert all(float(row[key]) == pytest.approx(value, rel=1e-5) for key, value in epoch.to_dict().items())
    assert float(rows(tmp_path)[0]["learning_rate"]) == 0.02


@pytest.mark.parametrize("at", [1, 3])
def test_an_interrupted_runs_log_goes_on_and_ends_as_an_uninterrupted_ones(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path, at: int
) -> None:
    train(tiny_model, learnable, tmp_path / "whole")
    resume_file, folder = tmp_path / "resume.ckpt", tmp_path / "resumed"
    with pytest.raises(InterruptedRunError):
        train(tiny_model, learnable, folder, resume_file, listener=interrupt(at))
    assert len(rows(folder)) == at - 1
    train(tiny_model, learnable, folder, resume_file)
    assert untimed(rows(folder)) == untimed(rows(tmp_path / "whole"))


def test_an_epoch_that_was_logged_but_lost_is_logged_once(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed between the row and the resume file."""
    train(tiny_model, learnable, tmp_path / "whole")
    resume_file, folder, written = tmp_path / "resume.ckpt", tmp_path / "killed", ResumeFile.on_train_epoch_end

    def killed(self: ResumeFile, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == 2:
            raise ZeroDivisionError
        written(self, trainer, pl_module)

    monkeypatch.setattr(ResumeFile, "on_train_epoch_end", killed)
    with pytest.raises(ZeroDivisionError):
        train(tiny_model, learnable, folder, resume_file)
    assert len(rows(folder)) == 3
    for file in folder.glob("events*"):  # TensorBoard reads files in the order of the second in their name
        file.rename(file.with_name(file.name.replace("tfevents.", "tfevents.0")))
    monkeypatch.undo()
    train(tiny_model, learnable, folder, resume_file)
    assert untimed(rows(folder)) == untimed(rows(tmp_path / "whole"))
    steps = [event.step for event in events(folder).Scalars("val_loss")]
    assert steps == [1, 2, 3, 4]


def test_a_run_from_the_start_begins_a_new_log(tiny_model: TinyModel, learnable: Learnable, tmp_path: Path) -> None:
    train(tiny_model, learnable, tmp_path)
    shorter = CONFIG.model_copy(update={"epochs": 2})
    train(tiny_model, learnable, tmp_path, config=shorter)
    assert [row["epoch"] for row in rows(tmp_path)] == ["1", "2"]
    assert [event.step for event in events(tmp_path).Scalars("loss")] == [1, 2]


# TensorBoard.


def test_tensorboard_has_every_epochs_figures_histograms_of_all_weights_and_the_graph(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path
) -> None:
    model, result = train(tiny_model, learnable, tmp_path, log={"histogram_every": 2})
    found = events(tmp_path)
    for name in SCALARS:
        told = {event.step: event.value for event in found.Scalars(name)}
        assert told == pytest.approx({e.epoch: getattr(e, name) for e in result.history}, rel=1e-6)
    for name, parameter in model.named_parameters():
        histograms = found.Histograms(name)
        assert [event.step for event in histograms] == [2, 4]
        assert histograms[0].histogram_value.num == parameter.numel()
    assert len(found.Graph().node) > 10
    assert {f"val_accuracy_by_class/{name}" for name in NAMES} <= set(found.Tags()["scalars"])


@pytest.mark.parametrize(
    ("log", "histograms", "graph"),
    [({"histogram_every": 0}, 0, True), ({"graph": False}, 1, False), ({}, 1, True)],
)
def test_histograms_and_the_graph_can_be_left_out(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path, log: dict[str, Any], histograms: int, graph: bool
) -> None:
    train(tiny_model, learnable, tmp_path, log=log)
    tags = events(tmp_path).Tags()
    assert bool(tags["histograms"]) == bool(histograms)
    assert tags["graph"] == graph


def test_without_tensorboard_there_is_the_csv_alone(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path
) -> None:
    train(tiny_model, learnable, tmp_path, log={"tensorboard": False})
    assert [path.name for path in tmp_path.iterdir()] == [CSV_NAME]


def test_logs_have_no_say_in_what_is_learned_and_print_nothing(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logged, _ = train(tiny_model, learnable, tmp_path)
    plain = tiny_model()
    train_model(plain, *learnable, CONFIG, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(logged.parameters(), plain.parameters(), strict=True))
    assert capfd.readouterr() == ("", "")


# Accuracy by class.


def test_validation_accuracy_by_class_is_that_of_the_best_weights(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path
) -> None:
    validation = learnable[1]
    model, result = train(tiny_model, learnable, tmp_path)
    predicted = predict_logits(model, validation.x).argmax(axis=1)
    expected = np.zeros((3, 3), dtype=int)
    np.add.at(expected, (validation.labels, predicted), 1)
    assert np.array_equal(result.val_confusion, expected)
    resume_file = tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        train(tiny_model, learnable, tmp_path / "again", resume_file, listener=interrupt(4))
    assert train(tiny_model, learnable, tmp_path / "again", resume_file)[1].val_confusion == result.val_confusion


def test_a_class_without_takes_has_no_accuracy_and_one_without_a_name_has_a_number() -> None:
    confusion: Tensor = torch.tensor([[3, 1, 0], [0, 0, 0], [0, 2, 2]])
    assert class_accuracies(confusion, ("A", "B")) == {"A": 0.75, "2": 0.5}


def test_tensorboard_on_a_full_disk_is_one_error_that_names_the_folder(tmp_path: Path) -> None:
    log = TensorBoardLog(RunLogs(tmp_path / "logs"), EpochReport(1), torch.zeros(1, 2, 3))
    log.writer = object()
    hook = threading.excepthook
    with pytest.raises(OSError, match="No space left") as caught, log._writing():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "logs")
    assert log.writer is None, "it is not asked again"
    assert threading.excepthook is hook


def test_a_log_is_never_added_to_through_a_link(tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / CSV_NAME
    elsewhere.write_text("precious")
    path.symlink_to(elsewhere)
    with pytest.raises(OSError, match="is a link, which is not followed"):
        append_text(path, "1,2\n")
    assert elsewhere.read_text() == "precious"
