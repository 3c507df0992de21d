"""Which units go: as few as bring a model's cost down to what it may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial

from torch import nn

from edgekit.errors import ConfigError
from edgekit.model import recurrent_layers
from edgekit.prune.importance import Scores
from edgekit.prune.removal import without_units
from edgekit.prune.settings import PruneConfig, Widths
from edgekit.prune.structure import Bundle, Structure

#: Where layers compete, each keeps at least this part of its units: a layer of one unit is a bottleneck.
LEAST_SHARE = 0.1
#: Widths "recurrent": the other layers lose units only when this part of each recurrent layer's units is gone.
RECURRENT_FIRST = 0.5
#: What a module costs, in any unit; less is better.
Cost = Callable[[nn.Module], float]
#: Units to take out, by layer.
Plan = dict[str, list[int]]


def uniform_plans(structure: Structure, scores: Scores) -> list[Callable[[], Plan]]:
    """From nothing to as much as possible: the same part of every layer's units goes, those of least score."""
    return _plans(structure, scores, lambda bundle, ratio: ratio)


def recurrent_plans(structure: Structure, scores: Scores, recurrent: Container[str]) -> list[Callable[[], Plan]]:
    """The same where recurrent layers, which work at every frame and so take most of the time, go ahead: the others
    keep all their units until RECURRENT_FIRST of those are gone, and catch up from there. recurrent: names of layers;
    where none of them can lose units, the others lose theirs evenly."""

    def share(bundle: Bundle, ratio: float) -> float:
        return ratio if any(name in recurrent for name in bundle.layers) else behind(ratio)

    return _plans(structure, scores, share)


def behind(ratio: float) -> float:
    """Part of the other layers' units that is gone when `ratio` of the recurrent layers' is."""
    return max(0.0, (ratio - RECURRENT_FIRST) / (1.0 - RECURRENT_FIRST))


def ratios_for(sizes: Iterable[int]) -> list[float]:
    """Every ratio, from 0 to below 1 and rising, at which a layer of one of these sizes loses another unit, as one of
    those that go ahead or one of those `behind`."""
    shares = {gone / size for size in sizes for gone in range(size)}
    return sorted(shares | {RECURRENT_FIRST + (1.0 - RECURRENT_FIRST) * share for share in shares})


def _plans(structure: Structure, scores: Scores, share: Callable[[Bundle, float], float]) -> list[Callable[[], Plan]]:
    """Plans of rising ratios. share: part of a bundle's units that goes at a ratio, rising with it."""
    order = {bundle: scores[bundle].argsort(stable=True).tolist() for bundle in structure.bundles}

    def plan(ratio: float) -> Plan:
        going = {b: math.floor(len(b.groups) * share(b, ratio) + 1e-9) for b in order}
        return _units({bundle: order[bundle][: min(len(bundle.groups) - 1, n)] for bundle, n in going.items()})

    return [partial(plan, ratio) for ratio in ratios_for(len(bundle.groups) for bundle in order)]


def free_plans(structure: Structure, scores: Scores) -> list[Callable[[], Plan]]:
    """The same where the units of all layers compete: the least go first, wherever they are."""
    ranked = sorted(
        (float(score), place, group)
        for place, bundle in enumerate(structure.bundles)
        for group, score in enumerate(scores[bundle])
    )
    room = [len(b.groups) - max(1, math.ceil(LEAST_SHARE * len(b.groups))) for b in structure.bundles]
    going: list[tuple[int, int]] = []
    for _, place, group in ranked:
        if room[place] > 0:
            room[place] -= 1
            going.append((place, group))

    def plan(count: int) -> Plan:
        chosen: dict[Bundle, list[int]] = {bundle: [] for bundle in structure.bundles}
        for place, group in going[:count]:
            chosen[structure.bundles[place]].append(group)
        return _units(chosen)

    return [partial(plan, count) for count in range(len(going) + 1)]


def _units(chosen: Mapping[Bundle, Sequence[int]]) -> Plan:
    found = {name: units for bundle, groups in chosen.items() for name, units in bundle.units(groups).items()}
    return {name: units for name, units in found.items() if units}


def choose(
    module: nn.Module, structure: Structure, scores: Scores, config: PruneConfig, cost: Cost, allowed: float
) -> Plan:
    """The first plan whose model costs at most `allowed`, found by halving: about ten are tried.

    Raises ConfigError where none does, naming what can't lose units and why.
    """
    plans = _plans_of(module, structure, scores, config.unit_rules["widths"])

    def fits(k: int) -> bool:
        return cost(without_units(module, structure.layers, plans[k]())) <= allowed

    if not plans or not fits(len(plans) - 1):
        raise ConfigError(f"prune.sparsity: {config.sparsity} {_out_of_reach(structure, config)}")
    low, high = -1, len(plans) - 1  # fits(high), and no plan below 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return plans[high]()


def _plans_of(module: nn.Module, structure: Structure, scores: Scores, widths: Widths) -> list[Callable[[], Plan]]:
    if widths == "recurrent":
        return recurrent_plans(structure, scores, {name for name, _ in recurrent_layers(module)})
    return (uniform_plans if widths == "uniform" else free_plans)(structure, scores)


def _out_of_reach(structure: Structure, config: PruneConfig) -> str:
    reasons = "".join(f"\n  {name}: {why}" for name, why in structure.left.items())
    if not structure.bundles:
        none = (
            ": edgekit found no LSTM, GRU, Linear or Conv1d layer, with weights of its own and takes that are not"
            " packed, whose units another layer reads"
        )
        return f"can't be reached: no layer of this module can lose units{reasons or none}"
    left = f". Layers that keep all their units:{reasons}" if reasons else ""
    return f"of the {config.budget} is more than this model can lose; choose less{left}"
