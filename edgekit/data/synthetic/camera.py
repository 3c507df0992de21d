"""From hands in space to what a tracker reports: rotation, perspective, image coordinates, jitter, lost
frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.data.hand import F32, I64, WRIST

#: Width by height of the images that cameras give.
ASPECTS = (4 / 3, 16 / 9)
#: Chance that a take has a gap, and its longest length in frames.
GAP_PROBABILITY = 0.08
LONGEST_GAP_FRAMES = 4


@dataclass(frozen=True)
class Camera:
    """One day's camera and the person before it.

    aspect: width by height. distance: to the hand, in hand sizes. size: the hand's, in image widths. x, y:
    the wrist, in image widths and heights. turn: (roll, turn, tip) added to every sign, radians.
    """

    aspect: float
    distance: float
    size: float
    x: float
    y: float
    turn: tuple[float, float, float]


@dataclass(frozen=True)
class Tracker:
    """How one person's hand is tracked; sigmas in hand sizes.

    depth: what part of the true depth is reported. jitter: frame by frame. bias: constant over a take.
    """

    depth: float
    jitter: float
    bias: float


def draw_camera(rng: np.random.Generator) -> Camera:
    """A camera at a desk: the hand size a third of the image's height, held somewhere around the middle."""
    aspect = float(rng.choice(ASPECTS))
    return Camera(
        aspect=aspect,
        distance=float(rng.uniform(5.0, 14.0)),
        size=float(np.clip(0.3 * np.exp(rng.normal(0.0, 0.2)), 0.14, 0.45)) / aspect,
        x=float(rng.uniform(0.3, 0.7)),
        y=float(rng.uniform(0.6, 0.85)),
        turn=(float(rng.normal(0, 0.09)), float(rng.normal(0, 0.16)), float(rng.normal(0, 0.12))),
    )


def draw_tracker(rng: np.random.Generator) -> Tracker:
    """A tracker's reading of one hand: depth is compressed, jitter about 1 % of the hand."""
    return Tracker(
        depth=float(rng.uniform(0.45, 0.85)),
        jitter=float(np.exp(rng.normal(np.log(0.008), 0.3))),
        bias=float(rng.uniform(0.006, 0.016)),
    )


def rotations(turn: F32) -> F32:
    """Rotation matrices float32 (..., 3, 3) for turn (..., 3) in radians: roll in the image, then the palm
    tipped down, then turned to the image's right. They take the hand's axes to the image's (x right, y down,
    z away)."""
    roll, aside, tip = (turn[..., k] for k in range(3))
    cr, sr, ca, sa, ct, st = (
        np.cos(roll),
        np.sin(roll),
        np.cos(aside),
        np.sin(aside),
        np.cos(tip),
        np.sin(tip),
    )
    # about y (-aside) @ about x (tip) @ about z (roll) @ diag(1, -1, -1): fingers up, palm to the camera at
    # zero.
    rows = [
        [ca * cr - sa * st * sr, ca * sr + sa * st * cr, sa * ct],
        [ct * sr, -ct * cr, st],
        [sa * cr + ca * st * sr, sa * sr - ca * st * cr, -ca * ct],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2).astype(np.float32, copy=False)


def project(points: F32, path: F32, size: F32, camera: Camera, tracker: Tracker) -> F32:
    """Landmarks as a tracker gives them, float32 (takes, frames, 21, 3): x / image width, y / image height, z
    relative to the wrist in image widths.

    points (takes, frames, 21, 3): in hand sizes about the wrist, image axes. path (takes, frames, 2): the
    wrist's, in hand sizes. size (takes,): hand sizes in image widths.
    """
    near = 1.0 + points[..., 2] / np.float32(camera.distance)
    scale = size[:, None, None]
    image = np.empty_like(points)
    image[..., 0] = camera.x + scale * (points[..., 0] / near + path[:, :, None, 0])
    image[..., 1] = camera.y + scale * np.float32(camera.aspect) * (points[..., 1] / near + path[:, :, None, 1])
    image[..., 2] = scale * np.float32(tracker.depth) * points[..., 2]
    return image


def add_jitter(image: F32, size: F32, camera: Camera, tracker: Tracker, rng: np.random.Generator) -> None:
    """Tracking errors in place: white jitter and a constant bias per take, twice as large in depth; the
    wrist's depth stays 0."""
    takes, _, landmarks, _ = image.shape
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(tracker.jitter)
    noise += rng.standard_normal((takes, 1, landmarks, 3), dtype=np.float32) * np.float32(tracker.bias)
    noise *= np.array([1.0, camera.aspect, 2.0], dtype=np.float32)
    noise[..., WRIST, 2] = 0.0
    noise *= size[:, None, None, None]
    image += noise


def lose_frames(image: F32, lengths: I64, rng: np.random.Generator) -> None:
    """Zeros in place behind each take's length, and in a gap of a few frames in some takes, as trackers
    do."""
    takes, frames = image.shape[:2]
    gap = rng.integers(1, LONGEST_GAP_FRAMES + 1, takes) * (rng.random(takes) < GAP_PROBABILITY)
    start = (rng.random(takes) * lengths).astype(np.int64)
    frame = np.arange(frames)
    lost = (frame >= start[:, None]) & (frame < (start + gap)[:, None]) & (frame > 0)
    image[lost | (frame >= lengths[:, None])] = 0.0
