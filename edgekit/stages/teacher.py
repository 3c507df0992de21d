"""The teacher that edgekit did not train, as the work directory's options name it. Imports torch."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError, ShapeError
from edgekit.evaluate import OrderCheck, doubt
from edgekit.report.tables import count, percent
from edgekit.results import TeacherCheck, TeacherDescription
from edgekit.runtime import inspect_model
from edgekit.teacher import ForeignTeacher, load_teacher
from edgekit.workdir.options import is_code
from edgekit.workdir.workspace import Workspace


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
