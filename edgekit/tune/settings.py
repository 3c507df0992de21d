"""The settings of tuning. The grid is the specification's."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from edgekit.config import StageConfig
from edgekit.results import Point
from edgekit.train.settings import MOST_EPOCHS, SchedulerConfig


class PruningConfig(StageConfig):
    """When a trial is hopeless: compared with the best trial on the folds that both have trained."""

    margin: float = Field(
        default=0.05, gt=0.0, le=1.0, description="stop when the mean accuracy is this much below the best's"
    )
    least_trials: int = Field(default=2, ge=1, description="finished trials before any is stopped")


class TuneConfig(StageConfig):
    """What is tried, and how each point is scored."""

    hidden_size: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(64, 128, 256), description="sizes to try"
    )
    num_layers: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(default=(1, 2, 3), description="layers to try")
    dropout: tuple[Annotated[float, Field(ge=0.0, lt=1.0)], ...] = Field(
        default=(0.2, 0.3, 0.4), description="rates to try"
    )
    learning_rate: tuple[Annotated[float, Field(gt=0.0)], ...] = Field(
        default=(1e-4, 1e-3, 1e-2), description="rates to try"
    )
    folds: int = Field(
        default=5, ge=2, le=100, description="folds of cross-validation; fewer where there are fewer groups"
    )
    by: Literal["signer", "session", "run"] = Field(
        default="signer", description="what a fold never divides, where known"
    )
    epochs: int = Field(default=12, ge=1, le=MOST_EPOCHS, description="epochs of every fold; the last one is scored")
    lr_scheduler: SchedulerConfig = Field(
        default=SchedulerConfig(type="cosine"), description="how the learning rate falls in every fold"
    )
    sampler: Literal["grid", "tpe"] = Field(
        default="grid", description="every point, or those that Optuna's TPE proposes"
    )
    trials: int | None = Field(default=None, ge=1, description="maximum number of points; null: the whole grid")
    pruning: PruningConfig | None = PruningConfig()

    @field_validator("hidden_size", "num_layers", "dropout", "learning_rate")
    @classmethod
    def _distinct(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not values or len(set(values)) != len(values):
            raise ValueError("expected one or more different values")
        return values

    @property
    def size(self) -> int:
        """Trials of the whole study."""
        whole = len(self.hidden_size) * len(self.num_layers) * len(self.dropout) * len(self.learning_rate)
        return min(whole, self.trials or whole)

    def points(self, seed: int) -> tuple[Point, ...]:
        """The whole grid, shuffled, so that early trials show what is good everywhere in it."""
        grid = list(itertools.product(self.hidden_size, self.num_layers, self.dropout, self.learning_rate))
        return tuple(Point(*grid[k]) for k in np.random.default_rng(seed).permutation(len(grid)))
