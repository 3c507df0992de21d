"""edgekit prune"""

from __future__ import annotations

import click

from edgekit.cli.common import Common, common_options, data_options, flags, show_stage, workspace


@click.command()
@click.option("--sparsity", type=click.FloatRange(0, 1, max_open=True), help="Part of the parameters to remove [0.5].")
@click.option("--epochs", type=click.IntRange(1), help="Of recovery under the teacher.")
@data_options
@common_options
def prune(common: Common, sparsity: float | None, epochs: int | None) -> None:
    """Remove half of the student's parameters.

    Whole units go, least magnitude first; the rest recovers under the teacher.

    \b
    Example:
      edgekit prune --sparsity 0.5
    """
    from edgekit.pipeline import run_prune

    recovery = {"recovery": {"training": {"epochs": epochs}}} if epochs else {}
    with workspace(common, flags(prune={"sparsity": sparsity, **recovery})) as opened:
        record = run_prune(opened)
    show_stage(common, opened, "pruned", record)
