"""edgekit evaluate"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, shared, workspace
from edgekit.cli.declaring import command
from edgekit.cli.terminal import complain


@command(
    o.PART,
    o.WORKDIR,
    o.CONFIG,
    o.SET,
    o.SEED.saying("Seed of the synthetic hands [0]."),
    o.DATA,
    o.COLUMNS,
    o.SPLIT,
    o.CLASS_NAMES,
    o.JSON,
    o.PICTURE,
)
@click.argument("model", required=False, type=o.PATH)
@shared
def evaluate(common: Common, model: Path | None, part: str, picture: Path | None, class_names: str | None) -> None:
    """Measure the accuracy of an ONNX file on labelled takes.

    Compares by class name. Default: the work directory's own file and data; where nothing was made there, the student
    that edgekit comes with. A file without class names is assumed to
    have the data's order of classes, and refused if its answers contradict that.

    \b
    Example:
      edgekit evaluate model.int8.onnx --data my-signs.npz --part all --picture confusion.png
    """
    from edgekit.evaluate import parse_class_names
    from edgekit.jobs import evaluate_file
    from edgekit.report import evaluation_text

    names = parse_class_names(class_names)
    with workspace(common, read_only=True) as opened:
        evaluation = evaluate_file(opened, model, part, picture, names)
    if evaluation.shipped is not None:
        complain(f"edgekit: note: {evaluation.shipped}")
    emit(common.as_json, evaluation.to_dict(), lambda: evaluation_text(evaluation))
