"""edgekit predict"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import click

from edgekit.cli.common import emit, json_option


@click.command()
@click.argument("recordings", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--model",
    "-m",
    type=click.Path(path_type=Path),
    help="ONNX file that edgekit exported [model.int8.onnx in the work directory].",
)
@click.option(
    "--workdir",
    type=click.Path(path_type=Path),
    default=Path("edgekit-work"),
    show_default=True,
    help="Where the model is, when none is named.",
)
@click.option(
    "--min-frames", type=click.IntRange(1), default=10, show_default=True, help="Of a stream, before the first label."
)
@json_option
def predict(recordings: tuple[Path, ...], model: Path | None, workdir: Path, min_frames: int, as_json: bool) -> None:
    """Labels for takes, or for a stream of frames.

    RECORDINGS: .npz, .csv, .parquet, a folder of classes, or .npy of one take. With none, or -, stdin is a stream: one
    frame a line, a JSON list of 63 numbers; a JSON line a frame comes out.

    \b
    Example:
      edgekit predict my-take.npy
      camera-program | edgekit predict -m model.int8.onnx
    """
    from edgekit.pipeline import find_model, predict_frames, predict_takes
    from edgekit.report import predictions_text

    model = find_model(workdir, model)
    if recordings in ((), (Path("-"),)):
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        for answer in predict_frames(model, sys.stdin, min_frames):
            click.echo(json.dumps(answer))
        return
    found = [prediction.to_dict() for path in recordings for prediction in predict_takes(model, path)]
    emit(as_json, {"schema_version": 1, "predictions": found}, lambda: predictions_text(found))
