"""Percentiles and summaries of measured samples; medians of paired ones with intervals."""

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


@dataclass(frozen=True)
class MedianInterval:
    """The median of some values, and an interval that holds the median of what they were drawn from.

    low, high: among the values, or minus and plus infinity where there are too few of them to say anything.
    """

    median: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """JSON-ready; None for an end that is infinite."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


def interval_rank(count: int, confidence: float) -> int:
    """The largest l for which the l-th smallest and the l-th largest of `count` values enclose their median.

    They do so with probability 1 - 2 P(B <= l - 1) for a continuous distribution, B binomial (count, 1/2), and at
    least that for any other. confidence: what this must reach, between 0 and 1. Returns 0 when no l does: for 0.99
    it takes 8 values. Exact, from the binomial distribution itself.
    Source: David and Nagaraja, Order Statistics, 3rd edition, section 7.1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: {confidence}; expected between 0 and 1")
    below = 0.0
    for k in range(count):
        ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        below += math.exp(ways - count * math.log(2))
        if below > (1 - confidence) / 2:
            return k
    return 0


def median_interval(values: ArrayLike, confidence: float = 0.99) -> MedianInterval:
    """Median of (n,) values, n >= 1, with its distribution-free interval: nothing is assumed about outliers or shape.

    The values must be independent draws; a drift that they share is none. Raises ValueError for no values, values
    that are not finite, or a confidence out of range.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if ordered.size == 0 or not np.isfinite(ordered).all():
        raise ValueError("a median needs at least one value, all of them finite")
    rank = interval_rank(ordered.size, confidence)
    low, high = (ordered[rank - 1], ordered[-rank]) if rank else (-math.inf, math.inf)
    return MedianInterval(float(np.median(ordered)), float(low), float(high))


def ratio_interval(baseline_ns: ArrayLike, other_ns: ArrayLike, confidence: float = 0.99) -> MedianInterval:
    """The median of other / baseline over pairs of one round each, with its interval; 0 and infinity for too few pairs.

    baseline_ns, other_ns: (n,) positive numbers, the k-th of both from one round, so that what slows a round down
    slows both and cancels. Taken of logarithms: exchanging the two gives the reciprocals, ends exchanged.
    Raises ValueError for unequal lengths, and as `median_interval` does.
    """
    baseline, other = np.asarray(baseline_ns, dtype=np.float64), np.asarray(other_ns, dtype=np.float64)
    if baseline.shape != other.shape:
        raise ValueError(f"{baseline.size} and {other.size} samples; a pair needs one of each")
    found = median_interval(np.log(other) - np.log(baseline), confidence)
    return MedianInterval(math.exp(found.median), math.exp(found.low), math.exp(found.high))
