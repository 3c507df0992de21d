"""Pruning one model, and what came of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast, overload

from torch import nn

from edgekit.data import AugmentConfig, Mix
from edgekit.distill import Teachers, distill_model, each_teacher
from edgekit.errors import require_kind
from edgekit.model import (
    Architecture,
    RecurrentClassifier,
    count_parameters,
    count_zeros,
    plain_attention,
    refuse_projections,
    refuse_scripted,
    require_finite,
    require_float32,
    require_trainable,
    try_learning,
    try_module,
    unwrapped,
)
from edgekit.prune.choosing import Cost
from edgekit.prune.module import ModuleShape, PrunedModule, prepared
from edgekit.prune.removed import Removed
from edgekit.prune.settings import STRUCTURED, Method, PruneConfig, Scope
from edgekit.prune.shrinking import PruneStep, Recover, shrink
from edgekit.prune.structure import study, takes_to_try
from edgekit.prune.structured import ratio_for, remove_units
from edgekit.prune.unstructured import ZeroMasks, groups_for, prunable_weights, weights_but_of
from edgekit.train import FitResult, Projection, RunSetup, Takes, TrainingConfig, require_mix, require_run


@dataclass(frozen=True)
class PruneResult(Removed):
    """edgekit's own classifier, pruned, in evaluation mode, and what it was before. scope: None with method structured.
    steps: of method structured; recovery is the last one's. None where units go as they always did."""

    model: RecurrentClassifier
    before: Architecture
    after: Architecture
    recovery: FitResult
    method: Method = "structured"
    scope: Scope | None = None
    steps: tuple[PruneStep, ...] | None = None

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


@overload
def prune_model(
    model: RecurrentClassifier,
    teacher: Teachers,
    train: Takes,
    validation: Takes,
    config: PruneConfig | None = None,
    *,
    augmentation: AugmentConfig | None = None,
    mix: Mix | None = None,
    seed: int = 0,
    setup: RunSetup | None = None,
    latency: Cost | None = None,
) -> PruneResult: ...


@overload
def prune_model(
    model: nn.Module,
    teacher: Teachers,
    train: Takes,
    validation: Takes,
    config: PruneConfig | None = None,
    *,
    augmentation: AugmentConfig | None = None,
    mix: Mix | None = None,
    seed: int = 0,
    setup: RunSetup | None = None,
    latency: Cost | None = None,
) -> PruneResult | PrunedModule: ...


def prune_model(
    model: nn.Module,
    teacher: Teachers,
    train: Takes,
    validation: Takes,
    config: PruneConfig | None = None,
    *,
    augmentation: AugmentConfig | None = None,
    mix: Mix | None = None,
    seed: int = 0,
    setup: RunSetup | None = None,
    latency: Cost | None = None,
) -> PruneResult | PrunedModule:
    """Prune `config.sparsity` of the parameters, or of another budget; the rest recovers by distillation.

    Method structured: whole units are removed before the recovery, of recurrent layers first unless `config.widths`
    says otherwise; only the layers that give the answer are left alone. Unstructured: exactly round(sparsity *
    parameters) weights of recurrent and dense layers become zero, in the course of the recovery's first
    `config.ramp_epochs` epochs, and stay zero in every step after; biases and the output layer are left alone.

    model: untouched; edgekit's own classifier, or any module that maps takes (batch, time, features) to logits. Of the
    latter, nn.LSTM and nn.GRU of several layers become single ones; LSTM, GRU, Linear and Conv1d layers can lose units
    where that provably leaves the rest as it was (see `edgekit.prune.removal`); `PrunedModule.left` has the others.
    teacher: one or several, as in `edgekit.distill.distill_model`, the unpruned model itself included. mix: synthetic
    takes that the recovery also sees, by other people than training and distillation with the same mix. latency: what
    a budget of latency counts, called with about ten candidates a step, on the CPU and in evaluation mode; any unit.

    Raises ConfigError before any training when the sparsity can't be reached, InputError for what is no module or has
    NaN in it.
    """
    require_kind(model, nn.Module, "prune_model: model", "a torch.nn.Module")
    require_run("prune_model", train, validation, config, PruneConfig)
    model = unwrapped(model)
    require_finite(model, "prune_model: model")
    require_trainable(model, "prune_model: model")
    refuse_projections(model, "prune_model: model")
    refuse_scripted(model, "prune_model: model")
    require_float32(model, "prune_model: model", double=True)
    classes = try_module(model, train.x, "prune_model: model")[1]
    try_learning(model, train.x, "prune_model: model")
    for name, one in each_teacher("prune_model", teacher).items():
        try_module(one, train.x, name)
    require_mix("prune_model", mix, train, classes)
    job = _Job(config or PruneConfig(), teacher, train, validation, augmentation, mix, seed, setup)
    if isinstance(model, RecurrentClassifier):
        return _prune_own(model, job, latency)
    with plain_attention():
        return _prune_module(model, job, latency)


@dataclass(frozen=True)
class _Job:
    """What the recovery is told, but for the model."""

    config: PruneConfig
    teacher: Teachers
    train: Takes
    validation: Takes
    augmentation: AugmentConfig | None
    mix: Mix | None
    seed: int
    setup: RunSetup | None

    def recover(self, pruned: nn.Module, masks: Projection | None = None) -> FitResult:
        """Train what is left, in place."""
        return self._distill(pruned, self.config.recovery.training, self.setup, masks)

    @property
    def recovering(self) -> Recover:
        """The same, a step at a time."""
        return lambda module, training, setup: self._distill(module, training, setup, None)

    def _distill(
        self, pruned: nn.Module, training: TrainingConfig, setup: RunSetup | None, masks: Projection | None
    ) -> FitResult:
        return distill_model(
            self.teacher,
            pruned,
            self.train,
            self.validation,
            self.config.recovery.model_copy(update={"training": training}),
            augmentation=self.augmentation,
            mix=None if self.mix is None else self.mix.apart(),
            seed=self.seed,
            setup=setup,
            projection=masks,
        )


def _prune_own(model: RecurrentClassifier, job: _Job, latency: Cost | None) -> PruneResult:
    config, before, frames = job.config, model.architecture, job.train.x.shape[1]
    if config.method == "structured" and (config.unit_rules != STRUCTURED or latency is not None):
        start = copy.deepcopy(model).cpu().eval()
        shrunk = shrink(start, config, job.train, takes_to_try(job.train.x), job.recovering, job.setup, latency)
        pruned = cast(RecurrentClassifier, shrunk.module)
        return PruneResult(pruned, before, pruned.architecture, shrunk.recovery, steps=shrunk.steps)
    if config.method == "structured":
        pruned, masks = remove_units(model, ratio_for(before, config.sparsity), frames), None
    else:
        groups = groups_for(model, config.sparsity, config.scope or "layer", prunable_weights(model))
        pruned, masks = copy.deepcopy(model), ZeroMasks(groups, config.ramp_epochs)
    recovery = job.recover(pruned, masks)
    return PruneResult(pruned, before, pruned.architecture, recovery, config.method, config.scope)


def _prune_module(model: nn.Module, job: _Job, latency: Cost | None) -> PrunedModule:
    config, takes = job.config, takes_to_try(job.train.x)
    start, difference = prepared(model, takes)
    before = ModuleShape.of(start, study(start, takes), takes)
    if config.method == "structured":
        shrunk = shrink(start, config, job.train, takes, job.recovering, job.setup, latency)
        pruned, recovery, structure = shrunk.module, shrunk.recovery, shrunk.structure
        after, steps = ModuleShape.of(pruned, structure, takes), shrunk.steps
        return PrunedModule(pruned, before, after, recovery, dict(structure.left), difference, steps)
    structure = study(start, takes)
    pruned = copy.deepcopy(model).cpu().eval()
    groups = groups_for(pruned, config.sparsity, config.scope or "layer", weights_but_of(pruned, structure.answering))
    recovery = job.recover(pruned, ZeroMasks(groups, config.ramp_epochs))
    return PrunedModule(pruned, before, before, recovery, {}, 0.0, (), config.method, config.scope)
