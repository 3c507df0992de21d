"""Whether a model was made from the takes that it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Of a take.
LEARNED, CHOSE = 1, 2


@dataclass(frozen=True)
class Seen:
    """How many of the judged takes a model has learned from, and how many validated its training, or chose its weights.

    Both are None where that is not known, and `reason` says why.
    """

    trained: int | None
    chose: int | None
    reason: str = ""

    def note(self, takes: int) -> str | None:
        """What that means for an accuracy on so many takes, in a sentence; None where the model has seen none."""
        if self.trained is None or self.chose is None:
            return f"whether the model has learned from any of these takes is not known: {self.reason}"
        if not self.trained + self.chose:
            return None
        return (
            f"the model has learned from {self.trained:,} of these {takes:,} takes, and {self.chose:,} validated"
            " its training: this does not measure how it does on takes that it has not seen"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"trained": self.trained, "chose": self.chose, "reason": self.reason}


@dataclass(frozen=True, eq=False)
class Roles:
    """What each take was to a model: int (takes,), LEARNED, CHOSE or 0. None where that is not known, for `reason`."""

    each: NDArray[np.int64] | None
    reason: str = ""

    def among(self, kept: NDArray[np.bool_]) -> Seen:
        """How many of the judged takes the model has seen. kept: bool (takes,), which are judged."""
        if self.each is None:
            return Seen(None, None, self.reason)
        trained, chose = (int((self.each[kept] == role).sum()) for role in (LEARNED, CHOSE))
        return Seen(trained, chose)
