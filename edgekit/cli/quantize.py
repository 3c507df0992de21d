"""edgekit quantize"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli.common import Common, common_options, data_options, emit, flags, show_chain, workspace


@click.command()
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), help="With MODEL: where to [MODEL.int8.onnx].")
@click.option(
    "--scheme",
    type=click.Choice(["int8-weights", "int8-dynamic"]),
    help="int8-weights: int8 storage, fp32 arithmetic, LSTM and GRU; int8-dynamic: int8 arithmetic inside LSTM layers,"
    " for batch 1 [int8-weights].",
)
@data_options
@common_options
def quantize(common: Common, model: Path | None, output: Path | None, scheme: str | None) -> int:
    """Export the pruned student to ONNX and INT8.

    Prunes first when that is missing. Without MODEL the files are model.onnx and model.int8.onnx in the work
    directory, with a parity and an accuracy gate. With MODEL, quantise that fp32 ONNX file instead.

    \b
    Example:
      edgekit quantize
      edgekit quantize my-model.onnx -o my-model.int8.onnx
      edgekit quantize my-lstm.onnx --scheme int8-dynamic
    """
    from edgekit.cli.progress import Console
    from edgekit.pipeline import Options, int8_path, quantize_file, run_quantize, said_options
    from edgekit.report import quantized_text

    if model is None and output is not None:
        raise click.UsageError("--output goes with MODEL; without one the files are in the work directory")
    said = flags(quantize={"scheme": scheme})
    if model is not None:
        target = output or int8_path(model)
        options = said_options(Options(), common.config, common.assignments, said)
        if common.dry_run:
            Console(quiet=common.quiet, verbose=common.verbose).stage("quantize", "plan", f"{model} to {target}")
            return 0
        written = quantize_file(model, target, options.settings)
        emit(common.json, written.to_dict(), lambda: quantized_text(written.to_dict()))
        return 0
    with workspace(common, said) as opened:
        result = run_quantize(opened)
    return show_chain(common, opened, result)
