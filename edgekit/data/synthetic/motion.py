"""How a sign moves over a take: the paths of J and Z, drift of a held hand, the movement into a sign and out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.data.hand import F32, I64, Bools

#: Corners of Z as the camera sees a right hand draw it, in hand sizes (x right, y down), and when they are
#: reached. The wrist draws a smaller Z than the fingertip: the hand turns along.
Z_CORNERS = np.array([[0.0, 0.0], [-0.55, 0.0], [0.05, 0.75], [-0.5, 0.85]], dtype=np.float32)
Z_TIMES = np.array([0.0, 0.3, 0.68, 1.0], dtype=np.float32)
#: Radians that the hand rolls and tips by per hand size of the arm's path, for who draws with the arm and for who draws
#: with the wrist; the latter's arm makes so much less of the path.
Z_ROLL, Z_TIP = (0.5, 1.5), (0.2, 0.7)
Z_WRIST_PATH = 0.3

#: J: the wrist dips by so many hand sizes while the forearm turns the palm from the camera to the signer.
J_DIP = 0.35
J_TURN = np.deg2rad(110.0)
#: It rolls aside and tips forward on the way.
J_ROLL = np.deg2rad(-10.0)
J_TIP = np.deg2rad(22.0)
#: Who draws with the arm swings the hand so far in the image, the little finger first out, then down and inwards, and
#: turns the forearm less. Who does both is in between.
J_SWING = np.deg2rad(-150.0)
J_TURN_LEFT = 0.25

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
    across, down, turning. manner (takes,): 0 is the usual way, J by turning the forearm, Z with the arm; 1 the other,
    J by swinging the arm, Z from the wrist.
    """

    done: F32
    extent: F32
    manner: F32

    def of(self, chosen: Bools) -> Course:
        """That of the `chosen` takes, bool (takes,)."""
        return Course(self.done[chosen], self.extent[chosen], self.manner[chosen])


def draw_course(lengths: I64, frames: int, pace: float, rng: np.random.Generator) -> Course:
    """When each take moves: it begins within the first frames and ends before the take does."""
    takes = len(lengths)
    begin = rng.uniform(0.0, np.minimum(LATEST_BEGIN_FRAME, 0.35 * lengths))
    duration = rng.uniform(*MOVEMENT_FRAMES, takes) / pace
    duration = np.minimum(duration, np.maximum(lengths - 1 - begin, 1.0) * rng.uniform(0.75, 1.0, takes))
    done = np.clip((np.arange(frames) - begin[:, None]) / duration[:, None], 0.0, 1.0)
    extent = np.exp(rng.normal(0.0, 0.2, (takes, 1)) + rng.normal(0.0, 0.2, (takes, 3)))
    manner = np.clip(rng.uniform(-0.2, 1.1) + rng.normal(0.0, 0.12, takes), 0.0, 1.0)
    return Course(done.astype(np.float32), extent.astype(np.float32), manner.astype(np.float32))


def draw_z(course: Course) -> tuple[F32, F32]:
    """Wrist path (takes, frames, 2) in hand sizes and turn (takes, frames, 3) in radians of a Z: three strokes."""
    done = course.done
    path = np.stack([np.interp(done, Z_TIMES, Z_CORNERS[:, axis]) for axis in range(2)], axis=-1).astype(np.float32)
    path *= course.extent[:, None, :2]
    manner = course.manner[:, None]
    roll, tip = (usual + (other - usual) * manner for usual, other in (Z_ROLL, Z_TIP))
    turn = np.zeros((*done.shape, 3), dtype=np.float32)
    turn[..., 0] = roll * course.extent[:, 2:] * (path[..., 0] - Z_CORNERS[1, 0] / 2 * manner)
    turn[..., 2] = tip * course.extent[:, 2:] * path[..., 1]
    path *= (1.0 - (1.0 - Z_WRIST_PATH) * manner)[..., None]
    return path, turn


def draw_j(course: Course) -> tuple[F32, F32]:
    """Path of a J: down, round to the side and up again, the palm turning to the signer."""
    done = course.done
    bow = np.sin(np.pi * done)
    path = np.zeros((*done.shape, 2), dtype=np.float32)
    path[..., 1] = J_DIP * course.extent[:, 1:2] * bow
    path[..., 0] = (course.extent[:, :1] - 0.8) * 0.4 * _smooth(done)
    turn = np.zeros((*done.shape, 3), dtype=np.float32)
    manner = course.manner[:, None]
    turn[..., 0] = J_ROLL * course.extent[:, :1] * bow + J_SWING * manner * course.extent[:, :1] * _smooth(done)
    turn[..., 2] = J_TIP * course.extent[:, 1:2] * bow
    turned = J_TURN * (1.0 - (1.0 - J_TURN_LEFT) * manner) * np.clip(course.extent[:, 2:], 0.4, 1.4)
    turn[..., 1] = turned * _smooth(np.clip(2.0 * done - 0.7, 0.0, 1.0))
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


def key_frames(moving: Bools, lengths: I64, course: Course, ease: F32) -> I64:
    """Frames (takes, 3) that tell how a take's sign is seen: where it begins, its middle, where it ends; of `moving`
    takes, bool (takes,), those of the movement. Where a hand is at ease the sign has not begun, or is over."""
    frames = ease.shape[1]
    frame = np.arange(frames)
    signed = (ease == 0.0) & (frame < lengths[:, None])
    first, last = signed.argmax(axis=1), frames - 1 - signed[:, ::-1].argmax(axis=1)
    half, whole = (np.minimum((course.done < part).sum(axis=1), last) for part in (0.5, 1.0))
    middle = np.where(moving, np.maximum(half, first), (first + last) // 2)
    return np.stack([first, middle, np.where(moving, np.maximum(whole, middle), last)], axis=1)


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
