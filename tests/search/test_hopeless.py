"""When a student is given up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgekit.results.searching import SearchedModel, StudentTrial
from edgekit.search import StoppingConfig
from edgekit.search.stopping import hopeless

MakeTrial = Callable[..., StudentTrial]
CONFIG = StoppingConfig(margin=0.02, least_trials=1)
COSTS = (100, 1000)


@pytest.fixture
def learned(make_trial: MakeTrial, make_model: Callable[..., SearchedModel]) -> Callable[..., StudentTrial]:
    """(accuracy in the end, at the looks, parameters, macs): a finished student."""

    def make(end: float, *looks: float, parameters: int = 90, macs: int = 900) -> StudentTrial:
        return make_trial(looks, parameters=parameters, macs=macs, models=(make_model(end),))

    return make


def test_what_can_not_catch_up_with_a_cheaper_student_is_given_up(learned: Callable[..., StudentTrial]) -> None:
    """The cheaper one's error fell from 0.5 to 0.1, to a fifth: from 0.4 right, 0.88 is within reach."""
    cheaper = learned(0.9, 0.5, 0.8)
    assert not hopeless((0.4,), COSTS, [cheaper], None, CONFIG)  # 0.88 + 0.02 is no less than 0.9
    assert hopeless((0.39,), COSTS, [cheaper], None, CONFIG)
    assert not hopeless((0.39, 0.77), COSTS, [cheaper], None, CONFIG), "from the second look it fell to a half"
    assert hopeless((0.6, 0.75), COSTS, [cheaper], None, CONFIG)


@pytest.mark.parametrize(("parameters", "macs"), [(101, 1000), (100, 1001)])
def test_a_dearer_student_asks_for_nothing(learned: Callable[..., StudentTrial], parameters: int, macs: int) -> None:
    assert not hopeless((0.1,), COSTS, [learned(0.9, 0.5, parameters=parameters, macs=macs)], None, CONFIG)


def test_what_can_not_reach_the_floor_is_given_up(learned: Callable[..., StudentTrial]) -> None:
    dearer = learned(0.9, 0.5, parameters=200)
    assert hopeless((0.3,), COSTS, [dearer], 0.9, CONFIG)  # 0.86 is within reach
    assert not hopeless((0.3,), COSTS, [dearer], 0.85, CONFIG)
    assert not hopeless((0.3,), COSTS, [dearer], None, CONFIG)


def test_the_student_that_gained_most_tells_what_is_within_reach(learned: Callable[..., StudentTrial]) -> None:
    slow = learned(0.9, 0.0, parameters=200)  # to a tenth
    assert not hopeless((0.3,), COSTS, [learned(0.9, 0.5), slow], None, CONFIG)


def test_nobody_is_given_up_before_there_is_anything_to_compare_with(learned: Callable[..., StudentTrial]) -> None:
    perfect, good = learned(1.0, 1.0), learned(0.9, 0.5)
    assert not hopeless((0.0,), COSTS, [], 0.9, CONFIG)
    assert not hopeless((0.0,), COSTS, [good], 0.9, CONFIG.model_copy(update={"least_trials": 2}))
    assert not hopeless((0.0,), COSTS, [good], 0.9, None)
    assert not hopeless((0.0,), COSTS, [perfect], 0.9, CONFIG), "who made no error tells nothing of how it falls"
    assert not hopeless((0.0, 0.0), COSTS, [good], None, CONFIG), "it had no second look"
