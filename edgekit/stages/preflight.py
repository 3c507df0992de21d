"""What would end a job hours later is refused before its first stage trains. Imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edgekit.config import Tree
from edgekit.model import build_model
from edgekit.prune import PruneConfig, check_reachable, ratio_for
from edgekit.prune.settings import STRUCTURED
from edgekit.prune.unstructured import groups_for
from edgekit.stages.accelerator import asked_hardware
from edgekit.workdir.dataset import Dataset
from edgekit.workdir.options import Options
from edgekit.workdir.settings import Settings


def check_hardware(options: Options, batch_sizes: Mapping[str, int]) -> None:
    """batch_sizes: of all stages that will train, by setting. Raises ConfigError for hardware that one can't have."""
    for setting, batch_size in batch_sizes.items():
        asked_hardware(options, batch_size, setting)


def epochs_elsewhere(said: Tree, runs: Iterable[tuple[str, str, int]]) -> str:
    """Which of the runs `training.epochs` has no say in, for people; empty where it was not said, or all have as many.

    said: settings as the user said them. runs: of the stages that will train, each its name, the section of its
    TrainingConfig, and its epochs.
    """
    epochs = said.get("training", {}).get("epochs")
    others = [
        f"{own} for {name} ({section}.epochs)"
        for name, section, own in runs
        if section != "training" and str(own) != str(epochs) and not _says(said, f"{section}.epochs")
    ]
    if epochs is None or not others:
        return ""
    return f"{epochs} at most for training on labels alone; at most {', '.join(others)}"


def _says(said: Tree, key: str) -> bool:
    tree: Any = said
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree is not None


def check_sparsity(settings: Settings, dataset: Dataset) -> None:
    """Raises ConfigError when the student can't lose as much as `prune` shall remove."""
    config = settings.section("prune", PruneConfig)
    student = build_model(settings.student_model(), dataset.normalisation, len(dataset.class_names))
    if config.method == "structured" and config.unit_rules != STRUCTURED:
        check_reachable(student, config, dataset.x)
    elif config.method == "structured":
        ratio_for(student.architecture, config.sparsity)
    else:
        groups_for(student, config.sparsity, config.scope or "layer")
