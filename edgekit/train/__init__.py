"""Supervised training of one model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgekit.data import AugmentConfig, Mix
from edgekit.model import require_trainable, try_module
from edgekit.train.diagnosis import Fitted, diagnose, live_findings, poor_generalisation
from edgekit.train.fitting import fit
from edgekit.train.folds import Folds, grouped_folds
from edgekit.train.hardware import ALONE, Hardware, Precision, cuda_gpus
from edgekit.train.logs import CSV_NAME, LogConfig, RunLogs, class_accuracies, csv_text
from edgekit.train.losses import Objective, focal_loss, supervised_loss
from edgekit.train.out_of_fold import predict_out_of_fold
from edgekit.train.pace import Pace, measure_pace
from edgekit.train.progress import Epoch, Listener
from edgekit.train.projection import Projection
from edgekit.train.result import FitResult
from edgekit.train.resume import unseal
from edgekit.train.settings import (
    EarlyStoppingConfig,
    LossConfig,
    RegularizationConfig,
    SchedulerConfig,
    TrainingConfig,
)
from edgekit.train.setup import RunSetup
from edgekit.train.takes import (
    EpochSource,
    Takes,
    augmented,
    epoch_generator,
    mixed,
    require_labels,
    require_mix,
    require_run,
)
from edgekit.train.threads import choose_threads, choose_threads_and_precision

__all__ = [
    "ALONE",
    "CSV_NAME",
    "EarlyStoppingConfig",
    "Epoch",
    "EpochSource",
    "FitResult",
    "Fitted",
    "Folds",
    "Hardware",
    "Listener",
    "LogConfig",
    "LossConfig",
    "Objective",
    "Pace",
    "Precision",
    "Projection",
    "RegularizationConfig",
    "RunLogs",
    "RunSetup",
    "SchedulerConfig",
    "Takes",
    "TrainingConfig",
    "augmented",
    "choose_threads",
    "choose_threads_and_precision",
    "class_accuracies",
    "csv_text",
    "cuda_gpus",
    "diagnose",
    "epoch_generator",
    "fit",
    "focal_loss",
    "grouped_folds",
    "live_findings",
    "measure_pace",
    "mixed",
    "poor_generalisation",
    "predict_out_of_fold",
    "require_labels",
    "require_mix",
    "require_run",
    "supervised_loss",
    "train_model",
    "unseal",
]


def train_model(
    model: nn.Module,
    train: Takes,
    validation: Takes,
    config: TrainingConfig | None = None,
    *,
    augmentation: AugmentConfig | None = None,
    mix: Mix | None = None,
    loss: LossConfig | None = None,
    regularization: RegularizationConfig | None = None,
    seed: int = 0,
    setup: RunSetup | None = None,
) -> FitResult:
    """Train any module from raw landmarks float32 (batch, time, features) to logits (batch, classes), in place.

    loss: see `edgekit.train.supervised_loss`. augmentation: in each epoch with the probability that
    `AugmentConfig.at` gives; None trains on the takes as they are. mix: synthetic takes that every epoch also has,
    augmented like the others. See `edgekit.train.RunSetup` for resuming,
    `edgekit.train.fit` for errors. Raises InputError before anything is trained for arguments of another kind,
    ShapeError for a module that does not give logits (batch, classes) for such takes, or not of enough classes.
    """
    require_run("train_model", train, validation, config, TrainingConfig)
    classes = try_module(model, train.x, "train_model: model")[1]
    require_trainable(model, "train_model: model")
    require_labels(train, classes, "train_model: train")
    require_labels(validation, classes, "train_model: validation")
    require_mix("train_model", mix, train, classes)
    criterion = supervised_loss(loss or LossConfig())
    regularization = regularization or RegularizationConfig()

    def source(epoch: int) -> tuple[Tensor, ...]:
        phase = None if augmentation is None else augmentation.at(epoch + 1)
        takes = mixed(train, mix, seed, epoch)
        x = augmented(takes, phase, epoch_generator(seed, epoch))
        return torch.from_numpy(x), torch.from_numpy(takes.labels)

    def objective(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        return criterion(logits, batch[1])

    return fit(
        model,
        source,
        validation,
        objective,
        config or TrainingConfig(),
        seed=seed,
        weight_decay=2.0 * regularization.l2_weight,  # Keras adds l2 * ||w||^2, whose gradient is 2 * l2 * w
        setup=setup,
    )
