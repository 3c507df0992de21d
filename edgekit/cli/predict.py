"""edgekit predict"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import options as o
from edgekit.cli.common import emit, refuse_given
from edgekit.cli.declaring import command
from edgekit.cli.terminal import complain, say

if TYPE_CHECKING:
    from edgekit.runtime import Runtime


@command(
    o.MODEL,
    o.RUNTIME.saying(
        "native: --model is a library of `edgekit compile`, or a folder with one [native in the work directory]."
    ),
    o.MIN_FRAMES,
    o.CLASS_NAMES,
    o.WORKDIR.saying("Where to find the model if none is named."),
    o.JSON.saying("Result as JSON on stdout; a stream always is."),
)
@click.argument("recordings", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
def predict(
    recordings: tuple[Path, ...],
    model: Path | None,
    runtime: Runtime,
    workdir: Path,
    min_frames: int | None,
    class_names: str | None,
    as_json: bool,
) -> None:
    """Label takes, or a stream of frames.

    RECORDINGS: .npz, .csv, .parquet, a folder of classes, or an .npy file of one take. With none, or -, stdin is a
    stream: one frame per line, a JSON list of 63 numbers. Each frame gives one line of JSON.

    With no model named and none made, the student that edgekit comes with answers: the letters A to Z of one hand.

    \b
    Example:
      edgekit predict my-take.npy
      camera-program | edgekit predict -m model.int8.onnx
    """
    from edgekit.evaluate import parse_class_names
    from edgekit.jobs import find_reader
    from edgekit.predict import naming_note, predict_takes
    from edgekit.report import predictions_text

    if model is not None:
        refuse_given({"workdir"}, "--model names the file")
    (model, box), names = find_reader(workdir, model, runtime), parse_class_names(class_names)
    said = [None if box is None else box.note(workdir), naming_note(model, names, runtime)]
    notes = [note for note in said if note is not None]
    if recordings in ((), (Path("-"),)):
        _tell(notes)
        _follow(model, min_frames, names, runtime)
        return
    refuse_given({"min_frames"}, "--min-frames goes with a stream")
    found = [prediction for path in recordings for prediction in predict_takes(model, path, names, box, runtime)]
    _tell(notes)
    content = {"schema_version": 1, "predictions": [prediction.to_dict() for prediction in found], "notes": notes}
    emit(as_json, content, lambda: predictions_text(found))


def _tell(notes: list[str]) -> None:
    for note in notes:
        complain(f"edgekit: note: {note}")


def _follow(model: Path, min_frames: int | None, names: tuple[str, ...] | None, runtime: Runtime) -> None:
    """A line of JSON a frame, until the frames end or nobody reads the answers."""
    from edgekit.artifacts import json_text
    from edgekit.predict import MIN_FRAMES, predict_frames

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    for answer in predict_frames(model, sys.stdin, min_frames or MIN_FRAMES, names, runtime):
        if not say(json_text(answer.to_dict())):
            return
