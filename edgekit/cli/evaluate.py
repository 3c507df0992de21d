"""edgekit evaluate"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli.common import Common, common_options, data_options, emit, workspace


@click.command()
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--part", type=click.Choice(["test", "validation", "train", "all"]), default="test", show_default=True,
              help="Which takes.")  # fmt: skip
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE.png", help="Draw the confusion matrix: .png,"
              " .svg or .pdf.")  # fmt: skip
@data_options
@common_options
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
    emit(common.json, evaluation.to_dict(), lambda: evaluation_text(evaluation.to_dict()))
