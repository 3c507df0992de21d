"""edgekit prune"""

from __future__ import annotations

import click

from edgekit.cli.common import Common, common_options, data_options, flags, show_stage, workspace


@click.command()
@click.option("--sparsity", type=click.FloatRange(0, 1, max_open=True), help="Part of the parameters to remove [0.5].")
@click.option(
    "--method",
    type=click.Choice(["structured", "unstructured"]),
    help="Remove whole units, or set single weights to zero, which saves neither size nor time [structured].",
)
@click.option(
    "--scope",
    type=click.Choice(["global", "layer"]),
    help="Unstructured: weights compete in the whole model, or within each matrix [layer].",
)
@click.option(
    "--ramp",
    type=click.FloatRange(0, 1, max_open=True),
    help="Unstructured: part of the epochs in which sparsity rises; 0: all at once [0.5].",
)
@click.option("--epochs", type=click.IntRange(1), help="Of recovery under the teacher.")
@data_options
@common_options
def prune(
    common: Common,
    sparsity: float | None,
    method: str | None,
    scope: str | None,
    ramp: float | None,
    epochs: int | None,
) -> None:
    """Remove half of the student's parameters.

    Whole units go, least magnitude first; the rest recovers under the teacher. With --method unstructured single
    weights become zero instead: size and speed stay as they are, only the compressed file gets smaller.

    \b
    Example:
      edgekit prune --sparsity 0.5
    """
    from edgekit.pipeline import run_prune

    recovery = {"recovery": {"training": {"epochs": epochs}}} if epochs else {}
    said = flags(prune={"sparsity": sparsity, "method": method, "scope": scope, "ramp": ramp, **recovery})
    with workspace(common, said) as opened:
        record = run_prune(opened)
    show_stage(common, opened, "pruned", record)
