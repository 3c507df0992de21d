"""The engine of a study: which points are done and which is next, and trials here, in workers or on a cluster.

What a point is, how it is tried and what comes of it is the business of whoever has the study: see `Task`. Loads
without Optuna and Ray; `edgekit.study.board` needs the first, `edgekit.study.cluster` both.
"""

from __future__ import annotations

from edgekit.study.local import Ledger, run_here
from edgekit.study.task import Point, Report, Result, Task

__all__ = ["Ledger", "Point", "Report", "Result", "Task", "run_here"]
