"""edgekit predict"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    o.WINDOW,
    o.STEP,
    o.RESTART,
    o.CLASS_NAMES,
    o.NO_REJECT,
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
    window: int | None,
    step: bool,
    restart: int | None,
    class_names: str | None,
    no_reject: bool,
    as_json: bool,
) -> None:
    """Label takes, or a stream of frames.

    RECORDINGS: .npz, .csv, .parquet, a folder of classes, or an .npy file of one take. With none, or -, stdin is a
    stream: one frame per line, a JSON list of 63 numbers, null for no hand. Each gives one line of JSON.

    A stream's answer is that of a take of the last --window frames: 20 for a model that reads 30, so that a short sign
    is not read together with the one before. Where signs last longer, say more. By steps, with --step or a file of
    `edgekit step`, each frame costs one step instead of a whole take. Then two states take turns: each begins anew
    every --restart frames, and the older one answers, as it would to a take of the frames since it began. With
    --restart 0 one state runs on from the first frame.

    Without a hand there is no label (null, with --json and in a stream): not in a take where none is found, and not
    while a stream's last five frames have none. A file that knows when nobody signs answers so, too, where a hand is
    seen; --no-reject names the nearest class instead.

    With no model named and none made, the student that edgekit comes with answers: the letters A to Z of one hand.

    \b
    Example:
      edgekit predict my-take.npy
      camera-program | edgekit predict -m model.int8.onnx
      camera-program | edgekit predict -m model.int8.step.onnx
      camera-program | edgekit predict -m native --runtime native --step
    """
    from edgekit.evaluate import parse_class_names
    from edgekit.jobs import find_reader
    from edgekit.predict import naming_note, predict_takes
    from edgekit.report import predictions_text

    if model is not None:
        refuse_given({"workdir"}, "--model names the file")
    streams, names = recordings in ((), (Path("-"),)), parse_class_names(class_names)
    model, box = find_reader(workdir, model, runtime, step and streams)
    said = [None if box is None else box.note(workdir), naming_note(model, names, runtime)]
    notes = [note for note in said if note is not None]
    if streams:
        _tell(notes)
        how = {"min_frames": min_frames, "window": window, "step": step, "restart": restart}
        _follow(model, {**how, "reject": not no_reject}, names, runtime)
        return
    refuse_given({"min_frames", "window", "step", "restart"}, "a stream's options go with a stream")
    found = [each for path in recordings for each in predict_takes(model, path, names, box, runtime, not no_reject)]
    _tell(notes)
    content = {"schema_version": 1, "predictions": [prediction.to_dict() for prediction in found], "notes": notes}
    emit(as_json, content, lambda: predictions_text(found))


def _tell(notes: list[str]) -> None:
    for note in notes:
        complain(f"edgekit: note: {note}")


def _follow(model: Path, how: dict[str, Any], names: tuple[str, ...] | None, runtime: Runtime) -> None:
    """A line of JSON a frame, until the frames end or nobody reads the answers."""
    from edgekit.artifacts import json_text
    from edgekit.predict import predict_frames

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    said = {name: value for name, value in how.items() if value is not None}
    for answer in predict_frames(model, sys.stdin, class_names=names, runtime=runtime, **said):
        if not say(json_text(answer.to_dict())):
            return
