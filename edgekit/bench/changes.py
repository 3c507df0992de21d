"""What became of an earlier bench's figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from edgekit.bench.settings import Verdict


@dataclass(frozen=True)
class Change:
    """A figure against the baseline's: worse by `measured`, a ratio of the baseline's, negative when it is better.

    low, high: an interval that holds the change; the same as measured where nothing is left to chance. measured is None
    for a figure that only the baseline has. note: why an end is infinite.
    """

    quantity: str
    measured: float | None
    low: float = -math.inf
    high: float = math.inf
    note: str = ""

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """(low, high); None for an end that is infinite."""
        low, high = (end if math.isfinite(end) else None for end in (self.low, self.high))
        return low, high

    def judge(self, limit: float) -> Verdict:
        """pass when the whole interval is at most `limit`, fail when it is beyond, else undecided."""
        return "pass" if self.high <= limit else "fail" if self.low > limit else "undecided"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; None for an end that is infinite."""
        low, high = self.ends
        return {**vars(self), "low": low, "high": high}


@dataclass(frozen=True)
class BaselineChanges:
    """A bench held against an earlier one: the baseline.

    path, model_sha256: of the baseline and of the file that it measured. max_regression_ratio: by how much a figure may
    be worse. changes: one a figure of the baseline. notes: what else differs between the two, a sentence each.
    """

    path: str
    model_sha256: str
    max_regression_ratio: float
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "changes": [change.to_dict() for change in self.changes], "notes": list(self.notes)}


def change_text(quantity: str, ratio: float) -> str:
    """A change in words instead of with a sign: `3.1 % more`, `1.2 % less`, of accuracy `0.5 % lost`. ratio: positive
    where it is for the worse."""
    return f"{abs(100 * ratio):.1f} % {_side(quantity, ratio)}"


def change_end_text(quantity: str, ratio: float) -> str:
    """The end of an interval of such a change: `3.1 more`."""
    return f"{abs(100 * ratio):.1f} {_side(quantity, ratio)}"


def _side(quantity: str, ratio: float) -> str:
    worse, better = ("lost", "gained") if "accuracy" in quantity else ("more", "less")
    return better if round(100 * ratio, 1) < 0 else worse
