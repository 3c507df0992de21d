"""edgekit train"""

from __future__ import annotations

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, flags, shared, show_stage, workspace
from edgekit.cli.declaring import command


@command(*o.CHAIN, o.EPOCHS, *o.HARDWARE, *o.TOLD)
@click.argument("variant", required=False)
@shared
def train(common: Common, variant: str | None, epochs: int | None) -> None:
    """Train one variant on labels alone.

    VARIANT: edge, balanced, base or accurate (the default, the teacher).

    \b
    Example:
      edgekit train accurate --data my-signs.npz
    """
    from edgekit.jobs import run_train

    with workspace(common, flags(training={"epochs": epochs})) as opened:
        record = run_train(opened, variant)
    show_stage(common, opened, "trained", record)
