"""Unstructured magnitude pruning: single weights become zero and stay zero.

Every tensor keeps its shape, so the file's size and the speed stay what they were: only the compressed file gets
smaller. A mask is bool, of the shape of its weight, true where the weight is pruned.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.errors import ConfigError
from edgekit.model import RecurrentClassifier, count_parameters
from edgekit.prune.settings import Scope


@dataclass(frozen=True)
class Group:
    """Weights, by parameter name, that compete with one another: the `zeros` of least magnitude become zero."""

    names: tuple[str, ...]
    zeros: int


def prunable_weights(model: RecurrentClassifier) -> dict[str, nn.Parameter]:
    """The weight matrices of recurrent and dense layers by parameter name; no biases, and not the output layer."""
    return weights_but_of(model, ("output",))


def weights_but_of(model: nn.Module, answering: Collection[str]) -> dict[str, nn.Parameter]:
    """The weight matrices of any module by parameter name, but for those of the layers that give its answer."""
    named = model.named_parameters()
    return {name: weight for name, weight in named if weight.ndim > 1 and name.rpartition(".")[0] not in answering}


def groups_for(
    model: nn.Module, sparsity: float, scope: Scope, weights: Mapping[str, nn.Parameter] | None = None
) -> tuple[Group, ...]:
    """How many weights become zero, and among which, so that `sparsity` of the model's parameters are pruned.

    sparsity: part of the whole model's parameters, biases and output layer included, though those are left alone: the
    groups' zeros are round(sparsity * parameters) together. scope "global": one group; "layer": one a weight matrix,
    each with the same part of its weights. weights: those that may become zero, by default all but of a
    layer called output. Raises ConfigError when that is more than the weights that may become zero.
    """
    weights = weights_but_of(model, ("output",)) if weights is None else weights
    sizes = {name: weight.numel() for name, weight in weights.items()}
    parameters, most = count_parameters(model), sum(sizes.values())
    zeros = round(sparsity * parameters)
    if zeros > most:
        allowed = math.floor(1000 * most / parameters) / 1000
        raise ConfigError(
            f"prune.sparsity: {sparsity} is {zeros} of {parameters} parameters, but only {most} of them can become zero"
            f" (biases and the output layer are left alone); choose at most {allowed}"
        )
    if scope == "global":
        return (Group(tuple(sizes), zeros),)
    shares = apportion(zeros, list(sizes.values()))
    return tuple(Group((name,), share) for name, share in zip(sizes, shares, strict=True))


def apportion(total: int, sizes: Sequence[int]) -> list[int]:
    """Whole shares of `total` in proportion to `sizes`, which add up to it.

    The largest remainders are rounded up, of equal ones the first (Hamilton's method); total is at most sum(sizes).
    """
    whole = sum(sizes)
    shares = [total * size // whole for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda k: total * sizes[k] % whole, reverse=True)
    for k in by_remainder[: total - sum(shares)]:
        shares[k] += 1
    return shares


def ramp_share(epoch: int, ramp_epochs: int) -> float:
    """Part of the zeros that are there in an epoch, counted from 0: 1 - (1 - epoch / ramp_epochs)^3, and 1 after that.

    Fast at first, when weights that do not matter are many. Source: Zhu & Gupta 2017, "To prune, or not to prune",
    equation 1, with initial sparsity 0, t0 = 0 and one pruning step an epoch.
    """
    return 1.0 if epoch >= ramp_epochs else 1.0 - (1.0 - epoch / ramp_epochs) ** 3


class ZeroMasks:
    """Keeps the weights of least magnitude at zero while a model trains; an `edgekit.train.Projection`.

    In epoch e, round(ramp_share(e, ramp_epochs) * zeros) weights of every group are zero, chosen by their magnitudes at
    the epoch's beginning; what is pruned stays pruned. Of equal magnitudes the first goes first, in the order of
    parameters and of the elements in them. masks: by parameter name, empty before the first epoch.
    """

    def __init__(self, groups: Sequence[Group], ramp_epochs: int = 0) -> None:
        self.groups = tuple(groups)
        self.settled_from = ramp_epochs
        self.masks: dict[str, Tensor] = {}

    def begin_epoch(self, module: nn.Module, epoch: int) -> None:
        """Prune what the schedule asks for."""
        share = ramp_share(epoch, self.settled_from)
        for group in self.groups:
            weights = {name: module.get_parameter(name) for name in group.names}
            pruned = {name: self.masks[name].to(weights[name].device) for name in weights.keys() & self.masks.keys()}
            grown = least_weights(weights, pruned, round(share * group.zeros))
            self.masks = {**self.masks, **grown}
        self.apply(module)

    @torch.no_grad()
    def apply(self, module: nn.Module) -> None:
        """Set the masked weights to zero, in place."""
        for name, mask in self.masks.items():
            module.get_parameter(name).masked_fill_(mask, 0.0)

    def state_dict(self) -> dict[str, Any]:
        """The masks, on the CPU."""
        return {"masks": {name: mask.cpu() for name, mask in self.masks.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the masks of an interrupted run."""
        self.masks = dict(state_dict["masks"])


@torch.no_grad()
def least_weights(weights: dict[str, nn.Parameter], pruned: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """Masks of the `count` weights of least magnitude, those of the masks `pruned` before all others."""
    magnitudes = {name: weight.abs() for name, weight in weights.items()}
    for name in magnitudes.keys() & pruned.keys():
        magnitudes[name][pruned[name]] = -1.0  # before weights that happen to be zero, too
    order = torch.cat([magnitude.flatten() for magnitude in magnitudes.values()]).argsort(stable=True)
    chosen = torch.zeros(len(order), dtype=torch.bool, device=order.device)
    chosen[order[:count]] = True
    parts = chosen.split([magnitude.numel() for magnitude in magnitudes.values()])
    return {name: part.view_as(magnitudes[name]).clone() for name, part in zip(magnitudes, parts, strict=True)}
