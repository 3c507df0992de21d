"""What would end a job hours later is refused before its first stage trains. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.model import build_model
from edgekit.prune import PruneConfig, ratio_for
from edgekit.prune.unstructured import groups_for
from edgekit.stages.accelerator import asked_hardware
from edgekit.workdir.dataset import Dataset
from edgekit.workdir.options import Options
from edgekit.workdir.settings import Settings


def check_hardware(options: Options, batch_sizes: Mapping[str, int]) -> None:
    """batch_sizes: of all stages that will train, by setting. Raises ConfigError for hardware that one can't have."""
    for setting, batch_size in batch_sizes.items():
        asked_hardware(options, batch_size, setting)


def check_sparsity(settings: Settings, dataset: Dataset) -> None:
    """Raises ConfigError when the student can't lose as much as `prune` shall remove."""
    config = settings.section("prune", PruneConfig)
    student = build_model(settings.student_model(), dataset.normalisation, len(dataset.class_names))
    if config.method == "structured":
        ratio_for(student.architecture, config.sparsity)
    else:
        groups_for(student, config.sparsity, config.scope or "layer")
