"""Letters appear once and stay; each rule by a stream that breaks without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from edgekit.errors import ConfigError
from edgekit.live import Thresholds
from edgekit.live.motion import STEPPED
from edgekit.live.speller import Seen, Speller

NAMES = ("A", "B", "I", "J")
#: As little as needed, so that the numbers below are easy to follow.
RULES = Thresholds(
    smooth=1, enter=0.7, leave=0.3, rest=3, begins=6, tail=8, moving=3, travel=1.5, again=10, gone=3, step=0.4
)
STILL, MOVES = Seen(9, 0.1, 0.0), Seen(0, 3.0, 0.0)


def sure(name: str | None, probability: float = 0.9) -> np.ndarray:
    found = np.full(len(NAMES), 0.0, np.float32)
    if name is not None:
        found[NAMES.index(name)] = probability
    return found


def spelled(frames: Sequence[tuple[str | None, Seen]], rules: Thresholds = RULES, moves: bool = True) -> list[str]:
    return [name for name, _ in timed(frames, rules, moves)]


def timed(
    frames: Sequence[tuple[str | None, Seen]], rules: Thresholds = RULES, moves: bool = True
) -> list[tuple[str, int]]:
    speller = Speller(NAMES, rules, moves)
    found = []
    for k, (name, seen) in enumerate(frames):
        for change in speller.answer(sure(name), seen):
            found += [(NAMES[change.index], k)] if change.kind == "letter" else []
    return found


def rest(name: str | None, frames: int) -> Iterator[tuple[str | None, Seen]]:
    """A hand that comes to rest and stays so."""
    return ((name, Seen(k + 1, 0.1, 0.0)) for k in range(frames))


def test_a_held_letter_is_written_once_when_the_hand_rests() -> None:
    assert timed([("A", MOVES)] * 5 + [*rest("A", 60)]) == [("A", 7)]


def test_nothing_is_written_of_a_hand_that_moves_or_of_doubt() -> None:
    assert spelled([("A", MOVES)] * 60) == []
    speller = Speller(NAMES, RULES)
    assert not [change for _ in range(60) for change in speller.answer(sure("A", 0.69), STILL)]


def test_a_flicker_between_two_letters_at_rest_writes_the_first_one() -> None:
    frames = [*rest("A", 10), *[("B", STILL)] * 4, *[("A", STILL)] * 10]
    assert spelled(frames) == ["A"]


def test_another_letter_without_a_movement_counts_after_a_while() -> None:
    assert timed([*rest("A", 10), *[("B", Seen(20, 0.1, 0.0))] * 30]) == [("A", 2), ("B", 19)]


def test_the_same_letter_counts_again_after_a_step_aside() -> None:
    step = [("A", Seen(0, 1.0, 0.6))] * 4
    assert spelled([*rest("A", 20), *step, *rest("A", 20)]) == ["A", "A"]
    small = [("A", Seen(0, 1.0, 0.3))] * 4
    assert spelled([*rest("A", 20), *small, *rest("A", 20)]) == ["A"]


def test_the_way_to_a_letter_is_no_step_after_it() -> None:
    came = [("A", Seen(k + 1, 0.5, 0.9 if k < STEPPED else 0.0)) for k in range(30)]
    assert spelled(came) == ["A"]


def test_the_same_letter_counts_again_after_it_has_ended() -> None:
    assert spelled([*rest("A", 20), *[(None, MOVES)] * 4, *rest("A", 20)]) == ["A", "A"]
    assert spelled([*rest("A", 20), *[(None, MOVES)] * 2, *rest("A", 20)]) == ["A"]


def test_a_letter_that_moves_needs_its_movement() -> None:
    assert timed([("J", Seen(0, 2.0, 0.2))] * 10) == [("J", 2)]
    assert spelled([*rest("J", 60)]) == []


def test_what_a_moving_letter_begins_as_waits_longer() -> None:
    assert timed([*rest("I", 30)]) == [("I", 5)]
    assert spelled([*rest("I", 5), *[("J", Seen(0, 2.0, 0.2))] * 10]) == ["J"]


def test_the_last_posture_of_a_moving_letter_is_no_letter() -> None:
    moving = [("J", Seen(0, 2.0, 0.2))] * 6
    assert spelled([*moving, *rest("I", 7)]) == ["J"]
    assert spelled([*moving, *rest("I", 8)]) == ["J", "I"], "one that is held on is"


def test_a_lost_hand_ends_the_letter_and_forgets() -> None:
    speller = Speller(NAMES, RULES)
    for name, seen in rest("A", 5):
        speller.answer(sure(name), seen)
    assert [change.kind for change in speller.finish()] == ["letter ended"]
    assert (speller.finish(), speller.current) == ([], None)
    assert [change.kind for name, seen in rest("A", 5) for change in speller.answer(sure(name), seen)] == ["letter"]


def test_classes_that_are_no_letters_are_held_whether_they_move_or_not() -> None:
    assert timed([("A", MOVES)] * 30, moves=False) == [("A", 9)]
    assert timed([("A", MOVES)] * 30 + [("J", STILL)] * 30, moves=False) == [("A", 9), ("J", 39)]


@pytest.mark.parametrize("wrong", [{"enter": 1.1}, {"leave": 0.9, "enter": 0.5}, {"leave": -0.1}, {"enter_moving": 2}])
def test_probabilities_are_probabilities(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="thresholds"):
        Thresholds(**wrong)  # type: ignore[arg-type]


def test_a_least_probability_of_somebodys_is_kept() -> None:
    low, high = Thresholds.of(0.1), Thresholds.of(0.95)
    assert (low.enter, low.leave, low.enter_moving) == (0.1, 0.1, 0.1)
    assert (high.enter, high.leave, high.enter_moving) == (0.95, Thresholds.leave, Thresholds.enter_moving)
