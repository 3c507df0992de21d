"""A pruned module of the user's, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.errors import GateError, ShapeError
from edgekit.model import count_parameters, name_of, predict_logits, split_recurrent, why_not_repeated
from edgekit.prune.costs import count_macs
from edgekit.prune.probing import unit_count
from edgekit.prune.removed import Removed
from edgekit.prune.settings import Method, Scope
from edgekit.prune.shrinking import PruneStep
from edgekit.prune.structure import Structure, without_zero_states
from edgekit.train import FitResult

#: Of the largest logit: a recurrent layer split into single ones computes the same sums in the same order.
SPLIT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class ModuleShape:
    """How large a module is. macs: of one prediction at batch 1, see `edgekit.prune.costs.count_macs`. widths: units of
    each layer that can lose some, by name."""

    parameters: int
    macs: int
    widths: Mapping[str, int]

    @classmethod
    def of(cls, module: nn.Module, structure: Structure, takes: Tensor) -> ModuleShape:
        """structure: of the module before it lost units."""
        parts = dict(module.named_modules())
        widths = {name: unit_count(parts[name]) for name in structure.widths}
        return cls(count_parameters(module), count_macs(module, takes), widths)


@dataclass(frozen=True)
class PrunedModule(Removed):
    """A module of the user's, pruned, in evaluation mode, and what it was before.

    model: recurrent layers of several layers are stacks of single ones now (`edgekit.model.RecurrentStack`). left:
    layers that keep all their units, by name, with the reason. split_difference: the largest difference, in logits on
    some takes, between the given model and its split copy. steps: of method structured; recovery is the last one's.
    """

    model: nn.Module
    before: ModuleShape
    after: ModuleShape
    recovery: FitResult
    left: Mapping[str, str]
    split_difference: float
    steps: tuple[PruneStep, ...]
    method: Method = "structured"
    scope: Scope | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the module."""
        return {
            "method": self.method,
            "scope": self.scope,
            "sparsity": self.sparsity,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "zeros": self.zeros,
            "left": dict(self.left),
            "split_difference": self.split_difference,
            "steps": [asdict(step) for step in self.steps],
            "recovery": self.recovery.to_dict(),
        }


def prepared(model: nn.Module, takes: Tensor) -> tuple[nn.Module, float]:
    """A copy of a user's module that can lose units: on the CPU, in evaluation mode, of single recurrent layers, which
    start from no state where that was zeros; and how far its logits are from the given one's on `takes`.

    Raises ConfigError for a module that can't be split, ShapeError for one whose answers can't be compared, GateError
    where the copy computes something else.
    """
    start = split_recurrent(model, "prune_model: model").cpu().eval()
    given = takes.numpy()
    expected = torch.from_numpy(predict_logits(model, given))
    start = without_zero_states(start, takes)
    with torch.no_grad():
        difference = float((start(takes.clone()) - expected).abs().max())
    if not difference <= SPLIT_TOLERANCE * max(1.0, float(expected.abs().max())):
        if reason := why_not_repeated(model, given):
            raise ShapeError(f"prune_model: model, {name_of(model)}, {reason}")
        raise GateError(
            f"prune_model: model, {name_of(model)}, answers otherwise when its recurrent layers are split, by"
            f" {difference:.1e} in logits; does its forward look into them? Give it single layers"
        )
    return start, difference
