"""The settings of supervised training. Section and key names are the specification's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from edgekit.config import StageConfig

#: More than anybody trains for: a slip in a setting is said, and no time is told in millions of years.
MOST_EPOCHS = 100_000
#: A warm-up is at most this part of the epochs, one over it: a short run, too, learns at its whole rate.
MOST_WARMUP = 8


class SchedulerConfig(StageConfig):
    """How the learning rate falls. Epochs are counted from 1."""

    type: Literal["reduce_on_plateau", "phases", "cosine", "constant"] = Field(
        default="reduce_on_plateau", description="rule by which the learning rate falls"
    )
    factor: float = Field(default=0.5, gt=0.0, lt=1.0, description="reduce_on_plateau: multiplier")
    patience: int = Field(default=5, ge=0, description="reduce_on_plateau: epochs without a better val_loss")
    min_lr: float = Field(default=1e-5, ge=0.0, description="reduce_on_plateau and cosine: least learning rate")
    milestones: tuple[int, ...] = Field(default=(21, 61), description="phases: first epoch of each later phase")
    phase_factors: tuple[float, ...] = Field(
        default=(0.5, 0.1), description="phases: learning rate as a part of the first"
    )
    warmup_epochs: int = Field(
        default=0,
        ge=0,
        description="epochs, an eighth of all at most, over which the learning rate rises first; not reduce_on_plateau",
    )

    @model_validator(mode="after")
    def _phases_match(self) -> SchedulerConfig:
        if len(self.milestones) != len(self.phase_factors):
            raise ValueError("milestones and phase_factors must be equally many")
        return self

    def warmth_at(self, passed: float, epochs: int) -> float:
        """Part of its epoch's learning rate, above 0 to 1, of a step that ends when `passed` of all epochs are over."""
        warmup = 0.0 if self.type == "reduce_on_plateau" else min(self.warmup_epochs, epochs / MOST_WARMUP)
        return min(1.0, passed / warmup) if warmup else 1.0

    def factor_at(self, epoch: int, epochs: int, learning_rate: float) -> float:
        """Learning rate of an epoch (from 1) as a part of the first; 1 throughout for reduce_on_plateau."""
        if self.type == "phases":
            passed = sum(epoch >= milestone for milestone in self.milestones)
            return (1.0, *self.phase_factors)[passed]
        if self.type == "cosine":
            floor = min(1.0, self.min_lr / learning_rate)
            return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * (epoch - 1) / epochs))
        return 1.0


class EarlyStoppingConfig(StageConfig):
    """When to stop before the last epoch."""

    monitor: Literal["val_accuracy", "val_loss"] = Field(default="val_accuracy", description="what has to improve")
    patience: int = Field(default=10, ge=1, description="epochs without improvement")
    min_delta: float = Field(default=0.001, ge=0.0, description="least improvement that counts")


class TrainingConfig(StageConfig):
    """One run of the training loop."""

    batch_size: int = Field(default=32, ge=1, description="takes per step")
    epochs: int = Field(default=100, ge=1, le=MOST_EPOCHS, description="maximum number of epochs")
    min_epochs: int = Field(default=1, ge=1, le=MOST_EPOCHS, description="early stopping waits for this many")
    learning_rate: float = Field(default=1e-3, gt=0.0, description="Adam's first learning rate")
    optimizer: Literal["adam"] = Field(default="adam", description="optimiser (betas 0.9 and 0.999, eps 1e-7)")
    clip_norm: float = Field(default=1.0, gt=0.0, description="gradients are clipped to this global norm")
    batches: Literal["stratified", "shuffled"] = Field(
        default="stratified", description="stratified: every class has its share of every batch; shuffled: at random"
    )
    prefetch: bool | Literal["auto"] = Field(
        default="auto",
        description="make the next epoch's takes in a thread while this one trains; auto: where a core is left for it",
    )
    lr_scheduler: SchedulerConfig = Field(default=SchedulerConfig(), description="how the learning rate falls")
    keep: Literal["best", "last"] = Field(
        default="best",
        description="whose weights are kept: of the epoch with the best val_accuracy, or of the last epoch",
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        default=EarlyStoppingConfig(), description="when to stop before the last epoch; null: never"
    )


#: The specification's focal loss.
FOCAL: Mapping[str, float] = {"alpha": 0.25, "gamma": 2.0}


class LossConfig(StageConfig):
    """The supervised loss. alpha and gamma are None unless it is focal."""

    type: Literal["categorical_crossentropy", "focal"] = Field(
        default="categorical_crossentropy", description="loss; focal: for classes of very different size"
    )
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0, description="probability spread over all classes")
    alpha: float | None = Field(default=None, gt=0.0, le=1.0, description="focal: factor of the whole loss [0.25]")
    gamma: float | None = Field(
        default=None,
        ge=0.0,
        le=10.0,
        description="focal: how strongly takes that the model is sure of are discounted [2.0]",
    )

    @model_validator(mode="before")
    @classmethod
    def _complete_focal(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("type") == "focal":
            return {**values, **{key: value for key, value in FOCAL.items() if values.get(key) is None}}
        return values

    @model_validator(mode="after")
    def _only_focal_has_alpha_and_gamma(self) -> LossConfig:
        said = [name for name in FOCAL if getattr(self, name) is not None]
        if self.type != "focal" and said:
            raise ValueError(
                f"{' and '.join(said)}: only for type focal, this is {self.type}; give --set loss.type=focal, or take"
                f" back what was set with {' '.join(f'--set loss.{name}=null' for name in said)}"
            )
        return self


class RegularizationConfig(StageConfig):
    """What keeps weights small."""

    dropout: float | None = Field(
        default=None, ge=0.0, lt=1.0, description="the same as model.dropout, by the specification's name"
    )
    l2_weight: float = Field(
        default=1e-4, ge=0.0, description="Keras's L2 on dense kernels: torch's weight_decay is twice that"
    )
