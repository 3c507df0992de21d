"""The stage that teaches the student what its teacher knows."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from edgekit.distill import DistillConfig, distill_model
from edgekit.model import ModelConfig
from edgekit.stages.context import Context
from edgekit.stages.model_stage import ModelStage
from edgekit.stages.names import STUDENT
from edgekit.stages.start import Origin
from edgekit.stages.teacher import Teacher
from edgekit.stages.training_run import deciding, leave_model, training_figures
from edgekit.train import TrainingConfig
from edgekit.workdir.updates import Outcome


class DistillStage(ModelStage):
    """The student, taught by the teacher."""

    section = "distill.training"

    def __init__(self, context: Context, teacher: Teacher) -> None:
        super().__init__(context, STUDENT, "student")
        self.teacher = teacher

    @cached_property
    def model(self) -> ModelConfig:
        """The student's variant with the section `student` on top. Raises ConfigError."""
        return self.context.settings.student_model()

    @cached_property
    def distill(self) -> DistillConfig:
        """How it is taught."""
        return self.context.settings.section("distill", DistillConfig)

    @property
    def training(self) -> TrainingConfig:
        """How the student is trained."""
        return self.distill.training

    @property
    def origin(self) -> Origin:
        """What is in the student beside the recordings, its teacher's origin included."""
        own = self.teacher.own
        return super().origin if own is None else super().origin.taught_by(own.origin)

    @property
    def upstream(self) -> tuple[str, ...]:
        """The stage that trains the teacher, unless that is from elsewhere."""
        return self.teacher.stages

    def config(self) -> dict[str, Any]:
        """The settings that decide what is made, JSON-ready."""
        settings = self.context.settings
        return {
            **self.context.data.decides(),
            **self.context.starts.described(self.start),
            "teacher": settings.teacher,
            **({} if settings.class_names is None else {"class_names": list(settings.class_names)}),
            "student": self.model.model_dump(mode="json"),
            "distill": deciding(self.distill),
        }

    def inputs(self) -> dict[str, str]:
        """The teacher's files, or its fingerprint."""
        return self.teacher.inputs()

    def check(self) -> None:
        """Raises ConfigError for a teacher whose answers do not fit the labels, before anything learns from it."""
        _ = self.teacher.check

    def guess(self) -> str:
        """How long it will take here."""
        labelling_s = self.teacher.labelling_s(self.distill)
        return self.guess_training(labelling_s)

    def make(self) -> Outcome:
        """Teach a fresh student."""
        context, data = self.context, self.context.data
        context.check_ahead()
        teacher = self.teacher.module()
        student = context.build(self.model)
        setup = self.setup(student)
        with setup.hardware.applied():
            self.begin(student, setup)
            result = distill_model(
                teacher,
                student,
                data.train_takes(),
                data.validation_takes(),
                self.distill,
                augmentation=data.augmented,
                mix=data.mix,
                seed=context.settings.seed,
                setup=setup,
            )
            figures = training_figures(data, student, result, setup, self.teacher.describe())
            outcome = leave_model(data.dataset, self.folder, student, result, figures)
            self.leave_onnx(student)
            return outcome
