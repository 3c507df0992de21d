"""Percentiles and summaries of measured samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Samples that must be expected beyond a percentile before it is shown: p95 needs 100, p99 500.
TAIL_SAMPLES = 5

#: The percentiles of every summary.
PERCENTILES = (50, 90, 95, 99)


def percentile(samples: ArrayLike, percent: float) -> float:
    """The smallest sample that is at least as large as `percent` % of all samples (nearest rank).

    samples: (n,) numbers, n >= 1, any order. percent: above 0, at most 100. Always a value that was really
    measured, never an interpolation between two; monotonic in `percent`.
    Raises ValueError for no samples, values that are not finite, or a percent out of range.
    Source: nearest-rank definition, rank = ceil(percent / 100 * n).
    """
    values = np.asarray(samples, dtype=np.float64).ravel()
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError("a percentile needs at least one sample, all of them finite")
    if not 0 < percent <= 100:
        raise ValueError(f"percent: {percent}; expected above 0 and at most 100")
    # the product is rounded before ceil: 0.95 * 100 must give rank 95, whatever its last binary digit
    rank = math.ceil(round(percent / 100 * values.size, 9))
    return float(np.partition(values, rank - 1)[rank - 1])


def least_count(percent: float) -> int:
    """Samples below which a percentile says little: `TAIL_SAMPLES` must be expected beyond it, on both sides.

    10 for p50, 50 for p90, 100 for p95, 500 for p99. percent: between 0 and 100, exclusive.
    """
    if not 0 < percent < 100:
        raise ValueError(f"percent: {percent}; expected between 0 and 100")
    tail = min(percent, 100 - percent) / 100
    return math.ceil(round(TAIL_SAMPLES / tail, 9))


@dataclass(frozen=True)
class LatencySummary:
    """Latency of one prediction, in seconds.

    A percentile is None when there are fewer than `least_count` samples.
    """

    samples: int
    mean_s: float
    std_s: float
    min_s: float
    max_s: float
    p50_s: float | None
    p90_s: float | None
    p95_s: float | None
    p99_s: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def enough(samples: int, percent: float) -> bool:
    """Whether `samples` suffice to show this percentile."""
    return samples >= least_count(percent)


def summarise(samples_ns: Sequence[int] | NDArray[np.int64]) -> LatencySummary:
    """Summary of latencies given in nanoseconds, (n,), n >= 1. Raises ValueError for none."""
    seconds = np.asarray(samples_ns, dtype=np.float64) / 1e9
    if seconds.size == 0:
        raise ValueError("no samples to summarise")
    shown = {
        f"p{percent}_s": percentile(seconds, percent) if enough(seconds.size, percent) else None
        for percent in PERCENTILES
    }
    return LatencySummary(
        samples=int(seconds.size),
        mean_s=float(seconds.mean()),
        std_s=float(seconds.std()),
        min_s=float(seconds.min()),
        max_s=float(seconds.max()),
        **shown,
    )
