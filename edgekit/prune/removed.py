"""How much a pruning removed, of any kind of module."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from edgekit.model import count_zeros
from edgekit.prune.settings import Method


class Shape(Protocol):
    """How large a module is."""

    @property
    def parameters(self) -> int:
        """Trainable numbers."""
        ...


class Removed:
    """What results of pruning share. model: the pruned one. before, after: its shape. method: what was removed, whole
    units or single weights."""

    model: nn.Module
    before: Shape
    after: Shape
    method: Method

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
