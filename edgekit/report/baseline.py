"""What an earlier bench's figures are to this one, as lines for a bench's report."""

from __future__ import annotations

from edgekit.bench import BaselineChanges, Change
from edgekit.bench.changes import change_end_text, change_text
from edgekit.report.tables import percent


def baseline_lines(baseline: BaselineChanges | None) -> list[str]:
    """Which bench it was, every change with its interval, and what else differed."""
    if baseline is None:
        return []
    changes = ", ".join(_change_text(change) for change in baseline.changes)
    return [
        f"against {baseline.path} (model SHA-256 {baseline.model_sha256[:12]}), worse by at most"
        f" {percent(baseline.max_regression_ratio)}: {changes}",
        *(f"note: {note}" for note in baseline.notes),
    ]


def _change_text(change: Change) -> str:
    """`latency p95 3.1 % more (1.2 less to 7.9 more)`."""
    if change.measured is None:
        return f"{change.quantity} not measured"
    shown = f"{change.quantity.removesuffix(' lost')} {change_text(change.quantity, change.measured)}"
    if change.ends[0] == change.ends[1]:
        return shown
    low, high = ("?" if end is None else change_end_text(change.quantity, end) for end in change.ends)
    return f"{shown} ({low} to {high})"
