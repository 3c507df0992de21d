"""Learning curves from the logs that stages leave beside their models, for a report."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from edgekit.artifacts import sha256_bytes
from edgekit.errors import InputError
from edgekit.reading import FileKind, StrPath, read_file
from edgekit.results import LearningCurve, StageResult, TrainingFigures

LOG = FileKind("a training log", InputError, 50_000_000)
LOG_NAME = "training_log.csv"
COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")


def read_curves(workdir: StrPath, stages: Iterable[StageResult[TrainingFigures]]) -> tuple[LearningCurve, ...]:
    """Of every stage whose log is there as it left it."""
    found = (read_curve(workdir, stage) for stage in stages)
    return tuple(curve for curve in found if curve is not None)


def read_curve(workdir: StrPath, stage: StageResult[TrainingFigures]) -> LearningCurve | None:
    """The curve of a stage. None where it left no log, as an older edgekit, or the log is gone or was changed since."""
    for name, digest in stage.record.outputs.items():
        if Path(name).name == LOG_NAME:
            try:
                content = read_file(Path(workdir) / name, LOG)
            except InputError:
                return None
            return _curve(content, stage) if sha256_bytes(content) == digest else None
    return None


def _curve(content: bytes, stage: StageResult[TrainingFigures]) -> LearningCurve:
    """Of a log that is known to be the stage's own."""
    rows = list(csv.DictReader(content.decode().splitlines()))
    columns = {name: tuple(float(row[name]) for row in rows) for name in COLUMNS}
    return LearningCurve(stage=stage.name, best_epoch=stage.figures.best_epoch, **columns)
