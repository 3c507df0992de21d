"""A student learns from the logits of one teacher or several, and from the labels."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from edgekit.config import StageConfig
from edgekit.data import AugmentConfig, Mix
from edgekit.distill.states import StatesObjective, StatesOf, read_states, recording
from edgekit.distill.teachers import Teachers, as_one, each_teacher
from edgekit.errors import ShapeError
from edgekit.model import predict_logits, require_float32, require_trainable, try_learning, try_module
from edgekit.train import (
    EpochSource,
    FitResult,
    Objective,
    Projection,
    RunSetup,
    SchedulerConfig,
    Takes,
    TrainingConfig,
    augmented,
    epoch_generator,
    fit,
    mixed,
    require_labels,
    require_mix,
    require_run,
)


class DistillConfig(StageConfig):
    """What the student learns from, and for how long."""

    temperature: float = Field(default=2.0, gt=0.0, description="softens both distributions")
    alpha: float = Field(default=0.5, ge=0.0, le=1.0, description="weight of the teacher; the labels get the rest")
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0, description="label smoothing of the labels' part")
    copies: int = Field(
        default=16, ge=1, description="augmented copies of the training takes that the teacher labels once"
    )
    states: float = Field(
        default=0.0,
        ge=0.0,
        description="weight of a loss between the outputs of student's and teacher's last recurrent layers; 0: none",
    )
    training: TrainingConfig = TrainingConfig(
        epochs=100, lr_scheduler=SchedulerConfig(type="cosine"), early_stopping=None
    )


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    temperature: float,
    alpha: float,
    label_smoothing: float = 0.0,
) -> Tensor:
    """alpha * T^2 * KL(teacher || student) + (1 - alpha) * cross-entropy.

    student_logits, teacher_logits float32 (batch, classes); labels int64 (batch,). Returns a scalar in nats, the mean
    over the batch. T^2 keeps the gradient's size independent of the temperature. Raises ShapeError when the logits
    differ in shape. Source: Hinton et al. 2015, section 2.
    """
    _require_same_shape(tuple(teacher_logits.shape), tuple(student_logits.shape))
    soft = nn.functional.kl_div(
        torch.log_softmax(student_logits / temperature, dim=1),
        torch.log_softmax(teacher_logits / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    hard = nn.functional.cross_entropy(student_logits, labels, label_smoothing=label_smoothing)
    return alpha * temperature**2 * soft + (1.0 - alpha) * hard


def teacher_source(
    teacher: nn.Module,
    train: Takes,
    augmentation: AugmentConfig | None,
    copies: int,
    seed: int,
    mix: Mix | None = None,
    read: Sequence[StatesOf] = (),
) -> EpochSource:
    """Epochs of (x, labels, teacher's logits, states of each module that is `read`). The teacher labels each of
    `copies` augmented copies once.

    Epoch e sees copy e modulo copies, each with synthetic people of its own where there is a mix. Only the logits are
    kept; x is made again from the seed. A copy is seen in many epochs, so all are made with
    `augmentation.probability`; its milestones do not count. States are too many to be kept: the teacher computes them
    again in every epoch.
    """
    copies = 1 if augmentation is None and mix is None else copies
    known: dict[int, Tensor] = {}

    def source(epoch: int) -> tuple[Tensor, ...]:
        copy = epoch % copies
        takes = mixed(train, mix, seed, copy)
        x = augmented(takes, augmentation, epoch_generator(seed, copy))
        states: tuple[Tensor, ...] = ()
        if copy not in known or read:
            with recording(read) as recorded:
                known[copy] = torch.from_numpy(_finite(predict_logits(teacher, x)))
            states = recorded()
        return torch.from_numpy(x), torch.from_numpy(takes.labels), known[copy], *states

    return source


def _finite(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if not np.isfinite(logits).all():
        takes = int((~np.isfinite(logits)).any(axis=1).sum())
        raise ShapeError(
            f"the teacher's logits are NaN or infinite for {takes} of {len(logits)} takes; check its weights"
        )
    return logits


def teacher_objective(config: DistillConfig) -> Objective:
    """The distillation loss over batches of (x, labels, teacher's logits)."""

    def objective(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        return distillation_loss(logits, batch[2], batch[1], config.temperature, config.alpha, config.label_smoothing)

    return objective


def distill_model(
    teacher: Teachers,
    student: nn.Module,
    train: Takes,
    validation: Takes,
    config: DistillConfig | None = None,
    *,
    augmentation: AugmentConfig | None = None,
    mix: Mix | None = None,
    seed: int = 0,
    setup: RunSetup | None = None,
    projection: Projection | None = None,
) -> FitResult:
    """Teach `student`, in place, what `teacher` knows. Both take raw landmarks float32 (batch, time, features).

    Raises InputError before anything is trained for arguments of another kind.

    The teacher may be any module that returns logits (batch, classes) in the student's class order; it is put into
    evaluation mode and never changed. Of several, in a list, the student learns from the mean of their softened
    probabilities (`MeanTeacher`), and with config.states from the mean of the losses between its states and each one's,
    whose linear layers are thrown away (`edgekit.distill.states`). mix: synthetic takes that every copy of the training
    takes also has, by other people than those whom `train_model` trains on with the same mix. Raises ShapeError when
    the teacher's logits do not fit the student's, ConfigError where config.states can't be read; see
    `edgekit.train.RunSetup` for resuming, `edgekit.train.fit` for the projection and other errors.
    """
    require_run("distill_model", train, validation, config, DistillConfig)
    teachers = each_teacher("distill_model", teacher)
    taught = [try_module(module, train.x, name) for name, module in teachers.items()]
    shape = try_module(student, train.x, "distill_model: student")
    require_trainable(student, "distill_model: student")
    require_float32(student, "distill_model: student", double=True)
    try_learning(student, train.x, "distill_model: student")
    for one in taught:
        _require_same_shape(one, shape)
    for name, takes in (("train", train), ("validation", validation)):
        require_labels(takes, shape[1], f"distill_model: {name}")
    require_mix("distill_model", mix, train, shape[1])
    config = config or DistillConfig()
    read = read_states(student, teachers, train.x) if config.states else []
    objective = teacher_objective(config)
    apart = None if mix is None else mix.apart()
    taught_by = as_one(teacher, config.temperature)
    source = teacher_source(taught_by, train, augmentation, config.copies, seed, apart, read[1:])
    with contextlib.ExitStack() as watched:
        if read:
            objective = with_states = StatesObjective(objective, config.states, read[0], read[1:], seed)
            watched.enter_context(with_states.watching())
        return fit(
            student, source, validation, objective, config.training, seed=seed, setup=setup, projection=projection
        )


def _require_same_shape(teacher: tuple[int, ...], student: tuple[int, ...]) -> None:
    if student != teacher:
        raise ShapeError(f"student logits {student} and teacher logits {teacher} differ: both need the same classes")
