"""Structured magnitude pruning to a part of the parameters, with recovery under a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import nn

from edgekit.config import StageConfig
from edgekit.data import AugmentConfig
from edgekit.distill import DistillConfig, distill_model
from edgekit.model import Architecture, RecurrentClassifier
from edgekit.prune.structured import ratio_for, remove_units
from edgekit.train import FitResult, Listener, SchedulerConfig, Takes, TrainingConfig

__all__ = ["PruneConfig", "PruneResult", "prune_model", "ratio_for", "remove_units"]


class PruneConfig(StageConfig):
    """How much goes, and how the rest recovers."""

    sparsity: float = Field(0.5, ge=0.0, lt=1.0, description="part of the whole model's parameters to remove")
    recovery: DistillConfig = DistillConfig(
        training=TrainingConfig(
            epochs=60, learning_rate=5e-4, lr_scheduler=SchedulerConfig(type="cosine"), early_stopping=None
        )
    )


@dataclass(frozen=True)
class PruneResult:
    """The pruned model, in evaluation mode, and what it was before. sparsity: part of the parameters really removed."""

    model: RecurrentClassifier
    before: Architecture
    after: Architecture
    recovery: FitResult

    @property
    def sparsity(self) -> float:
        """1 - parameters after / parameters before."""
        return 1.0 - self.after.parameters / self.before.parameters

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the model."""
        return {
            "sparsity": self.sparsity,
            "parameters_before": self.before.parameters,
            "parameters_after": self.after.parameters,
            "hidden_sizes": list(self.after.hidden_sizes),
            "dense": self.after.dense,
            "recovery": self.recovery.to_dict(),
        }


def prune_model(
    model: RecurrentClassifier,
    teacher: nn.Module,
    train: Takes,
    validation: Takes,
    config: PruneConfig | None = None,
    *,
    augmentation: AugmentConfig | None = None,
    seed: int = 0,
    resume_file: Path | None = None,
    listener: Listener | None = None,
) -> PruneResult:
    """Remove `config.sparsity` of the parameters as whole units, least magnitude first, then recover by distillation.

    The same part of every layer's units goes; only the output layer is left alone. `model` is untouched. `teacher` may
    be any module as in `edgekit.distill.distill_model`, the unpruned model itself included. Raises ConfigError when
    the sparsity can't be reached.
    """
    config = config or PruneConfig()
    before = model.architecture
    pruned = remove_units(model, ratio_for(before, config.sparsity), frames=train.x.shape[1])
    recovery = distill_model(
        teacher,
        pruned,
        train,
        validation,
        config.recovery,
        augmentation=augmentation,
        seed=seed,
        resume_file=resume_file,
        listener=listener,
    )
    return PruneResult(pruned, before, pruned.architecture, recovery)
