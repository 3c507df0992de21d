"""Percentiles: known values, order, and when there are too few samples to show one."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.measure import least_count, percentile, summarise


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
    assert [least_count(percent) for percent in (50, 90, 95, 99)] == [10, 50, 100, 500]
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
