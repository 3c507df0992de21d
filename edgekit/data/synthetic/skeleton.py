"""A hand as bones and joint angles: forward kinematics to 21 landmarks.

The hand's own axes: origin at the wrist, x towards the thumb's side, y to the fingers, z out of the palm;
a right hand, lengths in hand sizes (wrist to the base of the middle finger).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.data.hand import F32, LANDMARKS

FINGERS = ("index", "middle", "ring", "little")

#: Wrist to middle finger base in mm: the metacarpal (64.6), the carpus before it, and the stretch of forearm that
#: trackers count in: beside 90 mm, straight fingers of people come out 6 % too long.
HAND_SIZE_MM = 96.0

#: Proximal, middle and distal phalanx per finger in mm, the distal one with the soft tissue of the tip.
#: Source: Buryanov and Kotiuk, Proportions of Hand Segments, Int. J. Morphol. 28(3):755-758, 2010.
PHALANGES_MM = np.array(
    [[39.8, 22.4, 19.7], [44.6, 26.3, 21.4], [41.4, 25.7, 21.3], [32.7, 18.1, 19.7]], dtype=np.float32
)

#: Thumb from landmark 1 to its tip in mm; trackers put landmark 1 some 10 mm along the metacarpal (46.2).
THUMB_MM = np.array([36.0, 31.6, 25.3], dtype=np.float32)

#: Landmarks 1, 5, 9, 13, 17 (thumb root and finger bases) in hand sizes; the palm's arch lifts the outer
#: ones.
BASES = np.array(
    [[0.17, 0.24, 0.12], [0.165, 1.01, 0.02], [0.0, 1.0, 0.0], [-0.15, 0.93, 0.0], [-0.29, 0.81, 0.03]],
    dtype=np.float32,
)


@dataclass(frozen=True, eq=False)
class Bones:
    """One person's hand in hand sizes: bases (5, 3), phalanges (4, 3), thumb (3,), all float32."""

    bases: F32
    phalanges: F32
    thumb: F32


def draw_bones(rng: np.random.Generator) -> Bones:
    """A person's bones: fingers vary together by 5 %, each finger by 3 %, each bone by 3 %, the palm's width
    by 7 %."""
    long = np.exp(rng.normal(0.0, 0.05))
    finger = np.exp(rng.normal(0.0, 0.03, (4, 1)))
    phalanges = PHALANGES_MM / HAND_SIZE_MM * long * finger * np.exp(rng.normal(0.0, 0.03, (4, 3)))
    thumb = THUMB_MM / HAND_SIZE_MM * long * np.exp(rng.normal(0.0, 0.04, 3))
    width = np.exp(rng.normal(0.0, 0.07))
    bases = BASES * np.array([width, 1.0, 1.0]) + rng.normal(0.0, 0.015, BASES.shape)
    bases[2] = BASES[2]
    return Bones(*(part.astype(np.float32) for part in (bases, phalanges, thumb)))


def usual_bones() -> Bones:
    """The average hand."""
    phalanges, thumb = PHALANGES_MM / np.float32(HAND_SIZE_MM), THUMB_MM / np.float32(HAND_SIZE_MM)
    return Bones(BASES, phalanges, thumb)


#: What joints can do, in radians: knuckle, middle and end joint; spread; the thumb's bones. Active ranges as quoted
#: from Hume et al., J. Hand Surg. 15A:240-243, 1990 (100, 105 and 85 degrees of bend), the middle joint's wider by
#: what people differ.
FLEXION_LIMITS = np.deg2rad(np.array([[-15, 100], [-5, 112], [-8, 85]], dtype=np.float32))
SPREAD_LIMITS = np.deg2rad(np.array([-32, 25], dtype=np.float32))
THUMB_LIMITS = np.deg2rad(np.array([[[-25, 65], [-105, 85], [-115, 100]], [[-15, 70]] * 3], dtype=np.float32))


def within_limits(flexion: F32, spread: F32, thumb: F32) -> tuple[F32, F32, F32]:
    """Angles clipped to what joints can do; shapes as in `hand_landmarks`."""
    return (
        np.clip(flexion, FLEXION_LIMITS[:, 0], FLEXION_LIMITS[:, 1]),
        np.clip(spread, *SPREAD_LIMITS),
        np.clip(thumb, THUMB_LIMITS[..., 0].T, THUMB_LIMITS[..., 1].T),
    )


def hand_landmarks(spread: F32, flexion: F32, thumb: F32, bones: Bones) -> F32:
    """Landmarks float32 (..., 21, 3) in MediaPipe's order, in the hand's own axes.

    Angles in radians. spread (..., 4): each finger's direction in the palm, 0 along y, positive towards the thumb.
    flexion (..., 4, 3): knuckle, middle and end joint, 0 is straight, positive into the palm. thumb (..., 3, 2):
    direction of each of its bones, as an angle in the palm's plane like spread, and a lift out of it.
    """
    points = np.zeros((*spread.shape[:-1], LANDMARKS, 3), dtype=np.float32)
    points[..., 1:18:4, :] = bones.bases
    fingers = points[..., 5:, :].reshape(*spread.shape, 4, 3)  # a view: splits one axis
    bent = flexion.copy()
    bent[..., 1] += bent[..., 0]
    bent[..., 2] += bent[..., 1]
    _chain(fingers, spread[..., None], bent, bones.phalanges)
    _chain(points[..., 1:5, :], thumb[..., 0], thumb[..., 1], bones.thumb)
    return points


def _chain(joints: F32, aside: F32, lift: F32, lengths: F32) -> None:
    """joints (..., 4, 3) in place: the first is given, each next one lies a bone further, at an angle aside from y in
    the palm's plane and a lift out of it."""
    flat = np.cos(lift) * lengths
    for axis, step in enumerate((flat * np.sin(aside), flat * np.cos(aside), np.sin(lift) * lengths)):
        for k in range(3):
            np.add(joints[..., k, axis], step[..., k], out=joints[..., k + 1, axis])
