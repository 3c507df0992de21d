"""How a hand moves: in hand sizes, whatever its size in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.live.motion import STEPPED, STILL, Motion


def hand(x: float = 0.5, size: float = 0.2) -> np.ndarray:
    """21 landmarks straight above a wrist at (x, 0.8), the middle finger's base `size` above it."""
    points = np.zeros((21, 3), np.float32)
    points[:, 0], points[:, 1] = x, 0.8 - size * np.arange(21) / 9
    return points.ravel()


@pytest.mark.parametrize("size", [0.1, 0.3])
def test_speed_and_step_are_in_hand_sizes(size: float) -> None:
    motion = Motion()
    motion.push(hand(0.5, size))
    motion.push(hand(0.5 + 0.3 * size, size))  # of a picture that is 4:3
    assert motion.speed == pytest.approx(0.4, rel=1e-3)
    assert motion.step == pytest.approx(0.4, rel=1e-3)
    assert motion.travel == pytest.approx(0.4, rel=1e-3)


def test_rest_is_counted_in_frames_since_the_hand_moved() -> None:
    motion = Motion()
    found = []
    for x in (0.5, 0.5, 0.5, 0.6, 0.6, 0.6):
        motion.push(hand(x))
        found.append(motion.resting)
    assert found == [1, 2, 3, 0, 1, 2]


def test_a_slow_drift_is_rest_and_no_step() -> None:
    motion = Motion()
    for k in range(60):
        motion.push(hand(0.3 + 0.0008 * k))
    assert motion.resting == 60
    assert motion.step < 0.4
    assert motion.speed < STILL


def test_a_bounce_is_a_step_for_a_while() -> None:
    motion = Motion()
    steps = []
    for x in [0.5] * 5 + [0.6] + [0.5] * 15:
        motion.push(hand(x))
        steps.append(motion.step > 0.4)
    assert steps[5:7] == [True, True]
    assert not any(steps[7 + STEPPED :])


def test_of_other_numbers_nothing_is_known() -> None:
    motion = Motion()
    for k in range(3):
        motion.push(np.full(126, k, np.float32))
    assert (motion.resting, motion.step, motion.travel) == (3, 0, 0)
