"""The teacher that the work directory's options name: a variant that edgekit trains, or a model from elsewhere."""

from __future__ import annotations

import shlex
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgekit.distill import DistillConfig
from edgekit.errors import ConfigError, ShapeError
from edgekit.evaluate import OrderCheck, doubt
from edgekit.report.tables import count, percent
from edgekit.results import TeacherCheck, TeacherDescription
from edgekit.runtime import inspect_model
from edgekit.stages.context import Context
from edgekit.stages.train import TrainStage
from edgekit.teacher import ForeignTeacher, check_teacher, load_teacher
from edgekit.workdir.options import is_code, is_foreign
from edgekit.workdir.workspace import Workspace


class Teacher:
    """The teacher that the settings name: trained here, or from elsewhere. own: the stage that trains it, or None."""

    def __init__(self, context: Context) -> None:
        self.context = context
        said = context.settings.teacher
        self.own = None if is_foreign(said) else TrainStage(context, said)

    @property
    def stages(self) -> tuple[str, ...]:
        """Name of the stage that trains it; none where it is from elsewhere."""
        return () if self.own is None else (self.own.name,)

    @property
    def foreign(self) -> ForeignTeacher | None:
        """The one from elsewhere; None for a variant."""
        return None if self.own is not None else self.loaded

    @cached_property
    def loaded(self) -> ForeignTeacher:
        """The one from elsewhere, tried on training takes. Raises ConfigError where there is none that can be used."""
        data = self.context.data
        return load_foreign(self.context.workspace, data.train_takes().x, data.dataset.class_names)

    @cached_property
    def check(self) -> OrderCheck | None:
        """How the answers of one that edgekit did not train fit the labels of the training takes; None for a variant,
        and where nobody wants to know. Raises ConfigError where they don't."""
        if self.foreign is None or not self.context.gates.check_teacher:
            return None
        takes = self.context.data.train_takes()
        return check_teacher(self.foreign, takes.x, takes.labels, self.context.data.dataset.class_names)

    def inputs(self) -> dict[str, str]:
        """What it is: files of its stage, or the digest of a foreign one."""
        foreign = self.foreign
        return self.context.workspace.outputs(*self.stages) if foreign is None else {foreign.said: foreign.digest}

    def module(self) -> nn.Module:
        """Raw landmarks to logits in the data's class order, whoever trained it."""
        if self.own is not None:
            return self.own.load()
        foreign, watcher = self.loaded, self.context.workspace.watcher
        watcher.stage("teacher", "start", foreign.describe())
        if self.check is not None:
            watcher.stage("teacher", "note", fit_text(self.check))
        return foreign.module

    def describe(self) -> TeacherDescription | None:
        """For the student's record; None for a variant, whose own record tells."""
        return None if self.foreign is None else describe_teacher(self.foreign, self.check)

    def labelling_s(self, config: DistillConfig) -> float:
        """Seconds in which it labels what a student sees; one from elsewhere is left out."""
        if self.own is None:
            return 0.0
        context = self.context
        copies = min(config.copies, config.training.epochs) if context.data.augmented else 1
        copies = config.training.epochs if config.states else copies
        return context.guesses.labelling_s(self.own.model, config.training, copies)


def load_foreign(workspace: Workspace, x: NDArray[np.float32], class_names: tuple[str, ...]) -> ForeignTeacher:
    """It, tried on training takes x float32 (takes, time, features). class_names: of the data.

    Raises ConfigError for code that this command line does not name, too: whoever writes a work directory or a settings
    file could have it run.
    """
    said = workspace.settings.teacher
    if is_code(said) and said != workspace.options.code:
        raise ConfigError(
            f"the teacher is {said}, code that the work directory {workspace.path} or a settings file names; it runs"
            f" only if the command line names it, too: add --teacher {shlex.quote(said)}"
        )
    try:
        return load_teacher(said, x, class_names, workspace.settings.class_names)
    except ShapeError as error:
        reads = None if is_code(said) else _frames_read(Path(said))
        if reads in (None, x.shape[1]):
            raise
        raise ShapeError(f"{error}; --set data.sequence_length={reads} makes takes as long as it reads") from None


def _frames_read(file: Path) -> int | None:
    """The fixed time axis of an ONNX file's only input (batch, time, features); None where it has none."""
    inputs = inspect_model(file).inputs
    shape = inputs[0].shape if len(inputs) == 1 else None
    return shape[1] if shape is not None and len(shape) == 3 and isinstance(shape[1], int) else None


def fit_text(check: OrderCheck) -> str:
    """How its answers fit the labels, and what can't be told of that."""
    found = doubt(check)
    return f"right on {percent(check.accuracy)} of {count(check.takes)} training takes" + (
        f"; {found}" if found else ""
    )


def describe_teacher(teacher: ForeignTeacher, check: OrderCheck | None) -> TeacherDescription:
    """For the student's record: who taught it, and how sure that is."""
    return TeacherDescription(
        said=teacher.said,
        form=teacher.form,
        parameters=teacher.parameters,
        class_names=teacher.names,
        probabilities=teacher.probabilities,
        check=None if check is None else _checked(check),
    )


def _checked(check: OrderCheck) -> TeacherCheck:
    return TeacherCheck(
        takes=check.takes,
        accuracy=check.accuracy,
        accuracy_otherwise=check.accuracy_otherwise,
        chance=check.chance,
        verdict=check.verdict,
    )
