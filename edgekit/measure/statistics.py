"""Percentiles and summaries of measured samples; medians of paired ones with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def least_count(percent: float, confidence: float = 0.99) -> int:
    """Samples below which a percentile is not shown: 11 for p50, 64 for p90, 130 for p95, 662 for p99.

    The smallest n for which the second largest of n samples is at least the percentile with this confidence:
    P(B <= 1) <= 1 - confidence, B binomial (n, 1 - percent / 100) the number of samples beyond it. The second largest,
    so that one outlier does not speak for the tail. For percentiles below 50 the same of the other tail.
    percent: between 0 and 100, exclusive.
    Source: MLPerf inference rules, early stopping, whose 64 (p90, single stream) and 662 (p99, multi-stream) queries
    these are; Wilks 1941 gave the formula.
    """
    if not 0 < percent < 100:
        raise ValueError(f"percent: {percent}; expected between 0 and 100")
    beyond = min(percent, 100 - percent) / 100
    count = 2
    while (1 - beyond) ** count + count * beyond * (1 - beyond) ** (count - 1) > 1 - confidence:
        count += 1
    return count


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


def interval_ranks(count: int, confidence: float, percent: float = 50) -> tuple[int, int]:
    """(l, u): the l-th and the u-th smallest of `count` values enclose their percentile, as close as can be.

    l is the largest for which P(B <= l - 1), and u the smallest for which P(B >= u), is at most (1 - confidence) / 2, B
    binomial (count, percent / 100). Whatever the distribution, the two enclose its percentile with at least this
    confidence. l is 0 and u is count + 1 where no value will do: for a median at 0.99 it takes 8 values. Exact, from
    the binomial distribution itself, whose terms further than 40 standard deviations from its mean are left out.
    Source: David and Nagaraja, Order Statistics, 3rd edition, section 7.1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: {confidence}; expected between 0 and 1")
    share = percent / 100
    reach = 40 * math.sqrt(count * share * (1 - share)) + 40
    first, last = max(0, math.floor(count * share - reach)), min(count, math.ceil(count * share + reach))
    k = np.arange(first, last)
    logs = np.concatenate([[0.0], np.cumsum(np.log((count - k) / (k + 1)) + math.log(share / (1 - share)))])
    terms = np.exp(logs - logs.max())
    below = np.cumsum(terms) / terms.sum()
    beyond = np.cumsum(terms[::-1])[::-1] / terms.sum()
    # a share that is met exactly counts as met, whatever its last binary digit
    most = (1 - confidence) / 2 * (1 + 1e-9)
    low = int(np.searchsorted(below, most, side="right"))
    high = int(np.count_nonzero(beyond > most))
    return (first + low if low else 0), first + high


def median_interval(values: ArrayLike, confidence: float = 0.99) -> MedianInterval:
    """Median of (n,) values, n >= 1, with its distribution-free interval: nothing is assumed about outliers or shape.

    The values must be independent draws; a drift that they share is none. Raises ValueError for no values, values
    that are not finite, or a confidence out of range.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if ordered.size == 0 or not np.isfinite(ordered).all():
        raise ValueError("a median needs at least one value, all of them finite")
    return MedianInterval(float(np.median(ordered)), *_between(ordered, *interval_ranks(ordered.size, confidence)))


def _between(ordered: NDArray[np.float64], low: int, high: int) -> tuple[float, float]:
    """The values at two ranks from 1; infinite beyond the ends."""
    first = float(ordered[low - 1]) if low >= 1 else -math.inf
    return first, float(ordered[high - 1]) if high <= ordered.size else math.inf


@dataclass(frozen=True)
class PercentileInterval:
    """A percentile of samples of one process, and an interval that holds the one of what they were drawn from.

    low, high: infinite where there are too few samples. inflation_ratio: by how much the percentile varies more from
    stretch to stretch of the run than independent samples would; the interval is wider by its square root.
    """

    value: float
    low: float
    high: float
    samples: int
    inflation_ratio: float

    def to_dict(self) -> dict[str, float | None]:
        """JSON-ready; None for an end that is infinite."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


def percentile_interval(samples: ArrayLike, percent: float, confidence: float = 0.99) -> PercentileInterval:
    """The percentile of (n,) samples in the order taken, n >= 1, with its distribution-free interval.

    Latencies come in spells: what slows one run slows its neighbours, and an interval for independent draws would be
    too narrow. So the ranks are those of n / `inflation` samples, spread over n; of no fewer than `closing_count`,
    if n is no less, so that spells never open an end: the interval then reaches from or to the outermost sample.
    Raises ValueError as `percentile` and `interval_ranks` do.
    Source: Heidelberger and Lewis 1984, quantile estimation in dependent sequences.
    """
    values = np.asarray(samples, dtype=np.float64).ravel()
    value = percentile(values, percent)
    ratio = inflation(values, percent)
    worth = min(values.size, max(math.floor(values.size / ratio), closing_count(percent, confidence)))
    low, high = interval_ranks(worth, confidence, percent)
    if worth < values.size:
        low = math.floor(low * values.size / worth)
        high = math.ceil(high * values.size / worth) if high <= worth else values.size + 1
    return PercentileInterval(value, *_between(np.sort(values), low, high), int(values.size), ratio)


def closing_count(percent: float, confidence: float) -> int:
    """Samples from which on an interval has two ends: 8 for a median at 0.99, 104 for p95."""
    share = max(percent, 100 - percent) / 100
    return math.ceil(round(math.log((1 - confidence) / 2) / math.log(share), 9))


def inflation(samples: ArrayLike, percent: float) -> float:
    """How much more the share of samples beyond the percentile varies from stretch to stretch than independent ones'.

    samples: (n,) in the order taken. The run is cut in 20 stretches, or fewer, so that each should have 5 samples
    beyond; the variance of their shares is divided by a binomial's. At least 1; 1 where that leaves less than 4.
    """
    values = np.asarray(samples, dtype=np.float64).ravel()
    beyond = values > percentile(values, percent)
    share = float(beyond.mean())
    stretches = min(20, int(values.size * min(share, 1 - share) / 5))
    if stretches < 4:
        return 1.0
    length = values.size // stretches
    shares = beyond[: stretches * length].reshape(stretches, length).mean(axis=1)
    return max(1.0, float(shares.var(ddof=1)) * length / (share * (1 - share)))


def ratio_interval(first_ns: ArrayLike, other_ns: ArrayLike, confidence: float = 0.99) -> MedianInterval:
    """The median of other / first over pairs of one round each, with its interval; 0 and infinity for too few pairs.

    first_ns, other_ns: (n,) positive numbers, the k-th of both from one round, so that what slows a round down
    slows both and cancels. Taken of logarithms: exchanging the two gives the reciprocals, ends exchanged.
    Raises ValueError for unequal lengths, and as `median_interval` does.
    """
    first, other = np.asarray(first_ns, dtype=np.float64), np.asarray(other_ns, dtype=np.float64)
    if first.shape != other.shape:
        raise ValueError(f"{first.size} and {other.size} samples; a pair needs one of each")
    found = median_interval(np.log(other) - np.log(first), confidence)
    return MedianInterval(math.exp(found.median), math.exp(found.low), math.exp(found.high))
