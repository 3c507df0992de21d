"""The ASL manual alphabet as joint angles of a right hand and the way it faces, with the variants signers use.

Angles in degrees, in the axes of `skeleton`: those of the joints themselves; what a hand tracker makes of them is
`reader`'s business. Shapes and orientations are those of the usual charts of the alphabet, checked by eye as skeletons
(`edgekit data synth --preview`) and as a rendered hand (`bench/tracker_readings/collect.py --picture`); the variants
are ones in common use. They were not measured on signers.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from edgekit.data.hand import F32, I64

#: Knuckle, middle and end joint, straight = 0.
Bend = tuple[float, float, float]
#: Direction of each of the thumb's bones: in the palm's plane, 0 along the fingers, and lifted out of it.
Thumb = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
Triple = tuple[float, float, float]
Motion = Literal["hold", "j", "z"]

STRAIGHT: Bend = (5, 4, 2)
FIST: Bend = (76, 102, 55)
#: Fingers that lie over the thumb, and the end of a fist behind them.
OVER_THUMB: Bend = (62, 86, 26)
TUCKED: Bend = (80, 100, 50)
DROPPED: Bend = (70, 44, 20)
FOLDED: Bend = (24, 106, 58)

#: Thumb, for letters that share it: across the folded fingers, beside the fist, over its front, along the index finger.
ACROSS: Thumb = ((12, 36), (-40, 26), (-70, 4))
BESIDE: Thumb = ((26, 24), (6, 22), (0, 10))
OVER: Thumb = ((12, 40), (-44, 30), (-88, 0))
ALONG: Thumb = ((28, 26), (8, 22), (-8, 16))

#: How the hand faces: (roll in the image, turn of the palm to the image's right, palm tipped down).
FRONT: Triple = (0.0, 14.0, 9.0)
TURNED: Triple = (0.0, 48.0, 6.0)
#: Pointing sideways: away from the signer with the palm to the camera, or across the signer with its back to it.
OUTWARD: Triple = (-55.0, 18.0, 5.0)
INWARD: Triple = (-88.0, 170.0, 0.0)
#: Hanging from the wrist, back of the hand to the camera.
HANGING: Triple = (-142.0, 175.0, 0.0)

#: Sigmas between people of roll, turn and tip, in degrees.
USUAL: Triple = (7.0, 10.0, 8.0)
LOOSE: Triple = (14.0, 18.0, 12.0)


class Variant(NamedTuple):
    """One way to sign a letter.

    weight: how many signers do so, against the letter's other variants. fingers: index to little. spread: their
    directions in the palm, positive towards the thumb. facing: see FRONT; facing_sigma: between people.
    """

    weight: float
    fingers: tuple[Bend, Bend, Bend, Bend]
    spread: tuple[float, float, float, float]
    thumb: Thumb
    facing: Triple = FRONT
    facing_sigma: Triple = USUAL


def _fingers(*straight: Bend, others: Bend = FIST) -> tuple[Bend, Bend, Bend, Bend]:
    """The first fingers as given, the others alike."""
    index, middle, ring, little = [*straight, *[others] * (4 - len(straight))]
    return index, middle, ring, little


_FISTS = _fingers()
_CURVED = ((15, 42, 26), (15, 46, 30), (15, 46, 30), (10, 38, 24))
_TIGHT = ((26, 52, 32), (28, 56, 34), (28, 54, 34), (22, 48, 30))
_ROUND = ((34, 66, 38), (36, 70, 38), (34, 68, 38), (28, 60, 38))
_FLAT_ROUND = ((58, 34, 18), (62, 36, 18), (60, 34, 18), (52, 30, 18))
_NONE = (0, 0, 0, 0)
_HOLDING: Thumb = ((16, 36), (-26, 28), (-56, 8))
_PINCH: Thumb = ((18, 30), (4, 32), (-22, 14))
_PINCH_DOWN: Thumb = ((-16, 44), (-38, 44), (-44, 38))
_BETWEEN: Thumb = ((14, 24), (-14, 24), (-14, 16))
_CIRCLE: Thumb = ((18, 38), (-8, 38), (-26, 22))
_MEETS: Thumb = ((12, 40), (-8, 42), (-16, 24))
_OPPOSED: Thumb = ((15, 40), (2, 50), (-5, 45))
#: Fingers over the thumb, bent or flat, and tucked ones, for M and N.
_OVER_THREE = (OVER_THUMB, OVER_THUMB, OVER_THUMB, TUCKED)
_OVER_TWO = (OVER_THUMB, OVER_THUMB, TUCKED, TUCKED)
_FLAT_THREE = ((78, 46, 16), (80, 48, 16), (80, 46, 16), (84, 90, 36))
_FLAT_TWO = ((78, 46, 16), (80, 48, 16), (84, 90, 36), (84, 90, 36))
_D_BEND: Bend = (58, 74, 40)
_MIDDLE_OUT: Bend = (44, 8, 4)

LETTERS: dict[str, tuple[Variant, ...]] = {
    "A": (
        Variant(0.7, _FISTS, _NONE, BESIDE, (5, 0, 2)),
        Variant(0.3, _FISTS, _NONE, ((32, 18), (14, 16), (10, 8)), (4, 26, 4)),
    ),
    "B": (
        Variant(0.8, (STRAIGHT,) * 4, (-1, -1, -2, -2), ((14, 24), (-22, 16), (-45, 6))),
        Variant(0.1, (STRAIGHT,) * 4, (0, 0, -1, -2), ((18, 10), (2, 8), (-8, 4))),
        Variant(0.1, (STRAIGHT,) * 4, (4, 1, -3, -7), ((12, 26), (-30, 18), (-60, 6))),
    ),
    "C": (
        Variant(0.5, _CURVED, (-3, -1, 0, 2), _OPPOSED, (2, 68, 14), LOOSE),
        Variant(0.2, _CURVED, (-3, -1, 0, 2), _OPPOSED, (0, 30, 8), LOOSE),
        Variant(0.15, _TIGHT, (-3, -1, 0, 2), _OPPOSED, (0, 50, 6), LOOSE),
        Variant(0.15, _CURVED, (-2, 0, 0, 0), ((30, 30), (24, 34), (10, 30)), (0, 44, 8), LOOSE),
    ),
    "D": (
        Variant(0.5, (STRAIGHT, _D_BEND, _D_BEND, _D_BEND), (-1, 2, 2, 4), _CIRCLE),
        Variant(0.25, (STRAIGHT, (50, 70, 34), (50, 72, 36), (46, 74, 36)), (-1, 2, 2, 4), _MEETS, TURNED, LOOSE),
        Variant(0.25, (STRAIGHT, (66, 80, 44), (74, 92, 50), (76, 96, 52)), (0, 2, 0, 0), _CIRCLE, (0, 24, 6)),
    ),
    "E": (
        Variant(0.4, (FOLDED,) * 4, (-2, 0, 0, 0), ((20, 30), (-24, 22), (-78, 0))),
        Variant(0.25, _fingers(others=(38, 100, 52)), (-1, 0, 0, 1), ((18, 30), (-24, 26), (-70, 4))),
        Variant(0.15, _fingers(others=(12, 96, 62)), (0, 0, -1, -2), ((16, 28), (-28, 20), (-66, 2))),
        Variant(0.2, _fingers(others=(20, 82, 44)), (0, 0, -1, -2), ((16, 30), (-30, 20), (-70, 2)), (0, 18, 6)),
    ),
    "F": (
        Variant(0.7, ((34, 66, 32), STRAIGHT, STRAIGHT, STRAIGHT), (0, 3, -5, -12), _PINCH),
        Variant(0.3, ((52, 50, 24), STRAIGHT, STRAIGHT, STRAIGHT), (0, 2, -4, -12), _MEETS, (0, -8, 4), LOOSE),
    ),
    "G": (
        Variant(0.4, _fingers(STRAIGHT), (-4, 0, 0, 0), ALONG, OUTWARD, LOOSE),
        Variant(0.45, _fingers(STRAIGHT), (0, 0, 0, 0), ((26, 26), (10, 24), (-6, 18)), INWARD, LOOSE),
        Variant(0.15, _fingers((28, 6, 4)), (0, 0, 0, 0), ((20, 32), (6, 34), (0, 30)), (-82, 120, 0), LOOSE),
    ),
    "H": (
        Variant(0.4, _fingers(STRAIGHT, STRAIGHT), (-4, -3, 0, 0), ((20, 36), (-20, 28), (-56, 6)), OUTWARD, LOOSE),
        Variant(0.6, _fingers(STRAIGHT, STRAIGHT), (-1, 1, 0, 0), _HOLDING, INWARD, LOOSE),
    ),
    "I": (
        Variant(0.55, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -12), ACROSS),
        Variant(0.25, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -8), OVER, (0, 4, 4)),
        Variant(0.2, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -12), BESIDE, (0, 8, 4)),
    ),
    "J": (
        Variant(0.55, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -14), ACROSS),
        Variant(0.25, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -10), OVER, (0, 4, 4)),
        Variant(0.2, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -14), BESIDE, (0, 8, 4)),
    ),
    "K": (
        Variant(0.5, _fingers(STRAIGHT, (16, 6, 2)), (9, -6, 0, 0), _BETWEEN, (-6, 6, 5)),
        Variant(
            0.3, _fingers(STRAIGHT, _MIDDLE_OUT), (6, -4, 0, 0), ((4, 22), (-10, 24), (-8, 18)), (-4, 26, 4), LOOSE
        ),
        Variant(0.2, _fingers(STRAIGHT, (26, 6, 2)), (8, -4, 0, 0), _BETWEEN, TURNED, LOOSE),
    ),
    "L": (
        Variant(0.8, _fingers(STRAIGHT), _NONE, ((42, 10), (52, 10), (62, 8))),
        Variant(0.2, _fingers(STRAIGHT), _NONE, ((46, 14), (66, 14), (80, 10)), (0, 2, 4)),
    ),
    "M": (
        Variant(0.65, _OVER_THREE, (2, 0, -2, 0), ((-8, 42), (-58, 20), (-50, 26)), (2, 8, 6)),
        Variant(0.35, _FLAT_THREE, (2, 0, -2, 0), ((-8, 44), (-58, 24), (-50, 30)), (2, 10, 12)),
    ),
    "N": (
        Variant(0.65, _OVER_TWO, (2, 0, 0, 0), ((0, 40), (-50, 20), (-42, 28)), (-1, 8, 6)),
        Variant(0.35, _FLAT_TWO, (2, 0, 0, 0), ((0, 42), (-50, 24), (-42, 32)), (-1, 10, 12)),
    ),
    "O": (
        Variant(0.45, _ROUND, (-3, -1, 0, 2), _MEETS, (-8, 80, 4), LOOSE),
        Variant(0.35, _ROUND, (-3, -1, 0, 2), _MEETS, (-2, 36, 6), LOOSE),
        Variant(0.2, _FLAT_ROUND, (-3, -1, 0, 2), ((8, 44), (-8, 48), (-10, 40)), (-4, 58, 6), LOOSE),
    ),
    "P": (
        Variant(
            0.4,
            ((16, 4, 2), DROPPED, DROPPED, DROPPED),
            (-10, -4, 0, 0),
            _PINCH_DOWN,
            (-66, 2, 38),
        ),
        Variant(
            0.25, _fingers(STRAIGHT, (62, 8, 4)), (6, -4, 0, 0), ((4, 24), (-10, 28), (-8, 22)), (-10, 45, 95), LOOSE
        ),
        Variant(
            0.2, _fingers((10, 4, 2), (62, 8, 4)), (6, -4, 0, 0), ((4, 24), (-10, 28), (-8, 22)), (-135, 130, 0), LOOSE
        ),
        Variant(
            0.15,
            _fingers((14, 4, 2), (64, 10, 4)),
            (4, -4, 0, 0),
            ((2, 26), (-12, 28), (-10, 24)),
            (-62, 30, 66),
            LOOSE,
        ),
    ),
    "Q": (
        Variant(
            0.3,
            ((48, 10, 4), (76, 80, 44), (78, 82, 44), (78, 84, 44)),
            (-6, 0, 0, 0),
            _PINCH_DOWN,
            (-70, 2, 62),
        ),
        Variant(0.5, _fingers((14, 6, 4)), _NONE, ((22, 24), (10, 26), (-6, 20)), HANGING, LOOSE),
        Variant(0.2, _fingers((30, 10, 6), others=(70, 80, 36)), (-2, 0, 0, 0), _PINCH_DOWN, (-50, 30, 90), LOOSE),
    ),
    "R": (
        Variant(0.6, _fingers(STRAIGHT, (12, 6, 2)), (-10, 9, 0, 0), ACROSS),
        Variant(0.4, _fingers((8, 4, 2), (16, 14, 6)), (-11, 12, 0, 0), _HOLDING, (0, 16, 5)),
    ),
    "S": (
        Variant(0.75, _FISTS, _NONE, OVER),
        Variant(0.25, _FISTS, _NONE, ((14, 40), (-38, 31), (-84, 2)), (2, 6, 4)),
    ),
    "T": (
        Variant(0.7, _fingers((68, 84, 40)), (6, -1, 0, 0), ((13, 27), (-30, 28), (-44, 30)), (-2, 4, 2)),
        Variant(0.3, _fingers((62, 76, 34)), (6, -1, 0, 0), ((14, 28), (-25, 28), (-38, 28)), (0, 10, 4)),
    ),
    "U": (
        Variant(0.8, _fingers(STRAIGHT, STRAIGHT), (-3, 1, 0, 0), ACROSS),
        Variant(0.2, _fingers(STRAIGHT, STRAIGHT), (-3, 0, 0, 0), _HOLDING, (0, 30, 6)),
    ),
    "V": (
        Variant(0.8, _fingers(STRAIGHT, STRAIGHT), (9, -8, 0, 0), ACROSS),
        Variant(0.2, _fingers(STRAIGHT, STRAIGHT), (12, -11, 0, 0), _HOLDING, (0, 4, 4)),
    ),
    "W": (
        Variant(0.7, (STRAIGHT, STRAIGHT, STRAIGHT, FIST), (9, 0, -10, 0), ((10, 34), (-48, 24), (-66, 12))),
        Variant(0.3, (STRAIGHT, STRAIGHT, STRAIGHT, (58, 74, 40)), (10, 0, -11, 0), ((8, 38), (-44, 28), (-62, 14))),
    ),
    "X": (
        Variant(0.3, _fingers((22, 70, 44)), _NONE, ACROSS, (-10, 0, 8)),
        Variant(0.2, _fingers((24, 88, 56)), _NONE, OVER, (-4, 12, 8)),
        Variant(0.3, _fingers((18, 62, 40)), _NONE, _HOLDING, (-10, 2, 8)),
        Variant(0.2, _fingers((18, 76, 46)), _NONE, _HOLDING, (0, 60, 4), LOOSE),
    ),
    "Y": (
        Variant(0.75, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -24), ((42, 14), (44, 14), (50, 10)), (-6, 12, 6)),
        Variant(
            0.25,
            _fingers((66, 88, 44), (68, 90, 44), (66, 86, 44), STRAIGHT),
            (0, 0, 0, -18),
            ((44, 12), (54, 10), (60, 8)),
            (8, 8, 4),
        ),
    ),
    "Z": (
        Variant(0.6, _fingers(STRAIGHT), (2, 0, 0, 0), ACROSS, (-4, 12, 6), LOOSE),
        Variant(0.25, _fingers((16, 6, 4)), (2, 0, 0, 0), _HOLDING, (-10, 10, 30), LOOSE),
        Variant(0.15, _fingers(STRAIGHT), (2, 0, 0, 0), _HOLDING, (-10, 40, 10), LOOSE),
    ),
}

CLASS_NAMES = tuple(LETTERS)
#: The optional class: hands at rest, between signs, or doing something else.
NO_SIGN = "no_sign"
MOTIONS: tuple[Motion, ...] = tuple({"J": "j", "Z": "z"}.get(name, "hold") for name in CLASS_NAMES)  # type: ignore[misc]

#: A hand at ease, where movements into a sign start.
RELAXED = Variant(1.0, ((22, 30, 16),) * 4, _NONE, ((24, 16), (10, 14), (0, 8)), (0, 20, 14))


def _radians(values: object) -> F32:
    return np.deg2rad(np.array(values, dtype=np.float32))


#: Every variant, letter by letter, and the one at ease last: class, weight, and in radians flexion (n, 4, 3), spread
#: (n, 4), thumb (n, 3, 2), turn (n, 3) and its sigma.
VARIANTS: tuple[Variant, ...] = (*(variant for variants in LETTERS.values() for variant in variants), RELAXED)
LETTER: I64 = np.repeat(np.arange(len(LETTERS) + 1), [*map(len, LETTERS.values()), 1])
WEIGHT: F32 = np.array([variant.weight for variant in VARIANTS], dtype=np.float32)
FLEXION = _radians([variant.fingers for variant in VARIANTS])
SPREAD = _radians([variant.spread for variant in VARIANTS])
THUMBS = _radians([variant.thumb for variant in VARIANTS])
TURNS = _radians([variant.facing for variant in VARIANTS])
TURN_SIGMAS = _radians([variant.facing_sigma for variant in VARIANTS])


#: Indices of each letter's variants.
_OF: tuple[I64, ...] = tuple(np.flatnonzero(np.equal(LETTER, k)) for k in range(len(LETTERS)))


def first_variants() -> I64:
    """Index of each letter's commonest variant, as in charts; int64 (26,)."""
    return np.array([own[WEIGHT[own].argmax()] for own in _OF])


def draw_variants(rng: np.random.Generator) -> I64:
    """One person's variant of each letter, int64 (26,), by weight."""
    chance = np.log(WEIGHT) + rng.gumbel(size=len(WEIGHT))
    return np.array([own[chance[own].argmax()] for own in _OF])
