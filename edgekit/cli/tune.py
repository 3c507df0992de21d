"""edgekit tune"""

from __future__ import annotations

import click

from edgekit.cli.common import Common, common_options, data_options, emit, flags, show_plan, workspace


@click.command()
@click.argument("variant", required=False)
@click.option("--folds", type=click.IntRange(2, 100), help="Of cross-validation [5].")
@click.option("--epochs", type=click.IntRange(1), help="Of every fold [12].")
@click.option("--trials", type=click.IntRange(1), help="At most this many points [all 81].")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Trials at a time.")
@click.option("--cluster", metavar="ADDRESS", help="Run the trials on a Ray cluster; local: on --jobs Ray workers here"
              " [2].")  # fmt: skip
@data_options
@common_options
def tune(
    common: Common,
    variant: str | None,
    folds: int | None,
    epochs: int | None,
    trials: int | None,
    jobs: int,
    cluster: str | None,
) -> None:
    """Try hidden sizes, layers, dropouts and learning rates by cross-validation; interrupted, it goes on.

    VARIANT: what the rest of the model is like: edge, balanced, base or accurate (the default, the teacher).

    \b
    Example:
      edgekit tune base --data my-signs.npz --jobs 2
    """
    from edgekit.pipeline import run_tune
    from edgekit.report import tuning_text

    said = flags(tune={"folds": folds, "epochs": epochs, "trials": trials})
    with workspace(common, said) as opened:
        result = run_tune(opened, variant, jobs, cluster)
    if result is None:
        show_plan(common, opened)
        return
    emit(common.json, result.to_dict(), lambda: tuning_text(result))
    if result.failure:
        raise result.failure
