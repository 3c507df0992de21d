"""What is worth having, and which of it is taken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgekit.results.searching import FrontRow, SearchedModel
from edgekit.search.front import choose, dominates, pareto_front, standard_error

MakeModel = Callable[..., SearchedModel]
MakeRow = Callable[..., FrontRow]


def even(*models: SearchedModel) -> dict[str, float]:
    """The same latency for all."""
    return {model.name: 1e-4 for model in models}


def test_as_good_in_all_and_better_in_one(make_model: MakeModel) -> None:
    a, smaller = make_model(0.9, 10_000, hidden=1), make_model(0.9, 9_000, hidden=2)
    times_s = even(a, smaller)
    assert dominates(smaller, a, times_s)
    assert not dominates(a, smaller, times_s)
    assert not dominates(a, a, times_s)


def test_times_that_can_not_be_told_apart_are_the_same(make_model: MakeModel) -> None:
    a, b = make_model(0.9, hidden=1), make_model(0.9, hidden=2)
    close, far = {a.name: 1.0, b.name: 1.04}, {a.name: 1.0, b.name: 1.06}
    assert not dominates(a, b, close)
    assert not dominates(b, a, close)
    assert dominates(a, b, far)
    assert dominates(make_model(0.91, hidden=2), a, close), "4 % slower is not slower"


def test_the_front_is_what_nobody_dominates_from_small_to_large(make_model: MakeModel) -> None:
    small, middle, large = (make_model(a, s, hidden=h) for a, s, h in ((0.7, 5, 1), (0.8, 6, 2), (0.9, 7, 3)))
    worse, fast = make_model(0.79, 6, hidden=4), make_model(0.6, 9, hidden=5)
    times_s = {**even(small, middle, large, worse), fast.name: 1e-5}
    assert pareto_front([large, worse, fast, small, middle], times_s) == (small, middle, large, fast)


def test_of_those_alike_in_all_three_there_is_one(make_model: MakeModel) -> None:
    twins = [make_model(0.9, hidden=h) for h in (1, 2, 3)]
    assert len(pareto_front(twins, even(*twins))) == 1


@pytest.mark.parametrize(("accuracy", "takes_it"), [(0.93, False), (0.94, True)])
def test_the_smallest_within_a_standard_error_of_the_best_is_taken(
    make_row: MakeRow, accuracy: float, takes_it: bool
) -> None:
    small, best = make_row(1, accuracy, 5_000), make_row(2, 0.96, 9_000)
    assert standard_error(best.model) == pytest.approx(0.0229, abs=1e-4)  # sqrt(98/104 * 6/104 / 104)
    assert choose([small, best]) == ((small if takes_it else best), best)


def test_what_does_not_certainly_fit_is_not_taken(make_row: MakeRow) -> None:
    rows = [make_row(1, 0.9, 5_000, "undecided"), make_row(2, 0.99, 9_000, "fail"), make_row(3, 0.8, 9_500)]
    assert choose(rows) == (rows[2], rows[2])
    assert choose(rows[:2]) is None
    assert choose([]) is None
