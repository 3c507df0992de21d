"""edgekit search"""

from __future__ import annotations

import re

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, flags, shared, show_plan, workspace
from edgekit.cli.declaring import command

#: Seconds of each unit of a time.
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@command(
    o.PROFILE,
    o.MIN_ACCURACY,
    o.BUDGET,
    o.POINTS,
    o.JOBS,
    o.CLUSTER,
    *(option for option in o.CHAIN if option is not o.PRETRAIN),
    o.TEACHER,
    o.TEACHER_NAMES,
    o.STUDENT.saying("Variant whose other settings all students have [edge]."),
    o.EPOCHS.saying("Epochs of distillation of every student [30]."),
    o.JSON,
    o.QUIET,
)
@shared
def search(
    common: Common,
    profile: str,
    min_accuracy: float | None,
    budget: str | None,
    points: int | None,
    jobs: int,
    cluster: str | None,
    teacher: str | None,
    class_names: str | None,
    student: str | None,
    epochs: int | None,
) -> None:
    """Look for the student that fits a device: its size, directions, sparsity and quantisation.

    Teaches students of many sizes under the work directory's teacher, prunes and quantises each, and shows the files
    that no other beats in accuracy, size and latency, with the profile's verdict, and which one it would take. What
    can't fit is not trained. An interrupted search continues with the same command.

    Exit code 5: nothing fits the profile, or reaches the accuracy.

    \b
    Example:
      edgekit search --profile raspberry-pi --min-accuracy 0.9 --budget 30m
    """
    from edgekit.jobs import run_search
    from edgekit.report import search_text

    budget_s = None if budget is None else parse_budget(budget)
    said = flags(search={"min_accuracy": min_accuracy, "points": points, "epochs": epochs})
    with workspace(common, said, teacher, student, class_names) as opened:
        result = run_search(opened, profile, jobs, cluster, budget_s)
    if result is None:
        show_plan(common, opened)
        return
    emit(common.as_json, result.to_dict(), lambda: search_text(result))
    if result.failure:
        raise result.failure


def parse_budget(text: str) -> float:
    """`90s`, `30m` or `2h` in seconds."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)([smh])", text, re.ASCII)
    if found is None or float(found[1]) <= 0:
        raise click.UsageError(f"--budget {text}: expected a time above 0, such as 90s, 30m or 2h")
    return float(found[1]) * UNITS[found[2]]
