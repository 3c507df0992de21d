"""One trial: a point of the grid trained on every fold."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.data import AugmentConfig, Mix, fit_normalisation
from edgekit.errors import ConfigError
from edgekit.model import Architecture, ModelConfig, RecurrentClassifier, build_model
from edgekit.results import Point, TrialResult
from edgekit.results.tuning import State
from edgekit.study import Report
from edgekit.train import LossConfig, RegularizationConfig, Takes, TrainingConfig, train_model
from edgekit.tune.settings import PruningConfig


@dataclass(frozen=True, eq=False)
class Job:
    """What all trials share; an `edgekit.study.Task`, whose steps are the folds.

    x float32 (takes, time, features), raw landmarks; labels int64 (takes,). folds: (train, validation) of int64 indices
    into both. kind and displacement: see `edgekit.data.fit_normalisation`.
    """

    x: NDArray[np.float32]
    labels: NDArray[np.int64]
    folds: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]
    classes: int
    kind: Literal["hand", "standard"]
    displacement: bool
    model: ModelConfig
    training: TrainingConfig
    loss: LossConfig
    regularization: RegularizationConfig
    augmentation: AugmentConfig | None
    seed: int = 0
    mix: Mix | None = None

    @property
    def steps(self) -> int:
        """One a fold."""
        return len(self.folds)

    def run(self, point: Point, report: Report) -> TrialResult:
        """See `run_trial`."""
        return run_trial(point, self, report)

    def stopped(self, point: Point, accuracies: tuple[float, ...], elapsed_s: float) -> TrialResult:
        """Of a trial that was ended from outside."""
        return TrialResult(point, "pruned", accuracies, parameters(point, self), elapsed_s)

    def failed(self, point: Point, reason: str) -> TrialResult:
        """Of a trial that nobody could run."""
        return TrialResult(point, "failed", (), parameters(point, self), 0.0, reason)

    def read_point(self, values: Mapping[str, Any]) -> Point:
        """Of `Point.to_dict`."""
        return read_point(values)

    def read_result(self, values: Mapping[str, Any]) -> TrialResult:
        """Of `TrialResult.to_dict`."""
        return TrialResult.from_dict(values)


def read_point(values: Mapping[str, Any]) -> Point:
    """Of `Point.to_dict`."""
    return Point(**values)


def run_trial(point: Point, job: Job, report: Report) -> TrialResult:
    """Train `point` on one fold after another, until `report` says that it is hopeless.

    A fold is scored by its last epoch: its best epoch, chosen on the very takes that score, would be optimistic.
    Normalisation comes from the fold's training takes alone. A loss that is no longer finite fails the trial.
    """
    started_s = time.monotonic()
    state: State = "finished"
    error: str | None = None
    accuracies: tuple[float, ...] = ()
    for fold in range(len(job.folds)):
        try:
            accuracies += (_fold_accuracy(point, job, fold),)
        except ConfigError as failure:  # the loss is not finite
            state, error = "failed", str(failure).partition(";")[0]
            break
        if not report(accuracies) and fold + 1 < len(job.folds):
            state = "pruned"
            break
    return TrialResult(point, state, accuracies, parameters(point, job), time.monotonic() - started_s, error)


def model_config(point: Point, job: Job) -> ModelConfig:
    """The job's model with the point's size, layers and dropout."""
    values = {key: value for key, value in point.to_dict().items() if key != "learning_rate"}
    return job.model.model_copy(update=values)


def parameters(point: Point, job: Job) -> int:
    """Trainable parameters of the point's model."""
    config = model_config(point, job)
    return Architecture(
        cell=config.type,
        features=job.x.shape[2],
        hidden_sizes=(config.hidden_size,) * config.num_layers,
        bidirectional_first=config.bidirectional,
        dense=config.dense,
        classes=job.classes,
    ).parameters


def _model(point: Point, job: Job, train: NDArray[np.int64]) -> RecurrentClassifier:
    normalisation = fit_normalisation(job.x[train], job.kind, job.displacement)
    return build_model(model_config(point, job), normalisation, job.classes, job.seed)


def _fold_accuracy(point: Point, job: Job, fold: int) -> float:
    train, validation = job.folds[fold]
    result = train_model(
        _model(point, job, train),
        Takes(job.x[train], job.labels[train]),
        Takes(job.x[validation], job.labels[validation]),
        job.training.model_copy(update={"learning_rate": point.learning_rate}),
        augmentation=job.augmentation,
        mix=job.mix,
        loss=job.loss,
        regularization=job.regularization,
        seed=job.seed,
    )
    return result.history[-1].val_accuracy


def hopeless(accuracies: Sequence[float], finished: Sequence[Sequence[float]], config: PruningConfig | None) -> bool:
    """Whether the mean over the folds so far is more than the margin below the best trial's mean over the same folds.

    finished: accuracies of the trials that trained every fold; the best is the one with the best mean over all.
    """
    if config is None or len(finished) < config.least_trials:
        return False
    best = max(finished, key=lambda trial: float(np.mean(trial)))
    return float(np.mean(accuracies)) < float(np.mean(best[: len(accuracies)])) - config.margin
