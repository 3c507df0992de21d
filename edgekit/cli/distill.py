"""edgekit distill"""

from __future__ import annotations

from edgekit.cli import options as o
from edgekit.cli.common import Common, flags, shared, show_stage, workspace
from edgekit.cli.declaring import command


@command(
    *o.CHAIN,
    o.TEACHER,
    o.TEACHER_NAMES,
    o.STUDENT,
    o.TEMPERATURE,
    o.ALPHA,
    o.EPOCHS.saying("Maximum number of epochs of the student."),
    *o.HARDWARE,
    *o.TOLD,
)
@shared
def distill(
    common: Common,
    teacher: str | None,
    class_names: str | None,
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
    from edgekit.jobs import run_distill

    training = {"training": {"epochs": epochs}} if epochs else {}
    said = flags(distill={"temperature": temperature, "alpha": alpha, **training})
    with workspace(common, said, teacher, student, class_names) as opened:
        record = run_distill(opened)
    show_stage(common, opened, "distilled", record)
