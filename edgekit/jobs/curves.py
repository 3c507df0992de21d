"""Learning curves from the logs that training left in the work directory, for a report."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from pathlib import Path

from edgekit.errors import InputError
from edgekit.reading import FileKind, read_text
from edgekit.results import LearningCurve, StageResult, TrainingFigures
from edgekit.workdir.workspace import Workspace

LOG = FileKind("a training log", InputError, 50_000_000)
COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")


def read_curves(workspace: Workspace, stages: Iterable[StageResult[TrainingFigures]]) -> tuple[LearningCurve, ...]:
    """Of every stage whose log is there, whole, and of the run that made its model: one row for each of its epochs.

    A log can be deleted, or be of a run that was interrupted or replaced: a stage with such a log has no curve.
    """
    found = (read_curve(workspace.path / "logs" / stage.name.replace(" ", "-"), stage) for stage in stages)
    return tuple(curve for curve in found if curve is not None)


def read_curve(folder: Path, stage: StageResult[TrainingFigures]) -> LearningCurve | None:
    """The curve of a stage whose log is in `folder`; None where there is none that fits its figures."""
    try:
        rows = list(csv.DictReader(read_text(folder / "training_log.csv", LOG).splitlines()))
        columns = {name: tuple(float(row[name]) for row in rows) for name in COLUMNS}
    except (InputError, csv.Error, LookupError, TypeError, ValueError):
        return None
    figures = stage.figures
    finite = all(math.isfinite(value) for column in columns.values() for value in column)
    if not finite or len(rows) != figures.epochs or not _same_weights(columns, figures):
        return None
    return LearningCurve(stage=stage.name, best_epoch=figures.best_epoch, **columns)


def _same_weights(columns: dict[str, tuple[float, ...]], figures: TrainingFigures) -> bool:
    """Whether the epoch whose weights were kept has their validation accuracy, to the log's six digits."""
    best = columns["val_accuracy"][figures.best_epoch - 1]
    return math.isclose(best, figures.val_accuracy, abs_tol=1e-4)
