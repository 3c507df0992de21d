"""edgekit prune"""

from __future__ import annotations

from edgekit.cli import options as o
from edgekit.cli.common import Common, flags, shared, show_stage, workspace
from edgekit.cli.declaring import command


@command(
    o.SPARSITY,
    o.METHOD,
    o.SCOPE,
    o.RAMP,
    *o.CHAIN,
    o.TEACHER,
    o.TEACHER_NAMES,
    o.EPOCHS.saying("Maximum number of epochs of retraining under the teacher."),
    *o.HARDWARE,
    *o.TOLD,
)
@shared
def prune(
    common: Common,
    sparsity: float | None,
    method: str | None,
    scope: str | None,
    ramp: float | None,
    epochs: int | None,
    teacher: str | None,
    class_names: str | None,
) -> None:
    """Remove half of the student's parameters.

    Removes whole units, smallest magnitude first, then retrains the rest under the teacher. With --method
    unstructured, single weights become zero instead: size and speed stay as they are, only the compressed file
    gets smaller.

    \b
    Example:
      edgekit prune --sparsity 0.5
    """
    from edgekit.jobs import run_prune

    recovery = {"recovery": {"training": {"epochs": epochs}}} if epochs else {}
    said = flags(prune={"sparsity": sparsity, "method": method, "scope": scope, "ramp": ramp, **recovery})
    with workspace(common, said, teacher, class_names=class_names) as opened:
        record = run_prune(opened)
    show_stage(common, opened, "pruned", record)
