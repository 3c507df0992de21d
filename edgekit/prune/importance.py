"""How much a unit matters, for units of any module: by the size of its weights, or by what the loss would lose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from edgekit.model import evaluating
from edgekit.prune.probing import CHANNELWISE
from edgekit.prune.structure import Bundle, Structure
from edgekit.prune.units import RECURRENT, suffixes, unit_magnitude
from edgekit.train import Takes

#: Scores of every bundle's groups, in their order.
Scores = Mapping[Bundle, Tensor]
#: Takes whose gradients tell what a unit is worth, evenly spread, and how many at a time.
TAYLOR_TAKES, TAYLOR_BATCH = 1024, 32


def magnitudes(module: nn.Module, structure: Structure) -> dict[Bundle, Tensor]:
    """Sum of the squares of all weights that go with a group, those that read it included, by the bundle's mean.

    The mean makes layers of different size comparable. Source: Fang et al. 2023, "DepGraph", section 3.3.
    """
    parts = dict(module.named_modules())
    own = {name: _own_magnitude(parts[name]) for name in structure.widths}
    reading = {name: _squares(parts[name]) for name in _readers(structure)}
    scores = {b: _summed(structure, b, own, reading) for b in structure.bundles}
    return {bundle: score / score.mean().clamp_min(1e-12) for bundle, score in scores.items()}


def taylor(module: nn.Module, structure: Structure, takes: Takes) -> dict[Bundle, Tensor]:
    """Mean over batches of the squared first-order change of the cross-entropy, in nats, when what reads a group is
    zeroed: (sum of gradient * weight over the weights that read it)^2.

    Comparable between layers as it is. Source: Molchanov et al. 2019, "Importance Estimation for Neural Network
    Pruning", equations 7 and 8, with a gate behind every unit.
    """
    totals = {bundle: torch.zeros(len(bundle.groups)) for bundle in structure.bundles}
    for count, _ in enumerate(_gradients(module, takes), 1):
        parts = dict(module.named_modules())
        own = {name: _own_change(parts[name], structure.widths[name]) for name in structure.widths}
        reading = {name: _changes(parts[name]) for name in _readers(structure)}
        for bundle, total in totals.items():
            total += (_summed(structure, bundle, own, reading) ** 2 - total) / count
    module.zero_grad(set_to_none=True)
    return totals


def _readers(structure: Structure) -> set[str]:
    return {reader for name in structure.widths for reader in structure.layers[name].readers}


def _gradients(module: nn.Module, takes: Takes) -> Iterator[None]:
    """Once a batch, when the gradients of its mean loss are in the module."""
    some = torch.linspace(0, len(takes) - 1, min(len(takes), TAYLOR_TAKES)).round().long()
    x, labels = torch.from_numpy(takes.x)[some], torch.from_numpy(takes.labels)[some]
    order = torch.randperm(len(some), generator=torch.Generator().manual_seed(0))
    with evaluating(module):
        for batch in order.split(TAYLOR_BATCH):
            module.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(module(x[batch]), labels[batch]).backward()
            yield


def _summed(structure: Structure, bundle: Bundle, own: Mapping[str, Tensor], reading: Mapping[str, Tensor]) -> Tensor:
    """Of every group: what its units have of their own, and the columns that read them, each once."""
    number = {unit: k for k, group in enumerate(bundle.groups) for unit in group}
    total = torch.zeros(len(bundle.groups))
    columns: dict[tuple[str, int], int] = {}
    for name in bundle.layers:
        for unit, value in enumerate(own[name]):
            total[number[name, unit]] += value
        for reader, held in structure.layers[name].readers.items():
            columns |= {(reader, column): number[name, unit] for column, unit in held.items()}
    for (reader, column), group in columns.items():
        total[group] += reading[reader][column]
    return total


def _own_magnitude(layer: nn.Module) -> Tensor:
    """Of each unit's own weights, (units,)."""
    if isinstance(layer, RECURRENT):
        return unit_magnitude(layer).view(len(suffixes(layer)), -1).sum(0)
    rows = _of(layer, "weight").pow(2).flatten(1).sum(1)
    return rows if layer.bias is None else rows + _of(layer, "bias").pow(2)


def _squares(layer: nn.Module) -> Tensor:
    """Of the weights of each input column, (columns,)."""
    if type(layer) in CHANNELWISE:
        found = [_of(layer, name).pow(2) for name in ("weight", "bias") if getattr(layer, name) is not None]
        return sum(found, torch.zeros(1)) if found else torch.zeros(_channels(layer))
    return _by_column(layer, lambda weight: weight.detach().pow(2))


def _own_change(layer: nn.Module, units: int) -> Tensor:
    """gradient * weight of the state-to-state weights that read each unit, (units,); 0 for other layers."""
    if not isinstance(layer, RECURRENT):
        return torch.zeros(units)
    read = [_change(getattr(layer, f"weight_hh_l0{suffix}")).sum(0) for suffix in suffixes(layer)]
    return torch.stack(read).sum(0)


def _changes(layer: nn.Module) -> Tensor:
    """gradient * weight summed over each input column, (columns,); 0 for normalisations, which only pass units on."""
    return torch.zeros(_channels(layer)) if type(layer) in CHANNELWISE else _by_column(layer, _change)


def _by_column(layer: nn.Module, of: Callable[[Tensor], Tensor]) -> Tensor:
    names = [f"weight_ih_l0{s}" for s in suffixes(layer)] if isinstance(layer, RECURRENT) else ["weight"]
    weights = [of(getattr(layer, name)) for name in names]
    return torch.stack([weight.movedim(1, 0).flatten(1).sum(1) for weight in weights]).sum(0)


def _change(weight: Tensor) -> Tensor:
    gradient = weight.grad
    return torch.zeros_like(weight.detach()) if gradient is None else gradient * weight.detach()


def _channels(layer: nn.Module) -> int:
    return int(layer.normalized_shape[0] if isinstance(layer, nn.LayerNorm) else layer.num_features)  # type: ignore[arg-type]


def _of(layer: nn.Module, name: str) -> Tensor:
    tensor: Tensor = getattr(layer, name).detach()
    return tensor
