"""When a student is given up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgekit.results.searching import SearchedModel, StudentTrial
from edgekit.search import StoppingConfig
from edgekit.search.stopping import hopeless

MakeTrial = Callable[..., StudentTrial]
CONFIG = StoppingConfig(margin=0.05, least_trials=1)
COSTS = (100, 1000)


def test_a_cheaper_student_that_was_better_by_the_margin_beats_it(make_trial: MakeTrial) -> None:
    cheaper = make_trial((0.5, 0.7), parameters=90, macs=900)
    assert hopeless((0.44,), COSTS, [cheaper], None, CONFIG)
    assert not hopeless((0.46,), COSTS, [cheaper], None, CONFIG)
    assert hopeless((0.46, 0.64), COSTS, [cheaper], None, CONFIG), "each look counts by itself"


@pytest.mark.parametrize(("parameters", "macs"), [(101, 1000), (100, 1001)])
def test_a_dearer_student_beats_nobody(make_trial: MakeTrial, parameters: int, macs: int) -> None:
    assert not hopeless((0.1,), COSTS, [make_trial((0.9,), parameters=parameters, macs=macs)], None, CONFIG)


def test_what_could_not_reach_the_floor_with_the_best_gain_is_given_up(
    make_trial: MakeTrial, make_model: Callable[..., SearchedModel]
) -> None:
    dearer = make_trial((0.5, 0.7), parameters=200, models=(make_model(0.8),))
    assert hopeless((0.54,), COSTS, [dearer], 0.9, CONFIG)  # 0.54 + 0.3 + 0.05 < 0.9
    assert not hopeless((0.56,), COSTS, [dearer], 0.9, CONFIG)
    assert not hopeless((0.54,), COSTS, [dearer], None, CONFIG)


def test_nobody_is_given_up_before_there_is_anything_to_compare_with(make_trial: MakeTrial) -> None:
    best = make_trial((0.9,), parameters=1, macs=1)
    assert not hopeless((0.0,), COSTS, [], 0.9, CONFIG)
    assert not hopeless((0.0,), COSTS, [best], 0.9, CONFIG.model_copy(update={"least_trials": 2}))
    assert not hopeless((0.0,), COSTS, [best], 0.9, None)
    assert not hopeless((0.0, 0.0), COSTS, [best], None, CONFIG), "it had no second look"
