"""Names of the stages, as the manifest keeps them and people read them."""

from __future__ import annotations

STUDENT, PRUNED, QUANTIZED = "distill", "prune", "quantize"


def train_stage_name(variant: str) -> str:
    """Name of the stage that trains a variant."""
    return f"train {variant}"
