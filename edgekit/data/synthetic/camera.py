"""Hands in space to image coordinates: rotation, perspective, mirroring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.data.hand import F32

#: Width by height of the images that cameras give.
ASPECTS = (4 / 3, 16 / 9)
#: Part of recordings that show the image mirrored, as selfie views do.
MIRRORED_RATIO = 0.35


@dataclass(frozen=True)
class Camera:
    """One day's camera and the person before it.

    aspect: width by height. distance: to the hand, in hand sizes. size: the hand's, in image widths. x, y:
    the wrist, in image widths and heights. turn: (roll, azimuth, elevation) added to every sign, radians.
    """

    aspect: float
    distance: float
    size: float
    x: float
    y: float
    turn: tuple[float, float, float]
    mirrored: bool


def draw_camera(rng: np.random.Generator) -> Camera:
    """A camera at a desk: the hand size a third of the image's height, held somewhere around the middle."""
    aspect = float(rng.choice(ASPECTS))
    return Camera(
        aspect=aspect,
        distance=float(np.exp(rng.uniform(np.log(4.0), np.log(14.0)))),
        size=float(np.clip(0.3 * np.exp(rng.normal(0.0, 0.25)), 0.12, 0.5)) / aspect,
        x=float(rng.uniform(0.3, 0.7)),
        y=float(rng.uniform(0.6, 0.85)),
        turn=(float(rng.normal(0, 0.1)), float(rng.normal(0, 0.2)), float(rng.normal(0, 0.15))),
        mirrored=bool(rng.random() < MIRRORED_RATIO),
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
    matrix = np.empty((*turn.shape[:-1], 3, 3), dtype=np.float32)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            matrix[..., i, j] = value
    return matrix


def perspective(points: F32, camera: Camera) -> F32:
    """Joints (..., 21, 3) about the wrist in hand sizes, image axes, as the camera sees them, in place: the nearer, the
    further from the wrist."""
    near = 1.0 / (1.0 + points[..., 2] / np.float32(camera.distance))
    points[..., 0] *= near
    points[..., 1] *= near
    return points


def project(seen: F32, path: F32, size: F32, depth: F32, camera: Camera) -> F32:
    """Landmarks as a tracker gives them, float32 (takes, frames, 21, 3): x / image width, y / image height, z
    relative to the wrist in image widths.

    seen (takes, frames, 21, 3): in hand sizes about the wrist, as from `perspective`. path (takes, frames, 2): the
    wrist's, in hand sizes. size (takes,): hand sizes in image widths. depth (takes,): factor of the depth.
    """
    scale = size[:, None, None]
    image = np.empty_like(seen)
    image[..., 0] = camera.x + scale * (seen[..., 0] + path[:, :, None, 0])
    image[..., 1] = camera.y + scale * np.float32(camera.aspect) * (seen[..., 1] + path[:, :, None, 1])
    image[..., 2] = scale * depth[:, None, None] * seen[..., 2]
    return image


def mirror(image: F32) -> None:
    """The left hand for the right one, or the selfie view, in place: x runs from the other side."""
    image[..., 0] *= -1.0
    image[..., 0] += 1.0
