"""edgekit tune"""

from __future__ import annotations

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, flags, shared, show_plan, workspace
from edgekit.cli.declaring import command


@command(
    o.FOLDS,
    o.TRIALS,
    o.JOBS,
    o.CLUSTER,
    *(option for option in o.CHAIN if option is not o.PRETRAIN),
    o.EPOCHS.saying("Epochs of every fold [12]."),
    o.JSON,
    o.QUIET,
)
@click.argument("variant", required=False)
@shared
def tune(
    common: Common,
    variant: str | None,
    folds: int | None,
    epochs: int | None,
    trials: int | None,
    jobs: int,
    cluster: str | None,
) -> None:
    """Try hidden sizes, layers, dropouts and learning rates by cross-validation.

    VARIANT gives the rest of the model: edge, balanced, base or accurate (the default, the teacher). An interrupted
    study continues with the same command.

    \b
    Example:
      edgekit tune base --data my-signs.npz --jobs 2
    """
    from edgekit.jobs import run_tune
    from edgekit.report import tuning_text

    said = flags(tune={"folds": folds, "epochs": epochs, "trials": trials})
    with workspace(common, said) as opened:
        result = run_tune(opened, variant, jobs, cluster)
    if result is None:
        show_plan(common, opened)
        return
    emit(common.as_json, result.to_dict(), lambda: tuning_text(result))
    if result.failure:
        raise result.failure
