"""What the stages of one workspace share."""

from __future__ import annotations

from functools import cached_property

from edgekit.distill import DistillConfig
from edgekit.model import ModelConfig, RecurrentClassifier, build_model
from edgekit.prune import PruneConfig
from edgekit.quantize.gates import GatesConfig
from edgekit.stages.data import StageData
from edgekit.stages.guess import Guesses
from edgekit.stages.names import PRUNED, STUDENT
from edgekit.stages.preflight import check_hardware, check_sparsity
from edgekit.stages.start import Starts
from edgekit.workdir.settings import Settings
from edgekit.workdir.workspace import Workspace


class Context:
    """What the stages of one workspace share. goal: names of the stages that the command needs, set by `Stages`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.data = StageData(workspace)
        self.starts = Starts(workspace, self.data)
        self.gates = self.settings.section("gates", GatesConfig)
        self.goal: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        """Of the workspace, which change when it is known what its models start from: see `Stages.ensure`."""
        return self.workspace.settings

    def build(self, config: ModelConfig) -> RecurrentClassifier:
        """A fresh model for the recordings."""
        dataset = self.data.dataset
        return build_model(config, dataset.normalisation, len(dataset.class_names), self.settings.seed)

    @cached_property
    def guesses(self) -> Guesses:
        """How long runs take here."""
        data, workspace = self.data, self.workspace
        return Guesses(workspace.options, data.dataset, self.build, data.augmented, workspace.watcher, data.mix)

    def check_ahead(self) -> None:
        """Before the first stage of a job trains: whether the later ones can be made. Raises ConfigError."""
        sizes: dict[str, int] = {}
        if STUDENT in self.goal:
            training = self.settings.section("distill", DistillConfig).training
            sizes["distill.training.batch_size"] = training.batch_size
        if PRUNED in self.goal:
            training = self.settings.section("prune", PruneConfig).recovery.training
            sizes["prune.recovery.training.batch_size"] = training.batch_size
            check_sparsity(self.settings, self.data.dataset)
        check_hardware(self.workspace.options, sizes)
