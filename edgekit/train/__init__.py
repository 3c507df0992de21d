"""Supervised training of one model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgekit.data import AugmentConfig
from edgekit.train.folds import Folds, grouped_folds
from edgekit.train.loop import EpochSource, FitResult, Objective, fit
from edgekit.train.out_of_fold import predict_out_of_fold
from edgekit.train.progress import Epoch, Listener
from edgekit.train.projection import Projection
from edgekit.train.settings import (
    EarlyStoppingConfig,
    LossConfig,
    RegularizationConfig,
    SchedulerConfig,
    TrainingConfig,
)
from edgekit.train.setup import RunSetup
from edgekit.train.takes import Takes, augmented, epoch_generator
from edgekit.train.threads import choose_threads

__all__ = [
    "EarlyStoppingConfig",
    "Epoch",
    "EpochSource",
    "FitResult",
    "Folds",
    "Listener",
    "LossConfig",
    "Objective",
    "Projection",
    "RegularizationConfig",
    "RunSetup",
    "SchedulerConfig",
    "Takes",
    "TrainingConfig",
    "augmented",
    "choose_threads",
    "epoch_generator",
    "fit",
    "grouped_folds",
    "predict_out_of_fold",
    "train_model",
]


def train_model(
    model: nn.Module,
    train: Takes,
    validation: Takes,
    config: TrainingConfig | None = None,
    *,
    augmentation: AugmentConfig | None = None,
    loss: LossConfig | None = None,
    regularization: RegularizationConfig | None = None,
    seed: int = 0,
    setup: RunSetup | None = None,
) -> FitResult:
    """Train any module from raw landmarks float32 (batch, time, features) to logits (batch, classes), in place.

    Loss: cross-entropy against y * (1 - e) + e / classes, e the label smoothing (Szegedy et al. 2016, section 7).
    augmentation: None trains on the takes as they are. See `edgekit.train.RunSetup` for resuming, `edgekit.train.fit`
    for errors.
    """
    loss = loss or LossConfig()
    regularization = regularization or RegularizationConfig()

    def source(epoch: int) -> tuple[Tensor, ...]:
        x = augmented(train, augmentation, epoch_generator(seed, epoch))
        return torch.from_numpy(x), torch.from_numpy(train.labels)

    def objective(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        return nn.functional.cross_entropy(logits, batch[1], label_smoothing=loss.label_smoothing)

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
