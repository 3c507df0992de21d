"""Takes of three letters by several people, small enough that a fold trains in a blink."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekit.data import HAND_FEATURES
from edgekit.model import ModelConfig
from edgekit.train import LossConfig, RegularizationConfig, TrainingConfig
from edgekit.tune import Job

MakeJob = Callable[..., Job]


@pytest.fixture
def make_job() -> MakeJob:
    """(settings of TrainingConfig): 27 takes of 6 frames, three folds of nine."""

    def make(**training: Any) -> Job:
        rng = np.random.default_rng(0)
        shapes = rng.normal(0.0, 1.0, (3, 1, HAND_FEATURES))
        labels = np.arange(27, dtype=np.int64) % 3
        x = (shapes[labels] + rng.normal(0.0, 0.4, (27, 6, HAND_FEATURES))).astype(np.float32)
        every = np.arange(27)
        values = {"epochs": 4, "batch_size": 8, "early_stopping": None, **training}
        return Job(
            x=x,
            labels=labels,
            folds=tuple((every[every // 9 != k], every[every // 9 == k]) for k in range(3)),
            classes=3,
            kind="standard",
            displacement=False,
            model=ModelConfig(dense=12),
            training=TrainingConfig.model_validate(values),
            loss=LossConfig(),
            regularization=RegularizationConfig(),
            augmentation=None,
            seed=5,
        )

    return make
