"""edgekit run"""

from __future__ import annotations

from edgekit.cli import options as o
from edgekit.cli.common import Common, shared, show_chain, workspace
from edgekit.cli.declaring import command


@command(o.PROFILE, *o.CHAIN, o.TEACHER, o.TEACHER_NAMES, o.STUDENT, *o.HARDWARE, *o.TOLD)
@shared
def run(common: Common, teacher: str | None, class_names: str | None, student: str | None, profile: str) -> int:
    """Do the whole job: train, distill, prune, quantize, score, bench.

    \b
    Example:
      edgekit run --data my-signs.npz --split session --preset standard
    """
    from edgekit.jobs import run_chain

    with workspace(common, None, teacher, student, class_names) as opened:
        result = run_chain(opened, profile)
    return show_chain(common, opened, result)
