"""Which layers of a module can lose units, which of them stand or fall together, and what can't lose any, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.model import RecurrentStack
from edgekit.model.stacks import replaced
from edgekit.prune.probing import Layer, probe_layers
from edgekit.prune.removal import removal_error
from edgekit.prune.unknown import unknown_layers

#: A unit: the layer's name, and its number there.
Unit = tuple[str, int]


@dataclass(frozen=True)
class Bundle:
    """Layers whose units stand or fall together, because they are added up or read as one. groups: units that go
    together; a layer by itself has groups of one unit each."""

    layers: tuple[str, ...]
    groups: tuple[tuple[Unit, ...], ...]

    def units(self, chosen: Iterable[int]) -> dict[str, list[int]]:
        """The units of some groups, by layer."""
        found: dict[str, list[int]] = {name: [] for name in self.layers}
        for group in chosen:
            for name, unit in self.groups[group]:
                found[name].append(unit)
        return {name: sorted(units) for name, units in found.items()}


@dataclass(frozen=True)
class Structure:
    """What can be taken out of a module. layers: all that were probed, by name. bundles: what can lose units. left:
    layers that can't, by name, with the reason; those that give the answer are not among them."""

    layers: Mapping[str, Layer]
    bundles: tuple[Bundle, ...]
    left: Mapping[str, str]

    @property
    def units(self) -> int:
        """Units of all layers that can lose some."""
        return sum(self.layers[name].units for bundle in self.bundles for name in bundle.layers)

    @property
    def widths(self) -> dict[str, int]:
        """Units of each layer that can lose some."""
        return {name: self.layers[name].units for bundle in self.bundles for name in bundle.layers}

    @property
    def answering(self) -> tuple[str, ...]:
        """Names of the layers whose units are the module's answer."""
        return tuple(name for name, layer in self.layers.items() if layer.answers)


def study(module: nn.Module, takes: Tensor) -> Structure:
    """Probes a module and tries every bundle: half of its units are taken out, and the rest proven.

    module: in evaluation mode, on the CPU, recurrent layers split. takes: float32 (takes, time, features).
    """
    layers = probe_layers(module, takes)
    left = unknown_layers(module, layers)
    left |= {name: why for name, layer in layers.items() if (why := _trouble(layer)) and not layer.answers}
    bundles: list[Bundle] = []
    failed: list[Bundle] = []
    for bundle in _bundles({name: layer for name, layer in layers.items() if _trouble(layer) is None}):
        reason = _try(module, layers, bundle, takes)
        (bundles if reason is None else failed).append(bundle)
        if reason is not None:
            left.update(dict.fromkeys(bundle.layers, reason))
    for bundle in _stacks_as_one(module, failed):
        if _try(module, layers, bundle, takes) is None:
            bundles.append(bundle)
            left = {name: why for name, why in left.items() if name not in bundle.layers}
    return Structure(layers, tuple(bundles), left)


def _bundles(layers: Mapping[str, Layer]) -> list[Bundle]:
    """Units that share a column are one group; layers that share a group are one bundle."""
    parents: dict[Unit, Unit] = {(name, unit): (name, unit) for name in layers for unit in range(layers[name].units)}

    def root(unit: Unit) -> Unit:
        while parents[unit] != unit:
            parents[unit] = unit = parents[parents[unit]]
        return unit

    holders: dict[Unit, Unit] = {}
    for name, layer in layers.items():
        for reader, columns in layer.readers.items():
            for column, unit in columns.items():
                first = holders.setdefault((reader, column), (name, unit))
                parents[root((name, unit))] = root(first)
    groups: dict[Unit, list[Unit]] = {}
    for member in parents:
        groups.setdefault(root(member), []).append(member)
    return _joined(list(groups.values()))


def _joined(groups: list[list[Unit]]) -> list[Bundle]:
    names: dict[str, set[str]] = {}
    for group in groups:
        together = set().union(*({name} | names.get(name, set()) for name, _ in group))
        for name in together:
            names[name] = together
    return [
        Bundle(tuple(sorted(bundle)), tuple(tuple(group) for group in groups if group[0][0] in bundle))
        for bundle in {id(found): found for found in names.values()}.values()
    ]


def _trouble(layer: Layer) -> str | None:
    """Why a layer can't lose units, as far as probing tells. Its units then bind no others to it."""
    if layer.answers:
        return "its units reach the answer as they are"
    return layer.trouble or ("it has one unit" if layer.units < 2 else None)


def _try(module: nn.Module, layers: Mapping[str, Layer], bundle: Bundle, takes: Tensor) -> str | None:
    return removal_error(module, layers, bundle.units(range(0, len(bundle.groups), 2)), takes)


def _stacks_as_one(module: nn.Module, failed: list[Bundle]) -> list[Bundle]:
    """Layers of one stack that can't have widths of their own, as bundles in which all have the same."""
    alone = {bundle.layers[0]: bundle for bundle in failed if len(bundle.layers) == 1 and len(bundle.groups) > 1}
    found = []
    for name, part in module.named_modules():
        members = [f"{name}.layers.{k}" if name else f"layers.{k}" for k in range(_depth(part))]
        widths = {len(alone[member].groups) for member in members if member in alone}
        if members and len(widths) == 1 and all(member in alone for member in members):
            groups = tuple(tuple((member, unit) for member in members) for unit in range(widths.pop()))
            found.append(Bundle(tuple(members), groups))
    return found


def _depth(part: nn.Module) -> int:
    return part.num_layers if isinstance(part, RecurrentStack) and part.num_layers > 1 else 0


def without_zero_states(module: nn.Module, takes: Tensor) -> nn.Module:
    """`module`, in place, with recurrent layers that leave out an initial state where that held nothing but zeros on
    these takes: such a state would have the old width."""
    zeros: dict[nn.Module, bool] = {}

    def look(part: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        states = [*given[1:], *(value for key, value in named.items() if key != "input")]
        flat = [one for state in states for one in (state if isinstance(state, tuple) else (state,)) if one is not None]
        if flat:
            zero = all(isinstance(one, Tensor) and not one.requires_grad and not one.any() for one in flat)
            zeros[part] = zeros.get(part, True) and zero

    kinds = (nn.LSTM, nn.GRU, RecurrentStack)
    hooks = [part.register_forward_pre_hook(look, with_kwargs=True) for part in module.modules() if type(part) in kinds]
    module(takes.clone())  # with gradients: whether a state is a parameter shows in them
    for hook in hooks:
        hook.remove()
    for part, zero in zeros.items():
        if isinstance(part, RecurrentStack):
            part.from_zero = part.from_zero or zero
    within = {id(layer) for part in module.modules() if isinstance(part, RecurrentStack) for layer in part.layers}
    alone = {id(part) for part, zero in zeros.items() if zero and id(part) not in within}
    return replaced(
        module,
        lambda layer: RecurrentStack([layer], from_zero=True).train(layer.training) if id(layer) in alone else layer,
    )


def takes_to_try(x: Any, count: int = 16) -> Tensor:
    """At most so many takes, evenly spread, of x float32 (takes, time, features)."""
    chosen = torch.linspace(0, len(x) - 1, min(len(x), count)).round().long()
    return torch.from_numpy(x)[chosen]
