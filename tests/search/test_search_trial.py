"""One student: taught, pruned, quantised, scored on what the file answers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgekit.artifacts import sha256_bytes
from edgekit.distill import distill_model
from edgekit.errors import EdgekitError
from edgekit.model import predict_logits
from edgekit.profiles import Profile
from edgekit.quantize.gates import logits_of
from edgekit.results.searching import Recipe, StudentPoint, StudentTrial
from edgekit.runtime import inspect_model
from edgekit.search import SearchTask, TeacherAnswers
from edgekit.search.fitting import rule_out

POINT = StudentPoint("lstm", 8, 1, False)
WHOLE, HALF = Recipe(0.0, "int8-weights"), Recipe(0.5, "int8-weights")
MakeTask = Callable[..., SearchTask]


def go_on(accuracies: tuple[float, ...]) -> bool:
    return True


@pytest.fixture(scope="module")
def trials() -> list[StudentTrial]:
    """What ran once: for the tests that only look at it."""
    return []


@pytest.fixture
def trial(make_task: MakeTask, trials: list[StudentTrial]) -> StudentTrial:
    """A student with two files."""
    if not trials:
        trials.append(make_task(WHOLE, HALF).run(POINT, go_on))
    return trials[0]


def test_a_file_is_scored_by_its_own_answers_to_the_validation_takes(
    make_task: MakeTask, trial: StudentTrial, tmp_path: Path
) -> None:
    task = make_task()
    assert (trial.state, [model.recipe for model in trial.models]) == ("finished", [WHOLE, HALF])
    assert (trial.parameters, trial.macs) == task.costs(POINT)
    for model in trial.models:
        file = tmp_path / f"{model.name}.onnx"
        file.write_bytes(model.content or b"")
        answers = logits_of(file, task.validation.x).argmax(axis=1)
        assert model.accuracy == (answers == task.validation.labels).mean()
        assert (model.sha256, model.size_bytes) == (sha256_bytes(file.read_bytes()), file.stat().st_size)
        metadata = inspect_model(file).metadata
        assert metadata is not None
        assert (metadata.parameters, metadata.macs) == (model.parameters, model.macs)
        assert (metadata.scheme, metadata.trained_on) == ("int8-weights", "takes of a test")
    whole, half = trial.models
    assert half.parameters <= 0.5 * whole.parameters
    assert StudentTrial.from_dict(trial.to_dict()) == trial


def test_a_size_is_known_before_training(make_task: MakeTask, trial: StudentTrial) -> None:
    """The untrained file is at most as long as the trained one, and not much shorter."""
    size_bytes = trial.models[0].size_bytes
    wanted, (out,) = rule_out(make_task(WHOLE), Profile(name="mine", max_model_mb=0.8 * size_bytes / 1e6))
    assert (wanted, out.kind) == ({}, "size")
    assert "KB, allowed" in out.reason
    assert 1.0 < (out.excess or 0.0) <= 1.25
    assert rule_out(make_task(WHOLE), Profile(name="mine", max_model_mb=size_bytes / 1e6))[1] == ()


def test_a_student_is_looked_at_while_it_learns_and_may_be_given_up(make_task: MakeTask) -> None:
    task = make_task()
    seen: list[tuple[float, ...]] = []

    def enough(accuracies: tuple[float, ...]) -> bool:
        seen.append(accuracies)
        return len(accuracies) < 2

    trial = task.run(POINT, enough)
    student = task.build(POINT)
    by_hand = distill_model(task.teacher, student, task.train, task.validation, task.distillation, seed=task.seed)
    accuracies = tuple(epoch.val_accuracy for epoch in by_hand.history)
    assert seen == [accuracies[:1], accuracies]
    assert (trial.state, trial.accuracies, trial.models) == ("pruned", accuracies, ())


def test_a_student_whose_loss_is_not_finite_fails(make_task: MakeTask) -> None:
    task = make_task()
    wild = task.distillation.training.model_copy(update={"learning_rate": 1e30})
    task = replace(task, distillation=task.distillation.model_copy(update={"training": wild}))
    trial = task.run(POINT, go_on)
    assert trial.state == "failed"
    assert trial.error == "the training's val_loss became nan in epoch 1, so it was stopped"
    assert trial.accuracy is None


class _Unsendable(nn.Module):
    """Like an open ONNX file: it can't be pickled."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.handle = lambda: None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)  # type: ignore[no-any-return]


def test_a_teacher_that_can_not_be_sent_is_sent_as_its_answers(make_task: MakeTask) -> None:
    task = make_task()
    assert task.teacher.teacher is not None
    teacher = TeacherAnswers(_Unsendable(task.teacher.teacher))
    teacher.known = task.teacher.known
    sent = pickle.loads(pickle.dumps(teacher))
    assert sent.teacher is None
    assert pickle.loads(pickle.dumps(task.teacher)).teacher is not None
    learned = [replace(task, teacher=each).run(POINT, lambda found: len(found) < 2) for each in (task.teacher, sent)]
    assert learned[0].accuracies == learned[1].accuracies
    with pytest.raises(EdgekitError, match="can't be sent to other processes"):
        predict_logits(sent, task.train.x + np.float32(1.0))


def test_the_teacher_is_asked_once_for_the_same_takes(make_task: MakeTask) -> None:
    task = make_task()
    answers = TeacherAnswers(task.teacher.teacher)
    first = predict_logits(answers, task.train.x)
    answers.teacher = None
    assert np.array_equal(predict_logits(answers, task.train.x), first)
