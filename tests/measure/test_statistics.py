"""Percentiles: known values, order, when there are too few samples to show one. Medians: how often intervals hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from edgekit.measure import interval_ranks, least_count, median_interval, percentile, ratio_interval, summarise

Draw = Callable[[np.random.Generator, int], np.ndarray]


@pytest.mark.parametrize(
    ("percent", "expected"), [(1, 1), (50, 50), (90, 90), (95, 95), (99, 99), (99.5, 100), (100, 100)]
)
def test_nearest_rank_of_one_to_hundred(percent: float, expected: int) -> None:
    shuffled = np.random.default_rng(0).permutation(np.arange(1, 101))
    assert percentile(shuffled, percent) == expected


def test_a_percentile_is_a_sample_and_never_below_its_share() -> None:
    rng = np.random.default_rng(1)
    for size in (1, 2, 7, 100, 333):
        samples = rng.exponential(size=size)
        for percent in (1, 50, 90, 95, 99, 100):
            value = percentile(samples, percent)
            assert value in samples
            assert np.mean(samples <= value) >= percent / 100 - 1e-12
            assert np.mean(samples < value) < percent / 100


def test_percentiles_are_ordered() -> None:
    summary = summarise(np.random.default_rng(2).lognormal(10, 1, 1000).astype(np.int64))
    assert summary.p50_s
    assert summary.p90_s
    assert summary.p95_s
    assert summary.p99_s
    assert summary.min_s <= summary.p50_s <= summary.p90_s <= summary.p95_s <= summary.p99_s <= summary.max_s


def test_order_and_scale_of_the_samples() -> None:
    """Shuffling changes nothing; ten times the samples is ten times the percentile."""
    samples = np.random.default_rng(3).integers(1, 10**6, 501)
    assert percentile(samples[::-1], 95) == percentile(samples, 95)
    assert percentile(samples * 10, 95) == 10 * percentile(samples, 95)


def test_a_percentile_without_enough_samples_is_not_shown() -> None:
    assert [least_count(percent) for percent in (50, 90, 95, 99)] == [11, 64, 130, 662]
    for percent in (50, 90, 95, 99):
        least = least_count(percent)
        assert summarise([1000] * least).to_dict()[f"p{percent}_s"] == 1e-6
        assert summarise([1000] * (least - 1)).to_dict()[f"p{percent}_s"] is None


@pytest.mark.parametrize(
    ("samples", "percent"), [([], 50), ([1.0, float("nan")], 50), ([1.0], 0), ([1.0], 101), ([1.0], -5)]
)
def test_nonsense_is_refused(samples: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="percent"):
        percentile(samples, percent)


def test_no_samples_are_no_summary() -> None:
    with pytest.raises(ValueError, match="no samples"):
        summarise([])


def coverage(count: int, rank: int) -> float:
    """How often the rank-th smallest and largest of `count` values enclose their median, exactly."""
    return 1 - float(Fraction(2 * sum(math.comb(count, k) for k in range(rank)), 2**count))


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_the_rank_is_the_largest_that_keeps_the_confidence(confidence: float) -> None:
    """Against exact fractions, at sizes where a normal approximation would differ, and at 1000 rounds."""
    for count in (1, 2, 7, 8, 20, 99, 100, 1000):
        rank = interval_ranks(count, confidence)[0]
        assert rank == 0 or coverage(count, rank) >= confidence
        assert coverage(count, rank + 1) < confidence


def test_known_ranks() -> None:
    """Textbook values for 95 %: the 2nd of 10, 6th of 20, 40th of 100. 99 % takes 8 values."""
    assert [interval_ranks(count, 0.95)[0] for count in (10, 20, 100)] == [2, 6, 40]
    assert [interval_ranks(count, 0.99)[0] for count in (0, 7, 8)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("draw", "median"),
    [
        (lambda rng, n: rng.lognormal(0.0, 1.0, n), 1.0),
        (lambda rng, n: rng.exponential(1.0, n), math.log(2)),
        (lambda rng, n: rng.standard_cauchy(n), 0.0),
        # what preemption does: one run in five takes a thousand times as long
        (lambda rng, n: rng.uniform(0, 1.25, n) * np.where(rng.random(n) < 0.2, 1000, 1), 0.5 / (0.64 + 0.00016)),
    ],
    ids=["lognormal", "exponential", "cauchy", "preempted"],
)
def test_intervals_hold_the_true_median_as_often_as_they_say(draw: Draw, median: float) -> None:
    """Of 2000 intervals from 41 values each: as their ranks give, and that is 90 % or more, whatever the distribution.

    4 standard deviations of the share: a right implementation fails once in 16,000 seeds.
    """
    rng = np.random.default_rng(0)
    found = [median_interval(draw(rng, 41), 0.9) for _ in range(2000)]
    share = np.mean([interval.low <= median <= interval.high for interval in found])
    exact = coverage(41, interval_ranks(41, 0.9)[0])
    assert exact >= 0.9
    assert abs(share - exact) < 4 * math.sqrt(exact * (1 - exact) / 2000)


def test_more_values_narrow_the_interval_and_more_confidence_widens_it() -> None:
    rng = np.random.default_rng(1)
    few, many = median_interval(rng.normal(size=50)), median_interval(rng.normal(size=5000))
    assert many.high - many.low < (few.high - few.low) / 5
    values = rng.normal(size=200)
    loose, strict = median_interval(values, 0.9), median_interval(values, 0.999)
    assert strict.low < loose.low <= loose.median <= loose.high < strict.high


def test_too_few_values_say_nothing() -> None:
    found = median_interval([1.0] * 7)
    assert (found.low, found.median, found.high) == (-math.inf, 1.0, math.inf)
    assert found.to_dict() == {"median": 1.0, "low": None, "high": None}
    assert median_interval([1.0] * 8).to_dict() == {"median": 1.0, "low": 1.0, "high": 1.0}


def test_exchanging_the_two_gives_reciprocals() -> None:
    rng = np.random.default_rng(2)
    for count in (4, 9, 100):
        first, second = rng.lognormal(10, 0.3, count), rng.lognormal(10.2, 0.3, count)
        forth, back = ratio_interval(first, second), ratio_interval(second, first)
        assert forth.median == pytest.approx(1 / back.median)
        if count > 7:
            assert (forth.low, forth.high) == pytest.approx((1 / back.high, 1 / back.low))


def test_what_slows_both_of_a_pair_cancels() -> None:
    """A drift by a factor of three, shared by the pairs, would drown a difference of 5 % between unpaired medians."""
    rng = np.random.default_rng(3)
    drift = np.linspace(1, 3, 400)
    first, second = 1000 * rng.lognormal(0, 0.05, 400), 1050 * rng.lognormal(0, 0.05, 400)
    still, drifting = ratio_interval(first, second), ratio_interval(first * drift, second * drift)
    for name in ("median", "low", "high"):
        assert getattr(drifting, name) == pytest.approx(getattr(still, name))
    assert still.low > 1


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_a_median_of_nonsense_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="median"):
        median_interval(values)


def test_pairs_and_confidence_are_checked() -> None:
    with pytest.raises(ValueError, match="pair"):
        ratio_interval([1, 2], [1])
    for confidence in (0.0, 1.0, 99):
        with pytest.raises(ValueError, match="confidence"):
            median_interval([1.0] * 9, confidence)
