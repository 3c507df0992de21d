"""Structured magnitude pruning: whole units go, so the model gets smaller and faster without special kernels."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
import torch_pruning as tp
from torch import nn

from edgekit.errors import ConfigError, require_kind
from edgekit.model import Architecture, RecurrentClassifier
from edgekit.prune.units import RECURRENT, RecurrentPruner, UnitMagnitude, traceable_recurrent_layers


def widths_at(architecture: Architecture, ratio: float) -> tuple[tuple[int, ...], int]:
    """Hidden sizes and dense width that are left when `ratio` of each is removed; at least one unit stays."""
    hidden = tuple(max(1, size - math.floor(size * ratio + 1e-9)) for size in architecture.hidden_sizes)
    return hidden, max(1, architecture.dense - math.floor(architecture.dense * ratio + 1e-9))


def ratio_for(architecture: Architecture, sparsity: float) -> float:
    """The smallest ratio of units, the same in every layer but the output, that removes `sparsity` of the parameters.

    sparsity: part of the whole model's parameters to remove, 0 to below 1. Parameters fall about with the square of the
    width, so half the parameters is about 37 % of the units. Raises ConfigError when the output layer alone is more
    than what may stay.
    """
    require_kind(architecture, Architecture, "ratio_for: architecture", "an Architecture, such as model.architecture")
    allowed = (1.0 - sparsity) * architecture.parameters
    widths = {*architecture.hidden_sizes, architecture.dense}
    ratios = sorted({gone / size for size in widths for gone in range(size)})
    for ratio in ratios:
        hidden, dense = widths_at(architecture, ratio)
        if resized(architecture, hidden, dense).parameters <= allowed:
            return ratio
    raise ConfigError(f"prune.sparsity: {sparsity} is more than this model can lose; choose less")


def resized(architecture: Architecture, hidden_sizes: tuple[int, ...], dense: int) -> Architecture:
    """The same architecture with other widths."""
    return Architecture(**{**architecture.to_dict(), "hidden_sizes": hidden_sizes, "dense": dense})


def remove_units(model: RecurrentClassifier, ratio: float, frames: int = 30) -> RecurrentClassifier:
    """A copy of `model` without the `ratio` of units of least magnitude in each recurrent layer and the dense layer.

    The output layer keeps its classes. The copy is in evaluation mode; the given model is untouched.
    """
    require_kind(model, RecurrentClassifier, "remove_units: model", "edgekit's own RecurrentClassifier")
    if not 0.0 <= ratio < 1.0:
        raise ConfigError(f"remove_units: ratio is {ratio}; expected 0 to below 1")
    pruned = copy.deepcopy(model).eval()
    architecture = pruned.architecture
    hidden, dense = widths_at(architecture, ratio)
    recurrent = RecurrentPruner()
    with traceable_recurrent_layers():
        graph = tp.DependencyGraph().build_dependency(
            _Classify(pruned),
            torch.zeros(1, frames, architecture.features),
            customized_pruners=dict.fromkeys(RECURRENT, recurrent),
        )
    score = UnitMagnitude(recurrent)
    layers = [*pruned.recurrent, pruned.dense]
    least = [
        _least_units(graph, score, layer, width) for layer, width in zip(layers, (*hidden, dense), strict=True)
    ]  # of all layers before any of them is pruned: what reads a unit counts for it
    for layer, channels in zip(layers, least, strict=True):
        if channels:
            graph.get_pruning_group(layer, _removal(graph, layer), channels).prune()
    expected = resized(architecture, hidden, dense)
    if pruned.architecture != expected:
        raise RuntimeError(f"torch-pruning left {pruned.architecture}, expected {expected}")
    return pruned


def _removal(graph: tp.DependencyGraph, layer: nn.Module) -> Any:
    """The function with which torch-pruning takes outputs off a layer."""
    return graph.get_pruner_of_module(layer).prune_out_channels


def _least_units(graph: tp.DependencyGraph, score: UnitMagnitude, layer: nn.Module, width: int) -> list[int]:
    """Output channels of all units but the `width` of greatest magnitude; a unit has one in each direction."""
    channels = graph.get_out_channels(layer)
    directions = graph.get_pruner_of_module(layer).get_out_channel_groups(layer)
    magnitude = score(graph.get_pruning_group(layer, _removal(graph, layer), list(range(channels))))
    units = magnitude.view(directions, -1).sum(0).argsort(stable=True)
    dropped = sorted(units[: len(units) - width].tolist())
    return [direction * len(units) + unit for direction in range(directions) for unit in dropped]


class _Classify(nn.Module):
    """The model behind its preprocessing, which has no channels to prune."""

    def __init__(self, model: RecurrentClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model.classify(x)
