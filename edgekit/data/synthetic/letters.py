"""The ASL manual alphabet as joint angles of a right hand and the way it faces.

Angles in degrees, in the axes of `skeleton`. First version: one variant per letter.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgekit.data.hand import F32

#: Knuckle, middle and end joint, straight = 0.
Bend = tuple[float, float, float]
Thumb = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
Motion = Literal["hold", "j", "z"]

STRAIGHT: Bend = (5, 4, 2)
FIST: Bend = (42, 112, 40)
OVER_THUMB: Bend = (70, 85, 14)
TUCKED: Bend = (62, 100, 28)
DROPPED: Bend = (66, 58, 28)
FOLDED: Bend = (10, 115, 62)

#: Thumb, for letters that share it: across the palm, beside the fist, over the fingers.
ACROSS: Thumb = ((15, 20), (-22, 14), (-54, 4))
BESIDE: Thumb = ((22, 6), (6, 2), (-6, -4))

#: How the hand faces: (roll in the image, turn of the palm to the image's right, palm tipped down).
FACING = (0.0, 18.0, 8.0)
SIDEWAYS = (-55.0, 18.0, 5.0)

#: letter: (index, middle, ring, little), their spread, thumb, facing.
LETTERS: dict[str, tuple[tuple[Bend, Bend, Bend, Bend], tuple[float, ...], Thumb, tuple[float, float, float]]] = {
    "A": ((FIST, FIST, FIST, FIST), (0, 0, 0, 0), BESIDE, (5, 0, 2)),
    "B": ((STRAIGHT,) * 4, (-1, -1, -2, -2), ((14, 24), (-22, 16), (-45, 6)), FACING),
    "C": (
        ((15, 42, 26), (15, 46, 30), (15, 46, 30), (10, 38, 24)),
        (-3, -1, 0, 2),
        ((15, 40), (2, 50), (-5, 45)),
        (2, 68, 17),
    ),
    "D": (
        (STRAIGHT, (46, 88, 34), (46, 92, 36), (42, 96, 38)),
        (-1, 2, 2, 4),
        ((15, 26), (0, 24), (-10, 14)),
        FACING,
    ),
    "E": ((FOLDED,) * 4, (-2, 0, 0, 0), ((22, 20), (-8, 22), (-85, 4)), FACING),
    "F": (
        ((34, 66, 32), STRAIGHT, STRAIGHT, STRAIGHT),
        (0, 3, -5, -12),
        ((18, 26), (4, 30), (-22, 14)),
        FACING,
    ),
    "G": ((STRAIGHT, FIST, FIST, FIST), (-4, 0, 0, 0), ((28, 12), (6, 8), (-26, 4)), SIDEWAYS),
    "H": ((STRAIGHT, STRAIGHT, FIST, FIST), (-4, -3, 0, 0), ((30, 18), (0, 14), (-50, 6)), SIDEWAYS),
    "I": ((FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -12), ((15, 18), (-12, 14), (-65, 4)), FACING),
    "J": ((FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -14), ((14, 18), (-14, 14), (-66, 4)), FACING),
    "K": ((STRAIGHT, (16, 6, 2), FIST, FIST), (9, -6, 0, 0), ((2, 14), (-16, 10), (-12, 4)), (-6, 6, 5)),
    "L": ((STRAIGHT, FIST, FIST, FIST), (0, 0, 0, 0), ((42, 10), (52, 10), (62, 8)), FACING),
    "M": (
        (OVER_THUMB, OVER_THUMB, OVER_THUMB, TUCKED),
        (0, 0, 0, 4),
        ((2, 20), (-44, 15), (-48, 4)),
        (4, 6, 4),
    ),
    "N": ((OVER_THUMB, OVER_THUMB, TUCKED, TUCKED), (4, 2, 2, 6), ((4, 20), (-34, 10), (-30, 0)), (-4, 6, 4)),
    "O": (
        ((34, 66, 38), (36, 70, 38), (34, 68, 38), (28, 60, 38)),
        (-3, -1, 0, 2),
        ((8, 40), (-8, 42), (-14, 20)),
        (-8, 80, 4),
    ),
    "P": (
        ((18, 4, 2), DROPPED, DROPPED, DROPPED),
        (-10, -4, 0, 0),
        ((-14, 26), (-44, 28), (-50, 22)),
        (-66, 2, 38),
    ),
    "Q": (
        ((52, 10, 4), (74, 66, 36), (76, 70, 38), (76, 72, 38)),
        (-6, 0, 0, 0),
        ((-16, 44), (-38, 44), (-44, 38)),
        (-70, 2, 62),
    ),
    "R": ((STRAIGHT, (12, 6, 2), FIST, FIST), (-8, 8, 0, 0), ((13, 20), (-26, 14), (-40, 4)), FACING),
    "S": ((FIST, FIST, FIST, FIST), (0, 0, 0, 0), ((19, 26), (-18, 22), (-88, -4)), FACING),
    "T": (((52, 98, 34), FIST, FIST, FIST), (4, 0, 0, 0), ((15, 14), (-18, 4), (-25, -6)), (-2, 4, 2)),
    "U": ((STRAIGHT, STRAIGHT, FIST, FIST), (-1, 1, 0, 0), ACROSS, FACING),
    "V": ((STRAIGHT, STRAIGHT, FIST, FIST), (9, -7, 0, 0), ((14, 20), (-30, 14), (-66, 4)), FACING),
    "W": ((STRAIGHT, STRAIGHT, STRAIGHT, FIST), (9, 0, -10, 0), ((12, 22), (-44, 12), (-64, 2)), FACING),
    "X": (((22, 62, 44), FIST, FIST, FIST), (0, 0, 0, 0), ((8, 18), (-20, 12), (-36, 4)), (-8, 0, 4)),
    "Y": ((FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -26), ((34, 10), (38, 12), (50, 14)), (-6, 12, 6)),
    "Z": ((STRAIGHT, FIST, FIST, FIST), (2, 0, 0, 0), ((15, 18), (-6, 14), (-34, 6)), (-8, 14, 6)),
}

CLASS_NAMES = tuple(LETTERS)
MOTIONS: tuple[Motion, ...] = tuple({"J": "j", "Z": "z"}.get(name, "hold") for name in CLASS_NAMES)  # type: ignore[misc]

#: A hand at ease, where movements into a sign start.
RELAXED_BEND: Bend = (22, 30, 16)
RELAXED_THUMB: Thumb = ((24, 16), (10, 14), (0, 8))


def _radians(values: object) -> F32:
    return np.deg2rad(np.array(values, dtype=np.float32))


#: The same as arrays in radians, by class: (26, 4, 3), (26, 4), (26, 3, 2), (26, 3).
FLEXION = _radians([fingers for fingers, _, _, _ in LETTERS.values()])
SPREAD = _radians([spread for _, spread, _, _ in LETTERS.values()])
THUMBS = _radians([thumb for _, _, thumb, _ in LETTERS.values()])
TURNS = _radians([turn for _, _, _, turn in LETTERS.values()])
