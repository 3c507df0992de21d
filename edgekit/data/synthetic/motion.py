"""How a sign moves over a take: the paths of J and Z, drift of a held hand, the movement into a sign and out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.data.hand import F32, I64

#: Corners of Z as the camera sees a right hand draw it, in hand sizes (x right, y down), and when they are
#: reached. The wrist draws a smaller Z than the fingertip: the hand turns along.
Z_CORNERS = np.array([[0.0, 0.0], [-0.55, 0.0], [0.05, 0.75], [-0.5, 0.85]], dtype=np.float32)
Z_TIMES = np.array([0.0, 0.3, 0.68, 1.0], dtype=np.float32)
#: Radians that the hand rolls and tips by per hand size of the wrist's path.
Z_ROLL, Z_TIP = 0.6, 0.3

#: J: the wrist dips by so many hand sizes while the forearm turns the palm from the camera to the signer.
J_DIP = 0.35
J_TURN = np.deg2rad(110.0)
#: It rolls aside and tips forward on the way.
J_ROLL = np.deg2rad(-10.0)
J_TIP = np.deg2rad(22.0)
#: Who turns the forearm less swings the hand aside instead: by so many radians for the whole turn left out, and what
#: part is left out at least and at most (who turns further swings a little the other way).
J_SWING = np.deg2rad(-70.0)
J_LEFT_OUT = (-0.1, 0.7)

#: First frame of a movement at latest, and how many frames it takes at a usual pace.
LATEST_BEGIN_FRAME = 8
MOVEMENT_FRAMES = (9, 22)

#: The hand comes from below and goes there, so many hand sizes at most, and from either side.
RISE, SWAY = 0.35, 0.15

#: Chance that a take shows the movement into its sign, or out of it, and how many frames it takes at most.
ENTER_PROBABILITY = 0.25
LEAVE_PROBABILITY = 0.2
BLEND_FRAMES = (2, 7)


@dataclass(frozen=True, eq=False)
class Course:
    """The course of each take's movement.

    done: part of the movement made so far, 0 to 1, float32 (takes, frames). extent: its size, 1 is usual, (takes, 3):
    across, down, turning.
    """

    done: F32
    extent: F32


def draw_course(lengths: I64, frames: int, pace: float, rng: np.random.Generator) -> Course:
    """When each take moves: it begins within the first frames and ends before the take does."""
    takes = len(lengths)
    begin = rng.uniform(0.0, np.minimum(LATEST_BEGIN_FRAME, 0.35 * lengths))
    duration = rng.uniform(*MOVEMENT_FRAMES, takes) / pace
    duration = np.minimum(duration, np.maximum(lengths - 1 - begin, 1.0) * rng.uniform(0.75, 1.0, takes))
    done = np.clip((np.arange(frames) - begin[:, None]) / duration[:, None], 0.0, 1.0)
    extent = np.exp(rng.normal(0.0, 0.2, (takes, 1)) + rng.normal(0.0, 0.2, (takes, 3)))
    return Course(done.astype(np.float32), extent.astype(np.float32))


def draw_z(course: Course) -> tuple[F32, F32]:
    """Wrist path (takes, frames, 2) in hand sizes and turn (takes, frames, 3) in radians of a Z: three strokes."""
    done = course.done
    path = np.stack([np.interp(done, Z_TIMES, Z_CORNERS[:, axis]) for axis in range(2)], axis=-1).astype(np.float32)
    path *= course.extent[:, None, :2]
    turn = np.zeros((*done.shape, 3), dtype=np.float32)
    turn[..., 0] = Z_ROLL * course.extent[:, 2:] * (path[..., 0] - Z_CORNERS[1, 0] / 2)
    turn[..., 2] = Z_TIP * course.extent[:, 2:] * path[..., 1]
    return path, turn


def draw_j(course: Course) -> tuple[F32, F32]:
    """Path of a J: down, round to the side and up again, the palm turning to the signer."""
    done = course.done
    bow = np.sin(np.pi * done)
    path = np.zeros((*done.shape, 2), dtype=np.float32)
    path[..., 1] = J_DIP * course.extent[:, 1:2] * bow
    path[..., 0] = (course.extent[:, :1] - 0.8) * 0.4 * _smooth(done)
    turn = np.zeros((*done.shape, 3), dtype=np.float32)
    left_out = np.clip(1.0 - course.extent[:, 2:], *J_LEFT_OUT)
    turn[..., 0] = J_ROLL * course.extent[:, :1] * bow + J_SWING * left_out * _smooth(done)
    turn[..., 2] = J_TIP * course.extent[:, 1:2] * bow
    turn[..., 1] = J_TURN * np.clip(course.extent[:, 2:], 0.4, 1.4) * _smooth(np.clip(2.0 * done - 0.7, 0.0, 1.0))
    return path, turn


def drift(takes: int, frames: int, axes: int, sigma: float, rng: np.random.Generator) -> F32:
    """A slow wave per take and axis, float32 (takes, frames, axes), of amplitude sigma, 0 at the first
    frame."""
    shape = (takes, 1, axes)
    size, cycles, phase = (
        rng.normal(0.0, sigma, shape),
        rng.uniform(0.005, 0.06, shape),
        rng.uniform(0.0, 1.0, shape),
    )
    time = np.arange(frames, dtype=np.float32)[:, None]
    angle = 2 * np.pi * (cycles.astype(np.float32) * time + phase.astype(np.float32))
    wave: F32 = size.astype(np.float32) * np.sin(angle)
    wave -= wave[:, :1].copy()
    return wave


def ease_weights(lengths: I64, frames: int, rng: np.random.Generator) -> F32:
    """Weight of the hand at ease, float32 (takes, frames): falls to 0 within a few frames of some takes' begin, rises
    from it towards some takes' end."""
    takes = len(lengths)
    enter, leave = (
        rng.integers(*BLEND_FRAMES, takes) * (rng.random(takes) < probability)
        for probability in (ENTER_PROBABILITY, LEAVE_PROBABILITY)
    )
    frame = np.arange(frames)
    left = 1.0 - (frame + 1) / np.maximum(enter, 1)[:, None]
    gone = 1.0 - (lengths[:, None] - frame) / np.maximum(leave, 1)[:, None]
    return _smooth(np.clip(np.maximum(left, gone), 0.0, 1.0).astype(np.float32))


def draw_rise(ease: F32, rng: np.random.Generator) -> F32:
    """Wrist path (takes, frames, 2) in hand sizes, y down, of hands that come into the picture or leave it as they are
    at ease, weights (takes, frames) as from `ease_weights`."""
    takes = len(ease)
    far = np.stack([rng.uniform(-SWAY, SWAY, takes), rng.uniform(0.0, RISE, takes)], axis=1).astype(np.float32)
    path: F32 = ease[:, :, None] * far[:, None]
    return path


def _smooth(t: F32) -> F32:
    """0..1 to 0..1 with flat ends."""
    eased: F32 = t * t * (3.0 - 2.0 * t)
    return eased
