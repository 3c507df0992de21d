"""The stage that makes the student smaller and lets it recover under the teacher."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from edgekit.model import ModelConfig
from edgekit.prune import PruneConfig, prune_model
from edgekit.prune.settings import STRUCTURED
from edgekit.results import Record
from edgekit.stages.distill import DistillStage
from edgekit.stages.model_stage import ModelStage
from edgekit.stages.names import PRUNED
from edgekit.stages.start import Origin, Start
from edgekit.stages.training_run import deciding, leave_model, pruning_figures, training_figures
from edgekit.train import TrainingConfig
from edgekit.workdir.differences import differences
from edgekit.workdir.updates import Outcome


class PruneStage(ModelStage):
    """The student without its least important weights."""

    section = "prune.recovery.training"

    def __init__(self, student: DistillStage) -> None:
        super().__init__(student.context, PRUNED, "pruned")
        self.student = student
        self.teacher = student.teacher

    @property
    def model(self) -> ModelConfig:
        """The student's."""
        return self.student.model

    @property
    def start(self) -> Start:
        """From nothing but the finished student."""
        return Start()

    @property
    def origin(self) -> Origin:
        """The student's."""
        return self.student.origin

    @cached_property
    def prune(self) -> PruneConfig:
        """How it is pruned, and how it recovers."""
        return self.context.settings.section("prune", PruneConfig)

    @property
    def training(self) -> TrainingConfig:
        """How the pruned student recovers."""
        return self.prune.recovery.training

    @property
    def upstream(self) -> tuple[str, ...]:
        """The stages that train teacher and student."""
        return (*self.teacher.stages, self.student.name)

    def config(self) -> dict[str, Any]:
        """The settings that decide what is made, JSON-ready."""
        said = {**deciding(self.prune), **self.prune.unit_rules}
        later = {key for key, default in STRUCTURED.items() if said[key] == default}  # as before there were any
        if self.prune.method == "structured":
            later -= {"widths"}  # its default is another now, so a change is told with both values
        return {**self.context.data.decides(), "prune": {key: said[key] for key in said if key not in later}}

    def changes(self, record: Record) -> list[str]:
        """Of a record from before there was `prune.widths`, every layer lost the same part: that is what it was."""
        made = record.config.get("prune", {})
        if made.get("method") == "structured":
            made = {"widths": STRUCTURED["widths"], **made}
        return differences({**record.config, "prune": made}, self.config())

    def inputs(self) -> dict[str, str]:
        """Files of teacher and student."""
        return {**self.teacher.inputs(), **self.context.workspace.outputs(self.student.name)}

    def check(self) -> None:
        """Raises ConfigError for a teacher whose answers do not fit the labels, before anything learns from it."""
        _ = self.teacher.check

    def guess(self) -> str:
        """How long it will take here."""
        labelling_s = self.teacher.labelling_s(self.prune.recovery)
        return self.guess_training(labelling_s)

    def make(self) -> Outcome:
        """Prune the finished student."""
        context, data = self.context, self.context.data
        teacher, student = self.teacher.module(), self.student.load()
        setup = self.setup(student)
        with setup.hardware.applied():
            result = prune_model(
                student,
                teacher,
                data.train_takes(),
                data.validation_takes(),
                self.prune,
                augmentation=data.augmented,
                mix=data.mix,
                seed=context.settings.seed,
                setup=setup,
            )
            recovery = training_figures(data, result.model, result.recovery, setup)
            figures = pruning_figures(recovery, result)
            return leave_model(data.dataset, self.folder, result.model, result.recovery, figures)
