"""edgekit quantize"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, flags, refuse_given, shared, show_chain, workspace
from edgekit.cli.declaring import command

#: What has no say where a file is named: it is neither in a work directory, nor trained.
OF_THE_JOB = {"workdir", "preset", "seed", "data", "split", "pretrain", "force", "threads", "accelerator",
              "accelerators", "precision", "verbose", "teacher", "class_names"}  # fmt: skip


@command(o.SCHEME, *o.PROVING, *o.CHAIN, o.TEACHER, o.TEACHER_NAMES, *o.HARDWARE, *o.TOLD, o.OUTPUT)
@click.argument("model", required=False, type=o.PATH)
@shared
def quantize(
    common: Common,
    model: Path | None,
    output: Path | None,
    scheme: str | None,
    calibration: Path | None,
    max_difference: float | None,
    teacher: str | None,
    class_names: str | None,
) -> int:
    """Export the pruned student to ONNX and INT8.

    Prunes first if that is missing. Without MODEL it writes model.onnx and model.int8.onnx to the work directory, with
    a parity and an accuracy gate; where rounding loses too much, the student learns once more. With MODEL it quantises
    that ONNX file instead, whoever exported it, and compares both on takes of yours or on made-up input.

    \b
    Example:
      edgekit quantize
      edgekit quantize --scheme auto
      edgekit quantize my-model.onnx -o my-model.int8.onnx
      edgekit quantize my-lstm.onnx --scheme int8-dynamic
      edgekit quantize my-model.onnx --calibration takes.npz --max-difference 0.1
    """
    from edgekit.jobs import run_quantize

    said = flags(quantize={"scheme": scheme})
    if model is not None:
        refuse_given(OF_THE_JOB, "with MODEL, one file is made into another without a work directory")
        _quantize_file(common, model, output, said, {"calibration": calibration, "max_difference": max_difference})
        return 0
    refuse_given({"output"}, "--output goes with MODEL; without one the files are in the work directory")
    alone = {"calibration", "max_difference"}
    refuse_given(alone, "they go with MODEL; without one, validation takes and the settings under gates decide")
    with workspace(common, said, teacher, class_names=class_names) as opened:
        result = run_quantize(opened)
    return show_chain(common, opened, result)


def _quantize_file(
    common: Common, model: Path, output: Path | None, said: Mapping[str, Any], proving: Mapping[str, Any]
) -> None:
    from edgekit.cli.progress import Console, alive
    from edgekit.jobs import int8_path, quantize_file
    from edgekit.report import quantized_text
    from edgekit.workdir import Options, naming_source, said_options

    options = said_options(Options(), common.config, common.assignments, said)
    target = output or int8_path(model, options.settings.get("quantize", {}).get("scheme"))
    if common.dry_run:
        console = Console(quiet=common.quiet)
        console.stage("quantize", "plan", f"{model} to {target}")
        if common.as_json:
            emit(True, {"dry_run": True, "stages": console.planned}, str)
        return
    with naming_source(common.config), alive("quantize", common.quiet):
        written = quantize_file(model, target, options.settings, **proving)
    emit(common.as_json, written.to_dict(), lambda: quantized_text(written))
