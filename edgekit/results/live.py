"""What `edgekit live` has read, and how long it took."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: A video that gives less of the frames that it announces than this was cut off.
WHOLE = 0.9


@dataclass(frozen=True)
class Cost:
    """Milliseconds a frame: of tracker or classifier, over the frames that it worked on."""

    median_ms: float
    p95_ms: float
    mean_ms: float

    @staticmethod
    def of(seconds: Sequence[float]) -> Cost | None:
        """None of no frames."""
        if not seconds:
            return None
        ms = [1000 * one for one in seconds]
        return Cost(statistics.median(ms), float(np.percentile(ms, 95)), statistics.fmean(ms))


@dataclass(frozen=True)
class LiveResult:
    """A stream to its end. frames: that came; with_hand: in which a hand was; letters: written. stream_s: from the
    first frame's time to the last one's. elapsed_s: that reading took here, waiting included. tracker: None of a stream
    of landmarks. steps: whether the model went by steps. interrupted: whether it
    came to no end of its own. announced: how many frames a video says that it has, None of other sources."""

    source: str
    frames: int
    with_hand: int
    letters: int
    text: str
    stream_s: float
    elapsed_s: float
    tracker: Cost | None
    classifier: Cost | None
    steps: bool
    interrupted: bool
    announced: int | None = None

    @property
    def frames_per_second(self) -> float | None:
        """That were read here, waiting included; None of fewer than two frames."""
        return self.frames / self.elapsed_s if self.frames > 1 and self.elapsed_s > 0 else None

    @property
    def possible_per_second(self) -> float | None:
        """How many tracker and classifier could read, by their means; None before the first one."""
        both = sum(cost.mean_ms for cost in (self.tracker, self.classifier) if cost is not None)
        return 1000 / both if both > 0 else None

    @property
    def source_rate(self) -> float | None:
        """Frames a second by the source's own times; None of fewer than two."""
        return (self.frames - 1) / self.stream_s if self.frames > 1 and self.stream_s > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        costs = {name: None if cost is None else vars(cost).copy() for name, cost in self._costs().items()}
        rates = {"frames_per_second": self.frames_per_second, "possible_per_second": self.possible_per_second}
        return {"event": "end", **vars(self), **costs, **rates, "source_rate": self.source_rate}

    def _costs(self) -> dict[str, Cost | None]:
        return {"tracker": self.tracker, "classifier": self.classifier}
