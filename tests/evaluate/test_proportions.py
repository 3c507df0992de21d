"""Intervals of an accuracy and of a share kept: enumerated, at their ends, and against the literature."""

from __future__ import annotations

import itertools
import math

import pytest

from edgekit.evaluate import Retention, accuracy_interval


def binomial(takes: int, right: int, ratio: float) -> float:
    return math.comb(takes, right) * ratio**right * (1 - ratio) ** (takes - right)


def test_an_accuracys_interval_is_wilsons() -> None:
    """15 of 148, 1 of 29 and 0 of 20: Newcombe, Statistics in Medicine 17 (1998), 857-872, table I."""
    for right, takes, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        assert accuracy_interval(right, takes) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("takes", [1, 5, 10, 1350])
def test_an_accuracys_interval_holds_it_and_stays_a_ratio(takes: int) -> None:
    for right in {0, 1, takes // 2, takes}:
        low, high = accuracy_interval(right, takes)
        assert 0 <= low <= right / takes <= high <= 1
        assert (low == 0) == (right == 0)
        assert (high == 1) == (right == takes)
        assert accuracy_interval(takes - right, takes) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("takes", [10, 50, 275])
def test_an_accuracys_interval_holds_the_truth_as_often_as_it_says(takes: int) -> None:
    """On average over truths, enumerated; single truths near 0 and 1 may be at 84 % (Brown, Cai and DasGupta)."""
    truths = [k / 200 for k in range(1, 200)]
    ends = [accuracy_interval(right, takes) for right in range(takes + 1)]
    held = [
        sum(binomial(takes, right, truth) for right, (low, high) in enumerate(ends) if low <= truth <= high)
        for truth in truths
    ]
    assert sum(held) / len(held) == pytest.approx(0.95, abs=0.01)
    assert min(held) > 0.83


def test_a_shares_interval_is_tangs() -> None:
    """Airway hyper-responsiveness before and after transplantation, 1, 1, 7 and 12 of 21 (Bentur et al. 2009).

    Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014), 2850-2875, give 0.065 to 0.907.
    """
    found = Retention(21, both=1, lost=7, gained=1)
    assert found.ratio == 0.25
    assert found.interval() == pytest.approx((0.065, 0.907), abs=5e-4)


@pytest.mark.parametrize(
    "found",
    [Retention(10, 6, 2, 0), Retention(1350, 1280, 20, 10), Retention(5, 5, 0, 0), Retention(1, 1, 0, 0),
     Retention(9, 0, 4, 3), Retention(7, 0, 5, 0), Retention(100_000, 1, 0, 99_998)],
)  # fmt: skip
def test_a_share_lies_within_its_interval_whose_ends_are_where_the_score_is_the_quantile(found: Retention) -> None:
    ends = found.interval()
    assert ends is not None
    assert found.ratio is not None
    low, high = ends
    assert 0 <= low <= found.ratio <= high < math.inf
    for end in (low, high):
        if end > 0:
            assert abs(found.score(end)) == pytest.approx(1.959964, rel=1e-3)


def test_exchanging_model_and_teacher_turns_the_interval_over() -> None:
    ends, turned = Retention(60, 40, 9, 4).interval(), Retention(60, 40, 4, 9).interval()
    assert ends is not None
    assert turned is not None
    assert turned == pytest.approx((1 / ends[1], 1 / ends[0]), rel=1e-6)


def test_without_a_right_answer_of_the_teachers_there_is_no_share() -> None:
    for gained in (0, 3):
        found = Retention(10, 0, 0, gained)
        assert (found.ratio, found.interval()) == (None, None)


@pytest.mark.parametrize(("teacher", "ratio"), [(0.8, 0.75), (0.8, 1.0), (0.96, 0.95), (0.5, 1.2)])
def test_a_shares_interval_holds_the_truth_as_often_as_it_says(teacher: float, ratio: float) -> None:
    """All tables of 30 takes are enumerated, of models that are right together as often as both can be but for 4 %."""
    takes, model = 30, teacher * ratio
    both = min(teacher, model) - 0.04
    lost, gained = teacher - both, model - both
    held = 0.0
    for b, c, d in itertools.product(range(takes + 1), repeat=3):
        if b + c + d > takes or not b + c:
            continue
        rest = takes - b - c - d
        ways = math.comb(takes, b) * math.comb(takes - b, c) * math.comb(takes - b - c, d)
        chance = ways * both**b * lost**c * gained**d * max(1 - both - lost - gained, 0) ** rest
        if chance > 1e-9 and abs(Retention(takes, b, c, d).score(ratio)) <= 1.959964:
            held += chance
    assert 0.93 < held < 0.99
