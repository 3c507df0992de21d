"""edgekit step"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, refuse_given, shared
from edgekit.cli.declaring import command


@command(
    o.OUTPUT.saying("Where to write the file [MODEL.step.onnx; in the work directory without MODEL]."),
    o.WORKDIR.saying("Where to find the model if none is named."),
    o.JSON,
)
@click.argument("model", required=False, type=o.PATH)
@shared
def step(common: Common, model: Path | None, output: Path | None) -> None:
    """Write an ONNX file that reads one frame a run.

    For streams: frame and states go in, logits and new states come out, so that a frame costs one step instead of a
    whole take. MODEL is an fp32 or INT8 file of edgekit's that reads takes forwards, or the word shipped; default: the
    work directory's own. Its weights stay as they are. Written only if it answers as MODEL does (exit code 5): after t
    frames from states of zeros, as MODEL to a take of t frames.

    \b
    Example:
      edgekit step
      edgekit step model.int8.onnx -o steps.onnx
      camera-program | edgekit predict -m steps.onnx
    """
    from edgekit.jobs import make_steps
    from edgekit.report import step_text

    if model is not None:
        refuse_given({"workdir"}, "MODEL names the file")
    made = make_steps(common.workdir, model, output)
    emit(common.as_json, made.to_dict(), lambda: step_text(made))
