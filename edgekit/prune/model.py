"""Pruning one model, and what came of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from torch import nn

from edgekit.data import AugmentConfig, Mix
from edgekit.distill import distill_model
from edgekit.errors import require_kind
from edgekit.model import (
    Architecture,
    RecurrentClassifier,
    count_parameters,
    count_zeros,
    require_finite,
    try_module,
)
from edgekit.prune.settings import Method, PruneConfig, Scope
from edgekit.prune.structured import ratio_for, remove_units
from edgekit.prune.unstructured import ZeroMasks, groups_for
from edgekit.train import FitResult, RunSetup, Takes, require_mix, require_run


@dataclass(frozen=True)
class PruneResult:
    """The pruned model, in evaluation mode, and what it was before. scope: None with method structured."""

    model: RecurrentClassifier
    before: Architecture
    after: Architecture
    recovery: FitResult
    method: Method = "structured"
    scope: Scope | None = None

    @property
    def zeros(self) -> int:
        """Parameters of the pruned model that are exactly zero."""
        return count_zeros(self.model)

    @property
    def sparsity(self) -> float:
        """Part of the parameters really removed: 1 - after / before; with method unstructured, zeros / parameters."""
        if self.method == "unstructured":
            return self.zeros / self.after.parameters
        return 1.0 - self.after.parameters / self.before.parameters

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the model. layer_zeros_ratio: part of each layer's parameters, biases included."""
        return {
            "method": self.method,
            "scope": self.scope,
            "sparsity": self.sparsity,
            "parameters_before": self.before.parameters,
            "parameters_after": self.after.parameters,
            "zeros": self.zeros,
            "layer_zeros_ratio": layer_zeros_ratio(self.model),
            "hidden_sizes": list(self.after.hidden_sizes),
            "dense": self.after.dense,
            "recovery": self.recovery.to_dict(),
        }


def layer_zeros_ratio(model: RecurrentClassifier) -> dict[str, float]:
    """Part of each layer's parameters that is exactly zero, by module name, first to last."""
    layers = {f"recurrent.{k}": layer for k, layer in enumerate(model.recurrent)}
    layers |= {"dense": model.dense, "output": model.output}
    return {name: count_zeros(layer) / count_parameters(layer) for name, layer in layers.items()}


def prune_model(
    model: RecurrentClassifier,
    teacher: nn.Module,
    train: Takes,
    validation: Takes,
    config: PruneConfig | None = None,
    *,
    augmentation: AugmentConfig | None = None,
    mix: Mix | None = None,
    seed: int = 0,
    setup: RunSetup | None = None,
) -> PruneResult:
    """Prune `config.sparsity` of the parameters, least magnitude first; the rest recovers by distillation.

    Method structured: whole units are removed before the recovery, the same part of every layer's; only the output
    layer is left alone. Unstructured: exactly round(sparsity * parameters) weights of recurrent and dense layers become
    zero, in the course of the recovery's first `config.ramp_epochs` epochs, and stay zero in every step after; biases
    and the output layer are left alone. `model` is untouched. `teacher` may be any module as in
    `edgekit.distill.distill_model`, the unpruned model itself included. mix: synthetic takes that the recovery also
    sees, by other people than training and distillation with the same mix. Raises ConfigError before any training when
    the sparsity can't be reached, InputError for a model of another kind or with NaN in it.
    """
    expected = "edgekit's own RecurrentClassifier, from build_model or load_model; other modules can be the teacher"
    require_kind(model, RecurrentClassifier, "prune_model: model", expected)
    require_run("prune_model", train, validation, config, PruneConfig)
    require_finite(model, "prune_model: model")
    try_module(teacher, train.x, "prune_model: teacher")
    require_mix("prune_model", mix, train, model.architecture.classes)
    config = config or PruneConfig()
    pruned, masks = _start(model, config, train.x.shape[1])
    recovery = distill_model(
        teacher,
        pruned,
        train,
        validation,
        config.recovery,
        augmentation=augmentation,
        mix=None if mix is None else mix.apart(),
        seed=seed,
        setup=setup,
        projection=masks,
    )
    return PruneResult(pruned, model.architecture, pruned.architecture, recovery, config.method, config.scope)


def _start(
    model: RecurrentClassifier, config: PruneConfig, frames: int
) -> tuple[RecurrentClassifier, ZeroMasks | None]:
    """A copy to recover, without its least units; or as it is, with the masks that prune it."""
    if config.method == "structured":
        return remove_units(model, ratio_for(model.architecture, config.sparsity), frames), None
    groups = groups_for(model, config.sparsity, config.scope or "layer")
    return copy.deepcopy(model), ZeroMasks(groups, config.ramp_epochs)
