"""edgekit evaluate"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, shared, workspace


@o.command(
    o.PART,
    o.WORKDIR,
    o.CONFIG,
    o.SET,
    o.SEED.saying("Of the synthetic hands [0]."),
    o.DATA,
    o.COLUMNS,
    o.SPLIT,
    o.JSON,
    o.PICTURE,
)
@click.argument("model", required=False, type=o.PATH)
@shared
def evaluate(common: Common, model: Path | None, part: str, picture: Path | None) -> None:
    """Accuracy of an ONNX file on labelled takes.

    Compares by class name. Default: the work directory's INT8 file and data.

    \b
    Example:
      edgekit evaluate model.int8.onnx --data my-signs.npz --part all --picture confusion.png
    """
    from edgekit.pipeline import evaluate_file
    from edgekit.report import evaluation_text

    with workspace(common, read_only=True) as opened:
        evaluation = evaluate_file(opened, model, part, picture)
    emit(common.as_json, evaluation.to_dict(), lambda: evaluation_text(evaluation.to_dict()))
