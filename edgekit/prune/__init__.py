"""Pruning to a part of the parameters, whole units or single weights, of any module, with recovery under a teacher."""

from edgekit.prune.model import PruneResult, prune_model
from edgekit.prune.module import ModuleShape, PrunedModule
from edgekit.prune.settings import PruneConfig
from edgekit.prune.shrinking import check_reachable
from edgekit.prune.structured import ratio_for, remove_units

__all__ = [
    "ModuleShape",
    "PruneConfig",
    "PruneResult",
    "PrunedModule",
    "check_reachable",
    "prune_model",
    "ratio_for",
    "remove_units",
]
