"""Frames at a model's pace, of frames at any other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.errors import ConfigError, DataError
from edgekit.live.clock import MOST_HELD, Clock


def frame(value: float) -> np.ndarray:
    return np.full(63, value, np.float32)


def counts(clock: Clock, times: list[float | None]) -> list[int]:
    return [len(clock.ticks(frame(k), time_s)) for k, time_s in enumerate(times)]


def test_thirty_a_second_are_read_as_they_are() -> None:
    assert counts(Clock(), [None] * 5) == [1] * 5
    assert counts(Clock(), [10 + k / 30 for k in range(300)]) == [1] * 300


def test_a_jittering_camera_loses_and_gains_nothing() -> None:
    rng = np.random.default_rng(0)
    times = [k / 30 + float(rng.uniform(-0.012, 0.012)) for k in range(300)]
    assert abs(sum(counts(Clock(), [max([*times[:k], t]) for k, t in enumerate(times)])) - 300) <= 1


def test_of_sixty_every_second_one_is_read() -> None:
    assert sum(counts(Clock(), [k / 60 for k in range(120)])) in (60, 61)
    assert sum(counts(Clock(60), [None] * 120)) in (60, 61)


def test_missing_frames_lie_on_a_straight_line() -> None:
    clock = Clock()
    clock.ticks(frame(0), 0.0)
    read = clock.ticks(frame(3), 0.1)
    assert [float(one[0]) for one in read if one is not None] == pytest.approx([1, 2, 3])


def test_one_a_second_is_held_and_never_between() -> None:
    clock = Clock()
    clock.ticks(frame(0), 0.0)
    read = clock.ticks(frame(1), 1.0)
    assert len(read) == MOST_HELD
    assert all(one is not None and one[0] == 1 for one in read)
    assert clock.ticks(None, 2.0) == [None] * MOST_HELD


def test_after_a_lost_hand_nothing_is_between() -> None:
    clock = Clock()
    clock.ticks(None, 0.0)
    assert [one is not None and float(one[0]) for one in clock.ticks(frame(2), 0.1)] == [2, 2, 2]


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
def test_a_rate_is_more_than_nothing(rate: float) -> None:
    with pytest.raises(ConfigError, match="rate"):
        Clock(rate)


@pytest.mark.parametrize("times", [[1.0, 0.5], [0.0, math.nan], [None, 1.0], [1.0, None]])
def test_times_go_on_or_it_is_said(times: list[float | None]) -> None:
    with pytest.raises(DataError, match="frame 1: "):
        counts(Clock(), times)
