"""What `evaluate` does: a finished file against labelled takes. Works without torch and onnx."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError, DataError
from edgekit.evaluate import (
    Evaluation,
    Silence,
    are_signs,
    check_order,
    complaint,
    evaluate_predictions,
    find_misread,
    known_takes,
    predict_batches,
    takes_with_hand,
)
from edgekit.evaluate.reading import names_for, read_as
from edgekit.jobs.model_files import find_reader
from edgekit.jobs.takes import Part, frames_for, part_of, refuse_unreadable, roles_of, titles_of
from edgekit.reading import StrPath
from edgekit.report import check_picture, draw_confusion
from edgekit.runtime import open_predictor
from edgekit.workdir.workspace import Workspace


def evaluate_file(
    workspace: Workspace,
    model: StrPath | None,
    part: str,
    picture: StrPath | None = None,
    class_names: Sequence[str] | None = None,
) -> Evaluation:
    """Metrics of an ONNX file on the work directory's data.

    part: "test", "validation", "train" or "all". picture: where the confusion matrix is drawn (PNG, SVG or PDF).
    class_names: of the file's outputs, first to last; else its own; else the data's in their order, which its answers
    then have to bear out.

    Raises ConfigError where they don't, for names that do not fit file or data, and, before anything else, for a
    picture that can't be drawn (or MissingExtraError); ModelFileError for answers that are no numbers.
    """
    picture = None if picture is None else Path(picture)
    if picture is not None:
        check_picture(picture)
    file, box = find_reader(workspace.path, model)
    predictor = open_predictor(file)
    path = predictor.info.path
    reading = read_as(path, predictor.info.metadata, predictor.input_shape, predictor.classes, class_names)
    recordings = workspace.recordings
    if box is not None:
        box.refuse_others(recordings.features, recordings.class_names, recordings.source)
    refuse_unreadable(path, reading, recordings)
    takes = part_of(workspace, part, frames_for(reading, recordings, workspace.settings))
    outputs = predict_batches(predictor, takes.x[:1]).shape[1]
    names = names_for(path, reading, outputs, recordings.class_names)
    names = names if box is None or class_names is not None else box.named_as(recordings.class_names)
    kept, mapped, unknown = _known(workspace, takes, names)
    logits = predict_batches(predictor, takes.x)
    answers = logits[kept].argmax(axis=1)
    order = check_order(answers, mapped[kept], len(names))
    wrong = complaint(order, names, named=False) if reading.origin == "assumed" else None
    if wrong is not None:
        raise ConfigError(f"{path}: {wrong}")
    metrics = evaluate_predictions(answers, mapped[kept], names)
    titles = titles_of(recordings, takes.index[kept])
    evaluation = Evaluation(
        model=str(path),
        data=recordings.source,
        part=part,
        synthetic=recordings.synthetic,
        metrics=replace(metrics, excluded=int((~kept).sum()), excluded_classes=unknown),
        names=reading.origin,
        order=order,
        seen=roles_of(path, recordings, workspace.digest, takes.index).among(kept),
        sequence_length=takes.x.shape[1],
        takes_cut=takes.takes_cut,
        otherwise=reading.note,
        shipped=None if box is None else box.note(workspace.path),
        silence=_silence(are_signs(logits, predictor.info.metadata, names), takes, logits, mapped),
        misread=find_misread(takes.x[kept], mapped[kept], logits[kept], names, titles),
    )
    if picture is None:
        return evaluation
    return replace(evaluation, picture=str(draw_confusion(evaluation, picture)))


def _silence(signs: NDArray[np.bool_], takes: Part, logits: NDArray[np.float32], mapped: NDArray[np.int64]) -> Silence:
    """signs: by their logits, bool (takes,); mapped: the takes' labels as the model's, -1 for others."""
    silent, known = ~(signs & takes_with_hand(takes.x)), mapped >= 0
    lost = silent & known & (logits.argmax(axis=1) == mapped)
    return Silence(*(int(each.sum()) for each in (silent & known, lost, ~known, silent & ~known)))


def _known(
    workspace: Workspace, takes: Part, names: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], tuple[str, ...]]:
    """`known_takes` of the work directory's; that they are the embedded ones is said where none is known."""
    try:
        return known_takes(takes.labels, workspace.recordings.class_names, names)
    except DataError as error:
        if workspace.options.recordings is None:
            raise DataError(
                f"{error}. These are the embedded synthetic hands; give your recordings with --data"
            ) from None
        raise
