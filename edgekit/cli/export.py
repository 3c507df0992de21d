"""edgekit export"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, shared, workspace
from edgekit.cli.declaring import command


@command(
    o.OUTPUT.saying("Where to write the file [FUNCTION.onnx]."),
    o.CLASS_NAMES.saying("Classes of the module's outputs, first to last [its own, else the data's]."),
    o.WORKDIR,
    o.SET,
    o.DATA,
    o.COLUMNS,
    o.JSON,
)
@click.argument("module", metavar="MODULE:FUNCTION")
@shared
def export(common: Common, module: str, output: Path | None, class_names: str | None) -> None:
    """Write a PyTorch module of your own as an fp32 ONNX file.

    FUNCTION takes no arguments and returns a torch.nn.Module with its weights loaded, from takes (batch, frames,
    numbers) to logits or probabilities. Its code is run. The file has the data's classes, and is written only if it
    answers as the module does.

    \b
    Example:
      edgekit export my_models:build --data my-signs.npz -o own.onnx
      edgekit quantize own.onnx
    """
    from edgekit.evaluate import parse_class_names
    from edgekit.jobs import export_module
    from edgekit.report import exported_text

    names = parse_class_names(class_names)
    with workspace(common, read_only=True) as opened:
        made = export_module(opened, module, output, names)
    emit(common.as_json, made.to_dict(), lambda: exported_text(made))
