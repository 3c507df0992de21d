"""What a student keeps of its teacher's accuracy: the gate, and several teachers as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.distill import (
    DistillConfig,
    MeanTeacher,
    distill_model,
    distillation_loss,
    measure_retention,
    require_retention,
)
from edgekit.errors import GateError, InputError, ShapeError
from edgekit.evaluate import Retention
from edgekit.model import RecurrentClassifier
from edgekit.train import Takes, TrainingConfig

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]
ONCE = DistillConfig(copies=1, training=TrainingConfig(epochs=2, batch_size=9, early_stopping=None))


class Saying(nn.Module):
    """Answers take k with class answers[k], whose number is in the take."""

    def __init__(self, answers: list[int]) -> None:
        super().__init__()
        self.answers = torch.tensor(answers)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.one_hot(self.answers[x[:, 0, 0].long()], 3).float()


def numbered(labels: list[int]) -> Takes:
    x = np.zeros((len(labels), 2, 4), np.float32)
    x[:, 0, 0] = np.arange(len(labels))
    return Takes(x, np.array(labels))


def test_what_is_kept_is_counted_take_by_take() -> None:
    takes = numbered([0, 1, 2, 0, 1, 2])
    found = measure_retention(Saying([0, 1, 2, 1, 1, 0]), Saying([0, 1, 0, 0, 1, 0]), takes)
    assert found == Retention(takes=6, both=3, lost=1, gained=1)
    assert found.ratio == 1.0


@pytest.mark.parametrize(("least", "passes"), [(0.95, True), (0.9601, False), (0.96, True), (0.0, True)])
def test_the_gate_passes_what_keeps_enough(least: float, passes: bool) -> None:
    found = Retention(takes=200, both=96, lost=4, gained=0)
    if passes:
        require_retention(found, least, "student")
        return
    with pytest.raises(GateError) as caught:
        require_retention(found, least, "student")
    assert caught.value.exit_code == 5
    for word in ("student: keeps 96.0 % of its teacher's accuracy on 200 validation takes", "asks for 96.01 %"):
        assert word in str(caught.value)


def test_a_teacher_that_knows_nothing_is_no_measure() -> None:
    with pytest.raises(GateError, match="teacher answers none of 9 validation takes right"):
        require_retention(Retention(takes=9, both=0, lost=0, gained=3), 0.5, "student")


@pytest.mark.parametrize("temperature", [1.0, 2.0, 7.5])
def test_several_teachers_give_the_mean_of_their_softened_probabilities(temperature: float) -> None:
    teachers = [nn.Sequential(nn.Flatten(), nn.Linear(12, 5)) for _ in range(3)]
    x = torch.randn(4, 3, 4)
    with torch.no_grad():
        got = torch.softmax(MeanTeacher(teachers, temperature)(x) / temperature, dim=1)
        each = torch.stack([torch.softmax(teacher(x) / temperature, dim=1) for teacher in teachers])
    torch.testing.assert_close(got, each.mean(dim=0))


def test_a_teacher_beside_itself_teaches_as_it_does_alone(tiny_model: TinyModel, learnable: Learnable) -> None:
    """The mean of equal probabilities is each of them: the same up to float32's rounding."""
    teacher: Any = tiny_model(seed=1)
    students = [tiny_model(seed=2) for _ in range(3)]
    for student, taught in zip(students, (teacher, [teacher], [teacher, teacher]), strict=True):
        distill_model(taught, student, *learnable, ONCE)
    alone, listed, twice = (student.state_dict() for student in students)
    assert all(torch.equal(alone[key], listed[key]) for key in alone)
    for key in alone:
        torch.testing.assert_close(alone[key], twice[key], rtol=0, atol=1e-4)


def test_teachers_that_disagree_count_alike(tiny_model: TinyModel) -> None:
    """The loss is least where the student says what the mean says."""
    logits = [torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([[0.0, 4.0, 0.0]])]
    mean = MeanTeacher([_Constant(one) for one in logits], 2.0)(torch.zeros(1, 2, 4))
    assert mean[0, 0] == pytest.approx(float(mean[0, 1]))
    labels = torch.tensor([0])
    assert float(distillation_loss(mean, mean, labels, 2.0, 1.0)) == pytest.approx(0.0, abs=1e-6)
    assert float(distillation_loss(logits[0], mean, labels, 2.0, 1.0)) > 0.1


class _Constant(nn.Module):
    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.expand(len(x), -1)


def test_every_teacher_is_looked_at_by_its_number(tiny_model: TinyModel, learnable: Learnable) -> None:
    good = tiny_model()
    with pytest.raises(InputError, match=r"distill_model: teacher 2 is str; expected a torch.nn.Module"):
        distill_model([good, "base"], tiny_model(), *learnable)  # type: ignore[list-item]
    with pytest.raises(ShapeError, match="both need the same classes"):
        distill_model([good, tiny_model(classes=4)], tiny_model(), *learnable)
    with pytest.raises(InputError, match="a list of no teachers; give one at least"):
        distill_model([], tiny_model(), *learnable)
