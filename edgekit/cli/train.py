"""edgekit train"""

from __future__ import annotations

import click

from edgekit.cli.common import Common, common_options, data_options, flags, show_stage, workspace


@click.command()
@click.argument("variant", required=False)
@click.option("--epochs", type=click.IntRange(1), help="At most this many.")
@data_options
@common_options
def train(common: Common, variant: str | None, epochs: int | None) -> None:
    """Train one variant on labels alone.

    VARIANT: edge, balanced, base or accurate (the default, the teacher).

    \b
    Example:
      edgekit train accurate --data my-signs.npz
    """
    from edgekit.pipeline import run_train

    with workspace(common, flags(training={"epochs": epochs})) as opened:
        record = run_train(opened, variant)
    show_stage(common, opened, "trained", record)
