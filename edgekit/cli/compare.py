"""edgekit compare"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, flags, measuring_settings, shared, workspace
from edgekit.cli.declaring import command


@command(
    o.REPEATS.saying("Minimum number of rounds per process [1000]."),
    o.PROCESSES.saying("Number of fresh processes to measure in [5]."),
    o.TIME_LIMIT.saying("Seconds to spend on measuring [60]."),
    o.SHAPE.saying("Sizes of an input that A leaves open."),
    o.VALUE,
    o.INFERENCE_THREADS,
    o.WORKDIR,
    o.CONFIG,
    o.SET,
    o.SEED.saying("Seed of random input [0]."),
    o.JSON,
    o.QUIET,
    o.HTML,
)
@click.argument("models", nargs=-1, metavar="A B [C]...", type=o.PATH)
@shared
def compare(common: Common, models: tuple[Path, ...], html: Path | None, **measuring: Any) -> int:
    """Say which model is faster, by how much, or can't tell.

    A model is an ONNX file, which runs on ONNX Runtime, or what `edgekit compile` made: the library or its folder.
    All take turns on the same input in one process, run by run, and again in fresh processes; each is compared
    with A. Only what all processes agree on is said. Inputs must have the same shapes; their names may differ.

    Exit code 0 whatever is faster.

    \b
    Example:
      edgekit compare edgekit-work/model.onnx edgekit-work/model.int8.onnx
      edgekit compare edgekit-work/model.int8.onnx native
      edgekit compare mine.onnx theirs.onnx --shape x=1,30,63 --json
    """
    from edgekit.jobs import check_reports, compare_models, write_comparison
    from edgekit.report import compare_text

    said = measuring_settings(common.threads, measuring)
    check_reports(html)
    with workspace(common, flags(compare=said), read_only=True) as opened:
        result = compare_models(opened, models)
    write_comparison(result, html)
    emit(common.as_json, result.to_dict(), lambda: compare_text(result))
    return 0
