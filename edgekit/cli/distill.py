"""edgekit distill"""

from __future__ import annotations

import click

from edgekit.cli.common import Common, common_options, data_options, flags, show_stage, workspace


@click.command()
@click.option("--teacher", help="Variant, trained first when missing; or FILE.onnx; or MODULE:FUNCTION [accurate].")
@click.option("--student", help="Variant of the student [edge].")
@click.option("--temperature", type=click.FloatRange(0, min_open=True), help="Softens both distributions.")
@click.option("--alpha", type=click.FloatRange(0, 1), help="Weight of the teacher against the labels.")
@click.option("--epochs", type=click.IntRange(1), help="Of the student.")
@data_options
@common_options
def distill(
    common: Common,
    teacher: str | None,
    student: str | None,
    temperature: float | None,
    alpha: float | None,
    epochs: int | None,
) -> None:
    """Teach a small student what a large teacher knows.

    \b
    Example:
      edgekit distill --data my-signs.npz --temperature 4
    """
    from edgekit.pipeline import run_distill

    training = {"training": {"epochs": epochs}} if epochs else {}
    said = flags(distill={"temperature": temperature, "alpha": alpha, **training})
    with workspace(common, said, teacher=teacher, student=student) as opened:
        record = run_distill(opened)
    show_stage(common, opened, "distilled", record)
