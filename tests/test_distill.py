"""Distillation: the loss is Hinton's, the teacher is read and never changed, any module can be one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.data import AugmentConfig
from edgekit.distill import DistillConfig, distill_model, distillation_loss
from edgekit.errors import InterruptedRunError, ShapeError
from edgekit.model import RecurrentClassifier
from edgekit.train import Epoch, RunSetup, SchedulerConfig, Takes, TrainingConfig, train_model

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]


def logits(batch: int = 5, classes: int = 4, seed: int = 0, scale: float = 2.0) -> Tensor:
    return torch.randn(batch, classes, generator=torch.Generator().manual_seed(seed)) * scale


LABELS = torch.tensor([0, 1, 2, 3, 0])


def config(alpha: float = 0.5, epochs: int = 3, **more: Any) -> DistillConfig:
    training = TrainingConfig(
        epochs=epochs,
        learning_rate=0.02,
        batch_size=8,
        lr_scheduler=SchedulerConfig(type="constant"),
        early_stopping=None,
    )
    return DistillConfig(alpha=alpha, training=training, **{"copies": 2, **more})


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# The loss.


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_equal_logits_have_no_divergence(temperature: float) -> None:
    assert distillation_loss(logits(), logits(), LABELS, temperature, alpha=1.0).abs() < 1e-6


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_divergence_is_positive_and_blind_to_a_constant_on_all_logits(temperature: float) -> None:
    loss = distillation_loss(logits(seed=1), logits(seed=2), LABELS, temperature, alpha=1.0)
    shifted = distillation_loss(logits(seed=1) + 3.0, logits(seed=2) - 5.0, LABELS, temperature, alpha=1.0)
    assert loss > 0.01
    torch.testing.assert_close(loss, shifted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_without_the_teacher_it_is_cross_entropy(label_smoothing: float) -> None:
    student = logits(seed=1)
    expected = nn.functional.cross_entropy(student, LABELS, label_smoothing=label_smoothing)
    found = distillation_loss(student, logits(seed=2), LABELS, 3.0, 0.0, label_smoothing)
    torch.testing.assert_close(found, expected)


def test_the_value_is_the_formula() -> None:
    student, teacher = logits(seed=1).double().numpy(), logits(seed=2).double().numpy()
    temperature, alpha = 3.0, 0.3

    def softmax(z: Any) -> Any:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    p, q = softmax(teacher / temperature), softmax(student / temperature)
    divergence = (p * np.log(p / q)).sum(axis=1).mean()  # in nats, of the teacher from the student
    hard = -np.log(softmax(student)[np.arange(5), LABELS.numpy()]).mean()
    found = distillation_loss(logits(seed=1), logits(seed=2), LABELS, temperature, alpha)
    assert float(found) == pytest.approx(alpha * temperature**2 * divergence + (1 - alpha) * hard, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_gradient_is_temperature_times_the_difference_of_the_softened_probabilities(temperature: float) -> None:
    student, teacher = logits(seed=1).requires_grad_(), logits(seed=2)
    distillation_loss(student, teacher, LABELS, temperature, alpha=1.0).backward()
    q, p = torch.softmax(student.detach() / temperature, 1), torch.softmax(teacher / temperature, 1)
    torch.testing.assert_close(student.grad, temperature * (q - p) / len(LABELS))


def test_the_gradients_size_does_not_depend_on_a_high_temperature() -> None:
    """Hinton et al. 2015, section 2: it goes to the difference of the centred logits / classes; T^2 undoes 1/T^2."""
    sizes = []
    for temperature in (20.0, 40.0, 80.0):
        student = logits(seed=1).requires_grad_()
        distillation_loss(student, logits(seed=2), LABELS, temperature, alpha=1.0).backward()
        assert student.grad is not None
        sizes.append(float(student.grad.norm()))
    assert max(sizes) / min(sizes) < 1.05  # without the factor 16
    difference = logits(seed=1) - logits(seed=2)
    limit = (difference - difference.mean(dim=1, keepdim=True)) / (4 * len(LABELS))
    assert sizes[-1] == pytest.approx(float(limit.norm()), rel=0.02)


@pytest.mark.parametrize("shape", [(5, 3), (4, 4)])
def test_logits_of_other_shapes_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ShapeError, match=r"student logits \(5, 4\) and teacher logits"):
        distillation_loss(logits(), logits(*shape), LABELS, 2.0, 0.5)


# The stage.


class Averages(nn.Module):
    """A user's own teacher: normalised averages over time, a linear layer, dropout. Counts its calls."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.norm = nn.BatchNorm1d(63)
            self.head = nn.Linear(63, classes)
        self.drop = nn.Dropout(0.5)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        y: Tensor = self.head(self.drop(self.norm(x.mean(dim=1))))
        return y


@pytest.fixture
def teacher(tiny_model: TinyModel, learnable: Learnable) -> RecurrentClassifier:
    """A model that knows the classes."""
    model = tiny_model(seed=9, hidden_size=12)
    training = TrainingConfig(epochs=12, learning_rate=0.02, batch_size=8, early_stopping=None)
    assert train_model(model, *learnable, training).val_accuracy == 1.0
    return model


def test_the_teacher_is_unchanged_in_every_bit_and_mode(
    teacher: RecurrentClassifier, tiny_model: TinyModel, learnable: Learnable
) -> None:
    teacher.train()
    teacher.dense.eval()
    before, modes = weights(teacher), [m.training for m in teacher.modules()]
    distill_model(teacher, tiny_model(), *learnable, config(), augmentation=AugmentConfig())
    assert same(weights(teacher), before)
    assert [m.training for m in teacher.modules()] == modes
    assert all(p.requires_grad and p.grad is None for p in teacher.parameters())


def test_the_student_learns_from_the_teacher_alone_when_alpha_is_1(
    teacher: RecurrentClassifier, tiny_model: TinyModel, learnable: Learnable
) -> None:
    train, validation = learnable
    wrong = Takes(train.x, (train.labels + 1) % 3)
    students = [tiny_model(), tiny_model()]
    results = [
        distill_model(teacher, student, takes, validation, config(alpha=1.0, epochs=12))
        for student, takes in zip(students, (train, wrong), strict=True)
    ]
    assert same(weights(students[0]), weights(students[1]))
    assert results[1].val_accuracy >= 8 / 9  # the labels it was given are all wrong


def test_the_teacher_does_not_matter_when_alpha_is_0(
    teacher: RecurrentClassifier, tiny_model: TinyModel, learnable: Learnable
) -> None:
    students = [tiny_model(), tiny_model()]
    for student, other in zip(students, (teacher, Averages()), strict=True):
        distill_model(other, student, *learnable, config(alpha=0.0))
    assert same(weights(students[0]), weights(students[1]))


def test_a_users_own_module_is_a_teacher_and_keeps_its_statistics(tiny_model: TinyModel, learnable: Learnable) -> None:
    own = Averages().train()
    before = weights(own)
    student = tiny_model()
    untaught = weights(student)
    result = distill_model(own, student, *learnable, config(alpha=1.0))
    assert same(weights(own), before)
    assert own.training
    assert own.norm.training
    assert not same(weights(student), untaught)
    assert all(np.isfinite(epoch.loss) for epoch in result.history)


@pytest.mark.parametrize(("augmentation", "calls"), [(AugmentConfig(), 2), (None, 1)])
def test_the_teacher_labels_each_copy_once(
    tiny_model: TinyModel, learnable: Learnable, augmentation: AugmentConfig | None, calls: int
) -> None:
    own = Averages()
    distill_model(own, tiny_model(), *learnable, config(epochs=5, copies=2), augmentation=augmentation)
    assert own.calls == 2 + calls  # and before anything is trained it is tried on two takes, and on one


def test_the_same_seed_gives_the_same_student_and_another_seed_another(
    tiny_model: TinyModel, learnable: Learnable
) -> None:
    students = []
    for seed in (4, 4, 5):
        students.append(tiny_model())
        distill_model(Averages(), students[-1], *learnable, config(), augmentation=AugmentConfig(), seed=seed)
    assert same(weights(students[0]), weights(students[1]))
    assert not same(weights(students[0]), weights(students[2]))


def test_an_interrupted_distillation_ends_where_an_uninterrupted_one_does(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path
) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 4:
            raise KeyboardInterrupt

    def run(**more: Any) -> dict[str, Tensor]:
        student = tiny_model()
        distill_model(Averages(), student, *learnable, config(epochs=6), augmentation=AugmentConfig(), **more)
        return weights(student)

    whole, resume_file = run(), tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        run(setup=RunSetup(resume_file, stop))
    assert same(run(setup=RunSetup(resume_file)), whole)


def test_making_epochs_ahead_changes_nothing(tiny_model: TinyModel, learnable: Learnable) -> None:
    """The teacher labels in a thread of its own then."""
    students = []
    for prefetch in (False, True):
        students.append(tiny_model())
        training = config(epochs=5).training.model_copy(update={"prefetch": prefetch})
        settings = config().model_copy(update={"training": training})
        distill_model(Averages(), students[-1], *learnable, settings, augmentation=AugmentConfig())
    assert same(weights(students[0]), weights(students[1]))


def test_a_teacher_of_other_classes_is_refused(tiny_model: TinyModel, learnable: Learnable) -> None:
    with pytest.raises(ShapeError, match="both need the same classes"):
        distill_model(Averages(classes=4), tiny_model(), *learnable, config())
