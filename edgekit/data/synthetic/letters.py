"""The ASL manual alphabet as joint angles of a right hand and the way it faces, with the variants signers use.

Angles in degrees, in the axes of `skeleton`. They are angles as hand trackers report them: of a fist, whose joints the
camera does not see, a tracker reads a straighter knuckle and a more bent middle joint than anatomy has (about 30, 140
and 50 degrees in place of 75, 105 and 55). Shapes and orientations are those of the usual charts of the alphabet,
checked by eye with `edgekit data synth --preview`; the variants are ones in common use. Neither was measured on
signers.
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
FIST: Bend = (38, 128, 54)
OVER_THUMB: Bend = (50, 106, 14)
TUCKED: Bend = (76, 104, 22)
DROPPED: Bend = (66, 58, 28)
FOLDED: Bend = (12, 125, 48)

#: Thumb, for letters that share it: across the palm, beside the fist, over the fingers, held along the index finger.
ACROSS: Thumb = ((15, 20), (-22, 14), (-54, 4))
BESIDE: Thumb = ((22, 6), (6, 2), (-6, -4))
OVER: Thumb = ((19, 26), (-18, 22), (-80, 0))
ALONG: Thumb = ((28, 12), (6, 8), (-20, 4))

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
_ROUND = ((34, 66, 38), (36, 70, 38), (34, 68, 38), (28, 60, 38))
_FLAT_ROUND = ((58, 34, 18), (62, 36, 18), (60, 34, 18), (52, 30, 18))
_NONE = (0, 0, 0, 0)
_HOLDING: Thumb = ((15, 20), (-26, 14), (-64, 3))
_PINCH: Thumb = ((18, 26), (4, 30), (-22, 14))
_PINCH_DOWN: Thumb = ((-16, 44), (-38, 44), (-44, 38))
_BETWEEN: Thumb = ((2, 14), (-16, 10), (-12, 4))
_CIRCLE: Thumb = ((15, 26), (0, 24), (-10, 14))
_MEETS: Thumb = ((8, 40), (-8, 42), (-14, 20))
_OPPOSED: Thumb = ((15, 40), (2, 50), (-5, 45))
#: Fingers over the thumb, bent or flat, and tucked ones, for M and N.
_OVER_THREE = (OVER_THUMB, OVER_THUMB, OVER_THUMB, TUCKED)
_OVER_TWO = (OVER_THUMB, OVER_THUMB, TUCKED, TUCKED)
_FLAT_THREE = ((62, 60, 20), (64, 62, 20), (66, 62, 20), (78, 100, 26))
_FLAT_TWO = ((62, 60, 20), (64, 62, 20), (78, 98, 26), (80, 98, 26))
_D_BEND: Bend = (40, 108, 32)
_MIDDLE_OUT: Bend = (44, 8, 4)

LETTERS: dict[str, tuple[Variant, ...]] = {
    "A": (
        Variant(0.7, _FISTS, _NONE, BESIDE, (5, 0, 2)),
        Variant(0.3, _FISTS, _NONE, ((24, 10), (10, 8), (8, 4)), (4, 26, 4)),
    ),
    "B": (
        Variant(0.8, (STRAIGHT,) * 4, (-1, -1, -2, -2), ((14, 24), (-22, 16), (-45, 6))),
        Variant(0.1, (STRAIGHT,) * 4, (0, 0, -1, -2), ((18, 10), (2, 8), (-8, 4))),
        Variant(0.1, (STRAIGHT,) * 4, (4, 1, -3, -7), ((12, 26), (-30, 18), (-60, 6))),
    ),
    "C": (
        Variant(0.5, _CURVED, (-3, -1, 0, 2), _OPPOSED, (2, 68, 14), LOOSE),
        Variant(0.35, _CURVED, (-3, -1, 0, 2), _OPPOSED, (0, 30, 8), LOOSE),
        Variant(0.15, _CURVED, (-2, 0, 0, 0), ((30, 30), (24, 34), (10, 30)), (0, 44, 8), LOOSE),
    ),
    "D": (
        Variant(0.6, (STRAIGHT, _D_BEND, _D_BEND, _D_BEND), (-1, 2, 2, 4), _CIRCLE),
        Variant(0.25, (STRAIGHT, (50, 70, 34), (50, 72, 36), (46, 74, 36)), (-1, 2, 2, 4), _MEETS, TURNED, LOOSE),
        Variant(0.15, (STRAIGHT, (50, 80, 34), FIST, FIST), (0, 2, 0, 0), _CIRCLE, (0, 24, 6)),
    ),
    "E": (
        Variant(0.5, (FOLDED,) * 4, (-2, 0, 0, 0), ((22, 20), (-8, 22), (-85, 4))),
        Variant(0.3, _fingers(others=(22, 105, 40)), (-1, 0, 0, 1), ((18, 26), (-14, 22), (-70, 8))),
        Variant(0.2, _fingers(others=(8, 92, 56)), (0, 0, -1, -2), ((14, 28), (-24, 20), (-58, 8))),
    ),
    "F": (
        Variant(0.7, ((34, 66, 32), STRAIGHT, STRAIGHT, STRAIGHT), (0, 3, -5, -12), _PINCH),
        Variant(0.3, ((52, 50, 24), STRAIGHT, STRAIGHT, STRAIGHT), (0, 2, -4, -12), _MEETS, (0, -8, 4), LOOSE),
    ),
    "G": (
        Variant(0.4, _fingers(STRAIGHT), (-4, 0, 0, 0), ALONG, OUTWARD, LOOSE),
        Variant(0.45, _fingers(STRAIGHT), (0, 0, 0, 0), ((24, 20), (10, 18), (-8, 12)), INWARD, LOOSE),
        Variant(0.15, _fingers((28, 6, 4)), (0, 0, 0, 0), ((20, 32), (6, 34), (0, 30)), (-82, 120, 0), LOOSE),
    ),
    "H": (
        Variant(0.4, _fingers(STRAIGHT, STRAIGHT), (-4, -3, 0, 0), ((30, 18), (0, 14), (-50, 6)), OUTWARD, LOOSE),
        Variant(0.6, _fingers(STRAIGHT, STRAIGHT), (-1, 1, 0, 0), _HOLDING, INWARD, LOOSE),
    ),
    "I": (
        Variant(0.7, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -12), ((15, 18), (-12, 14), (-65, 4))),
        Variant(0.3, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -8), OVER, (0, 4, 4)),
    ),
    "J": (
        Variant(0.7, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -14), ((14, 18), (-14, 14), (-66, 4))),
        Variant(0.3, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -10), OVER, (0, 4, 4)),
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
        Variant(0.65, _OVER_THREE, (0, 0, 0, 4), ((2, 20), (-48, 15), (-58, 4)), (2, 8, 6)),
        Variant(0.35, _FLAT_THREE, (0, 0, 0, 4), ((2, 24), (-48, 20), (-60, 8)), (2, 10, 12)),
    ),
    "N": (
        Variant(0.65, _OVER_TWO, (4, 2, 2, 6), ((5, 20), (-32, 11), (-27, 1)), (-1, 8, 6)),
        Variant(0.35, _FLAT_TWO, (3, 1, 2, 4), ((5, 24), (-32, 18), (-32, 6)), (-1, 10, 12)),
    ),
    "O": (
        Variant(0.45, _ROUND, (-3, -1, 0, 2), _MEETS, (-8, 80, 4), LOOSE),
        Variant(0.35, _ROUND, (-3, -1, 0, 2), _MEETS, (-2, 36, 6), LOOSE),
        Variant(0.2, _FLAT_ROUND, (-3, -1, 0, 2), ((8, 44), (-8, 48), (-10, 40)), (-4, 58, 6), LOOSE),
    ),
    "P": (
        Variant(
            0.3,
            ((18, 4, 2), DROPPED, DROPPED, DROPPED),
            (-10, -4, 0, 0),
            ((-14, 26), (-44, 28), (-50, 22)),
            (-66, 2, 38),
            LOOSE,
        ),
        Variant(
            0.3, _fingers(STRAIGHT, (62, 8, 4)), (6, -4, 0, 0), ((4, 24), (-10, 28), (-8, 22)), (-10, 45, 95), LOOSE
        ),
        Variant(
            0.2, _fingers((10, 4, 2), (62, 8, 4)), (6, -4, 0, 0), ((4, 24), (-10, 28), (-8, 22)), (-135, 130, 0), LOOSE
        ),
        Variant(
            0.2, _fingers((14, 4, 2), (64, 10, 4)), (4, -4, 0, 0), ((2, 26), (-12, 28), (-10, 24)), (-62, 30, 66), LOOSE
        ),
    ),
    "Q": (
        Variant(
            0.4,
            ((52, 10, 4), (74, 66, 36), (76, 70, 38), (76, 72, 38)),
            (-6, 0, 0, 0),
            _PINCH_DOWN,
            (-70, 2, 62),
            LOOSE,
        ),
        Variant(0.4, _fingers((14, 6, 4)), _NONE, ((22, 24), (10, 26), (-6, 20)), HANGING, LOOSE),
        Variant(0.2, _fingers((30, 10, 6), others=(70, 80, 36)), (-2, 0, 0, 0), _PINCH_DOWN, (-50, 30, 90), LOOSE),
    ),
    "R": (
        Variant(0.6, _fingers(STRAIGHT, (12, 6, 2)), (-8, 8, 0, 0), ((13, 20), (-26, 14), (-40, 4))),
        Variant(0.4, _fingers((8, 4, 2), (16, 14, 6)), (-9, 11, 0, 0), _HOLDING, (0, 16, 5)),
    ),
    "S": (
        Variant(0.75, _FISTS, _NONE, ((19, 26), (-18, 22), (-88, -4))),
        Variant(0.25, _FISTS, _NONE, ((20, 28), (-10, 24), (-64, 2)), (2, 6, 4)),
    ),
    "T": (
        Variant(0.7, _fingers((52, 104, 34)), (4, 0, 0, 0), ((15, 14), (-18, 4), (-25, -6)), (-2, 4, 2)),
        Variant(0.3, _fingers((56, 92, 30)), (4, 0, 0, 0), ((14, 20), (-16, 14), (-22, 10)), (0, 10, 4)),
    ),
    "U": (
        Variant(0.8, _fingers(STRAIGHT, STRAIGHT), (-1, 1, 0, 0), ACROSS),
        Variant(0.2, _fingers(STRAIGHT, STRAIGHT), (-3, 0, 0, 0), _HOLDING, (0, 30, 6)),
    ),
    "V": (
        Variant(0.8, _fingers(STRAIGHT, STRAIGHT), (9, -8, 0, 0), ((14, 20), (-30, 14), (-66, 4))),
        Variant(0.2, _fingers(STRAIGHT, STRAIGHT), (12, -11, 0, 0), ACROSS, (0, 4, 4)),
    ),
    "W": (
        Variant(0.7, (STRAIGHT, STRAIGHT, STRAIGHT, FIST), (9, 0, -10, 0), ((12, 22), (-44, 12), (-64, 2))),
        Variant(0.3, (STRAIGHT, STRAIGHT, STRAIGHT, (58, 70, 36)), (10, 0, -11, 0), ((8, 28), (-42, 20), (-60, 8))),
    ),
    "X": (
        Variant(0.3, _fingers((22, 60, 44)), _NONE, ((8, 18), (-20, 12), (-36, 4)), (-10, 0, 8)),
        Variant(0.2, _fingers((16, 84, 56)), _NONE, OVER, (-4, 12, 8)),
        Variant(0.3, _fingers((20, 38, 32)), _NONE, _BETWEEN, (-10, 2, 8)),
        Variant(0.2, _fingers((18, 66, 46)), _NONE, _HOLDING, (0, 60, 4), LOOSE),
    ),
    "Y": (
        Variant(0.75, (FIST, FIST, FIST, STRAIGHT), (0, 0, 0, -24), ((34, 10), (38, 12), (50, 14)), (-6, 12, 6)),
        Variant(
            0.25,
            _fingers((52, 92, 34), (52, 94, 34), (50, 90, 34), STRAIGHT),
            (0, 0, 0, -18),
            ((36, 8), (48, 8), (60, 8)),
            (8, 8, 4),
        ),
    ),
    "Z": (
        Variant(0.6, _fingers(STRAIGHT), (2, 0, 0, 0), ((15, 18), (-6, 14), (-34, 6)), (-4, 12, 6), LOOSE),
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


def _of(letter: int) -> I64:
    return np.flatnonzero(np.equal(LETTER, letter))


def first_variants() -> I64:
    """Index of each letter's commonest variant, as in charts; int64 (26,)."""
    return np.array([_of(k)[WEIGHT[_of(k)].argmax()] for k in range(len(LETTERS))])


def draw_variants(rng: np.random.Generator) -> I64:
    """One person's variant of each letter, int64 (26,), by weight."""
    chance = np.log(WEIGHT) + rng.gumbel(size=len(WEIGHT))
    return np.array([_of(k)[chance[_of(k)].argmax()] for k in range(len(LETTERS))])
