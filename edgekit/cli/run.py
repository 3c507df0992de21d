"""edgekit run"""

from __future__ import annotations

import click

from edgekit.cli.common import Common, common_options, data_options, show_chain, workspace


@click.command()
@click.option("--teacher", help="Variant; or FILE.onnx; or MODULE:FUNCTION [accurate].")
@click.option("--student", help="Variant of the student [edge].")
@click.option("--profile", default="raspberry-pi", show_default=True, help="Device profile to bench against.")
@data_options
@common_options
def run(common: Common, teacher: str | None, student: str | None, profile: str) -> int:
    """The whole job: train, distill, prune, quantize, score, bench.

    \b
    Example:
      edgekit run --data my-signs.npz --split session --preset standard
    """
    from edgekit.pipeline import run_chain

    with workspace(common, teacher=teacher, student=student) as opened:
        result = run_chain(opened, profile)
    return show_chain(common, opened, result)
