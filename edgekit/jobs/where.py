"""Where the trials of a study run: what `tune` and `search` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import InterruptedRunError
from edgekit.workdir.extras import needs_extra

if TYPE_CHECKING:
    from edgekit.study import Ledger, Task

INTERRUPTED = "interrupted; finished trials are kept, the same command continues from there"


@dataclass(frozen=True)
class Where:
    """Where trials run. jobs: at a time on this machine, or of a cluster that is started here. cluster: address of a
    Ray cluster, or "local"; None for none."""

    jobs: int = 1
    cluster: str | None = None

    @property
    def alone(self) -> bool:
        """Whether one trial has the machine."""
        return self.jobs == 1 and not self.cluster

    @property
    def workers(self) -> int:
        """Trials at a time, as far as that is decided here."""
        return max(self.jobs, 2) if self.cluster else self.jobs

    @property
    def elsewhere(self) -> bool:
        """Whether trials run on machines that are not known here."""
        return self.cluster not in (None, "local")

    def reach(self, command: str) -> None:
        """Raises ConfigError where no cluster answers. command: that asks."""
        if not self.cluster:
            return
        with needs_extra(f"{command} --cluster"):
            from edgekit.study.cluster import check_address
        check_address(self.cluster)


def run_trials(ledger: Ledger[Any, Any], task: Task[Any, Any], where: Where) -> None:
    """Run what the ledger hands out. Raises InterruptedRunError, which says that trials are kept."""
    try:
        _run(ledger, task, where)
    except (KeyboardInterrupt, InterruptedRunError):
        raise InterruptedRunError(INTERRUPTED) from None


def _run(ledger: Ledger[Any, Any], task: Task[Any, Any], where: Where) -> None:
    from edgekit.study import run_here

    if not where.cluster:
        run_here(ledger, task, where.jobs)
        return
    from edgekit.study.cluster import run_on_cluster

    run_on_cluster(ledger, task, where.cluster, where.workers)
