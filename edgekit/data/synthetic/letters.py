"""The ASL manual alphabet as joint angles of a right hand and the way it faces, with the variants signers use.

Angles in degrees, in the axes of `skeleton`: those of the joints themselves; what a hand tracker makes of them is
`reader`'s business. Shapes and orientations are those of the usual charts of the alphabet, checked by eye as skeletons
(`edgekit data synth --preview`) and as a rendered hand (`bench/tracker_readings/collect.py --picture`); the variants
are ones in common use. Angles and facings were corrected where nine recorders of the public recordings differ from them
(bench/synthetic_to_strangers.py names them and measures on all others); no take of theirs is in here.
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
FIST: Bend = (73, 104, 56)
#: Fingers that lie over the thumb, and the end of a fist behind them.
OVER_THUMB: Bend = (67, 89, 26)
TUCKED: Bend = (80, 100, 52)
#: Index and middle finger that point down, as the hand faces down: of Q, and of P's second.
DOWN: Bend = (60, 7, 4)
DROPPED: Bend = (70, 38, 20)

#: Thumb, for letters that share it: across the folded fingers, in front of them, beside the fist, over its front.
ACROSS: Thumb = ((-5, 32), (-38, 20), (-66, 2))
HOLDING: Thumb = ((0, 42), (-36, 26), (-61, 8))
BESIDE: Thumb = ((27, 22), (2, 20), (0, 11))
OVER: Thumb = ((4, 34), (-36, 28), (-86, 0))

#: How the hand faces: (roll in the image, turn of the palm to the image's right, palm tipped down).
FRONT: Triple = (0.0, 8.0, 8.0)
TURNED: Triple = (0.0, 40.0, 6.0)
#: Pointing sideways: away from the signer with the palm to the camera, across the signer with its back to it, or so
#: that the camera sees the thumb's side, the palm down.
OUTWARD: Triple = (-63.0, 10.0, 9.0)
INWARD: Triple = (-84.0, 162.0, -4.0)
EDGEWISE: Triple = (-40.0, 75.0, 32.0)
#: Hanging from the wrist: palm down, turned aside, or its back to the camera.
PALM_DOWN: Triple = (-50.0, -10.0, 62.0)
ASIDE: Triple = (-120.0, 66.0, 58.0)
HANGING: Triple = (-142.0, 175.0, 0.0)
#: Fingers towards the camera.
TOWARDS: Triple = (-3.0, -3.0, 56.0)

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
_CURVED = ((14, 46, 26), (17, 48, 30), (18, 47, 29), (12, 38, 24))
_TIGHT = ((22, 60, 35), (27, 62, 34), (24, 55, 33), (14, 46, 28))
_ROUND = ((38, 78, 41), (41, 79, 39), (37, 72, 38), (29, 60, 38))
_FLAT_ROUND = ((58, 34, 18), (62, 36, 18), (60, 34, 18), (52, 30, 18))
_NONE = (0, 0, 0, 0)
#: Two fingers stand, two are held down by the thumb: the ring finger leans to the little one.
_PAIR = (-6, -3)
_PINCH_DOWN: Thumb = ((-14, 48), (-36, 42), (-36, 36))
_BETWEEN: Thumb = ((4, 22), (-10, 20), (-19, 14))
_MEETS: Thumb = ((10, 42), (-12, 46), (-18, 24))
_OPPOSED: Thumb = ((12, 42), (2, 55), (-5, 46))
#: Fingers over the thumb, bent or flat, and tucked ones, for M and N.
_OVER_THREE = (OVER_THUMB, (73, 87, 25), (58, 88, 26), TUCKED)
_OVER_TWO = (OVER_THUMB, OVER_THUMB, (78, 98, 52), TUCKED)
_FLAT_THREE = ((78, 48, 17), (82, 48, 16), (80, 48, 17), (86, 90, 38))
_FLAT_TWO = ((80, 50, 18), (84, 50, 17), (84, 88, 38), (86, 90, 38))
_BENT_TIGHT: Bend = (5, 92, 54)
_POINTING: Bend = (41, 12, 3)

LETTERS: dict[str, tuple[Variant, ...]] = {
    "A": (
        Variant(0.55, _FISTS, _NONE, BESIDE, (5, 2, 6)),
        Variant(0.45, _FISTS, _NONE, ((28, 12), (12, 12), (9, 8)), (2, 22, 3)),
    ),
    "B": (
        Variant(0.6, (STRAIGHT,) * 4, (-3, -1, -1, 0), ((7, 22), (-25, 16), (-50, 12)), (4, 0, 9)),
        Variant(0.15, (STRAIGHT,) * 4, (-2, -2, -1, 0), ((19, 12), (0, 8), (-7, 6)), (0, 14, 8)),
        Variant(0.25, (STRAIGHT,) * 4, (1, 1, -4, -4), ((7, 20), (-33, 20), (-63, 10)), (6, -18, 8)),
    ),
    "C": (
        Variant(0.25, _CURVED, (-2, 0, -1, 2), _OPPOSED, (6, 62, 18), LOOSE),
        Variant(0.15, _CURVED, (-2, 0, -1, 2), _OPPOSED, (0, 32, 8), LOOSE),
        Variant(0.5, _TIGHT, (-2, -2, -1, 4), ((12, 40), (3, 58), (-5, 46)), (0, 54, 0), LOOSE),
        Variant(0.1, _CURVED, (-2, 0, 0, 0), ((28, 32), (20, 36), (8, 32)), (0, 44, 8), LOOSE),
    ),
    "D": (
        Variant(
            0.4,
            (STRAIGHT, (60, 75, 38), (51, 77, 30), (42, 75, 46)),
            (0, 2, -1, 4),
            ((4, 48), (-26, 42), (-37, 31)),
            (0, 6, 3),
        ),
        Variant(
            0.35,
            (STRAIGHT, (55, 75, 34), (47, 79, 31), (34, 75, 42)),
            (1, 0, -1, 4),
            ((-3, 45), (-30, 40), (-34, 31)),
            (0, 22, 4),
            LOOSE,
        ),
        Variant(
            0.25,
            (STRAIGHT, (64, 84, 46), (71, 94, 50), (78, 99, 50)),
            (0, 2, -2, 0),
            ((4, 48), (-27, 38), (-45, 26)),
            (-2, 12, 16),
        ),
    ),
    "E": (
        Variant(
            0.25,
            ((38, 106, 56), (36, 104, 57), (23, 110, 60), (14, 106, 60)),
            (-1, 0, -2, -1),
            ((6, 26), (-36, 24), (-87, 2)),
            (-2, 4, 22),
        ),
        Variant(
            0.3,
            ((46, 103, 51), (48, 101, 54), (33, 102, 52), (22, 98, 55)),
            (-1, -1, -3, 1),
            ((7, 34), (-37, 26), (-84, 6)),
            (0, 5, 13),
        ),
        Variant(
            0.15,
            ((20, 98, 60), (17, 99, 62), (6, 97, 66), (5, 92, 60)),
            (0, -1, -2, -2),
            ((8, 27), (-31, 21), (-67, 7)),
            (0, 2, 24),
        ),
        Variant(
            0.3,
            ((26, 86, 44), (28, 84, 43), (19, 84, 43), (11, 78, 42)),
            (-1, -3, -2, 0),
            ((6, 28), (-31, 21), (-75, 7)),
            (2, 10, 18),
        ),
    ),
    "F": (
        Variant(
            0.75,
            ((38, 70, 33), STRAIGHT, STRAIGHT, STRAIGHT),
            (-2, -1, -5, -6),
            ((15, 24), (2, 34), (-26, 15)),
            (6, 3, 5),
        ),
        Variant(
            0.25,
            ((52, 46, 24), (8, 8, 3), STRAIGHT, STRAIGHT),
            (2, 2, -5, -14),
            ((6, 44), (-6, 45), (-10, 30)),
            (0, 4, 8),
            LOOSE,
        ),
    ),
    "G": (
        Variant(0.5, _fingers((18, 7, 3)), (-10, -4, 0, -2), ((17, 26), (-6, 20), (-23, 16)), OUTWARD, LOOSE),
        Variant(0.2, _fingers((20, 6, 3)), (-4, -2, 0, -2), ((20, 28), (2, 26), (-12, 18)), INWARD, LOOSE),
        Variant(0.2, _fingers((30, 10, 6)), (-3, -5, 0, -4), ((26, 54), (-2, 39), (-8, 26)), EDGEWISE, LOOSE),
        Variant(0.1, _fingers((28, 6, 4)), (0, 0, 0, 0), ((20, 32), (6, 34), (0, 30)), (-82, 120, 0), LOOSE),
    ),
    "H": (
        Variant(
            0.5, _fingers((12, 6, 1), (11, 5, 4)), (-8, -7, -2, -1), ((9, 28), (-30, 20), (-58, 10)), OUTWARD, LOOSE
        ),
        Variant(0.25, _fingers(STRAIGHT, STRAIGHT), (-5, 0, 0, 0), ((12, 35), (-32, 28), (-60, 2)), INWARD, LOOSE),
        Variant(
            0.25,
            _fingers((30, 16, 2), (37, 17, 0)),
            (-10, -5, -3, 0),
            ((12, 16), (-20, 28), (-42, 18)),
            (-60, 95, 20),
            LOOSE,
        ),
    ),
    "I": (
        Variant(0.5, (FIST, FIST, FIST, (16, 9, 3)), (0, -4, -1, -11), ((10, 25), (-27, 26), (-68, 6)), (0, 3, 15)),
        Variant(0.2, (FIST, FIST, FIST, (12, 8, 3)), (0, -4, -1, -11), OVER, (0, 4, 12)),
        Variant(0.3, (FIST, FIST, FIST, (12, 10, 5)), (0, -4, -1, -13), ((20, 28), (1, 4), (-9, 8)), (6, 4, 13)),
    ),
    "J": (
        Variant(0.5, (FIST, FIST, FIST, (16, 9, 3)), (0, -4, -1, -15), ((8, 27), (-28, 28), (-68, 6)), (-6, 3, 12)),
        Variant(0.2, (FIST, FIST, FIST, (12, 8, 3)), (0, -4, -1, -15), OVER, (-4, 4, 10)),
        Variant(0.3, (FIST, FIST, FIST, (12, 10, 5)), (0, -4, -1, -18), ((19, 28), (1, 8), (-12, 10)), (-4, 6, 10)),
    ),
    "K": (
        Variant(0.4, _fingers(STRAIGHT, (21, 9, 3)), (7, -8, -7, -2), _BETWEEN, (-2, -6, -3)),
        Variant(
            0.35, _fingers((0, 3, 1), (44, 9, 4)), (7, -7, -6, -3), ((1, 24), (-12, 23), (-12, 12)), (-2, -4, -4), LOOSE
        ),
        Variant(
            0.25,
            _fingers(STRAIGHT, (40, 11, 3)),
            (2, -2, -4, -4),
            ((-3, 26), (-18, 14), (-12, 14)),
            (-12, 38, 14),
            LOOSE,
        ),
    ),
    "L": (
        Variant(0.6, _fingers((8, 5, 3)), (-2, -2, -1, -4), ((38, 12), (45, 14), (54, 6)), (4, 2, 9)),
        Variant(0.4, _fingers((5, 4, 2)), (-2, -2, -1, -2), ((47, 18), (60, 18), (74, 10)), (2, -2, 7)),
    ),
    "M": (
        Variant(0.7, _OVER_THREE, (3, -1, -2, -2), ((-12, 34), (-56, 17), (-50, 24)), (2, 9, 14)),
        Variant(0.3, _FLAT_THREE, (3, 0, -2, -4), ((-8, 36), (-54, 24), (-46, 28)), (0, 12, 14)),
    ),
    "N": (
        Variant(0.75, _OVER_TWO, (5, -1, 1, -3), ((-8, 31), (-48, 18), (-41, 22)), (-3, 14, 7)),
        Variant(0.25, _FLAT_TWO, (6, 1, 0, -3), ((0, 38), (-44, 28), (-36, 26)), (3, 12, 18)),
    ),
    "O": (
        Variant(0.45, _ROUND, (-2, -3, 1, 1), ((13, 38), (-10, 46), (-15, 22)), (-3, 73, -2), LOOSE),
        Variant(
            0.3,
            ((39, 77, 42), (40, 74, 36), (36, 68, 34), (24, 56, 33)),
            (-3, -3, 1, 3),
            ((6, 46), (-15, 48), (-22, 24)),
            (2, 46, 7),
            LOOSE,
        ),
        Variant(
            0.15,
            ((45, 75, 42), (43, 72, 34), (32, 70, 33), (18, 55, 36)),
            (-2, -5, 1, 1),
            ((3, 48), (-22, 40), (-30, 22)),
            (-6, 18, 8),
            LOOSE,
        ),
        Variant(0.1, _FLAT_ROUND, (-3, -1, 0, 2), ((8, 44), (-8, 48), (-10, 40)), (-4, 58, 6), LOOSE),
    ),
    "P": (
        Variant(0.35, ((14, 2, 2), DROPPED, DROPPED, DROPPED), (-9, -3, -1, -2), _PINCH_DOWN, (-58, -6, 46), LOOSE),
        Variant(
            0.25,
            _fingers((10, 4, 0), (62, 12, 4)),
            (6, -2, -4, -7),
            ((4, 26), (-13, 26), (-6, 20)),
            (-42, 28, 60),
            LOOSE,
        ),
        Variant(
            0.15,
            _fingers((12, 4, 0), (70, 22, 4)),
            (10, 2, -10, -15),
            ((5, 28), (-14, 30), (2, 28)),
            (-40, 56, 70),
            LOOSE,
        ),
        Variant(
            0.15,
            _fingers((22, 10, 3), (42, 12, 6), others=(66, 70, 40)),
            (-6, -2, 2, 0),
            ((2, 36), (-26, 38), (-26, 22)),
            (20, -50, 66),
            LOOSE,
        ),
        Variant(
            0.1,
            _fingers((16, 5, 2), (58, 8, 3)),
            (7, -5, -1, 0),
            ((2, 24), (-14, 28), (-12, 26)),
            (-125, 128, 10),
            LOOSE,
        ),
    ),
    "Q": (
        Variant(
            0.45,
            _fingers(DOWN, others=(81, 89, 47)),
            (-9, -4, 0, 1),
            ((-16, 56), (-27, 52), (-50, 49)),
            PALM_DOWN,
            LOOSE,
        ),
        Variant(
            0.2,
            _fingers((49, 4, 6), others=(78, 84, 45)),
            (-2, 0, -2, 0),
            ((-20, 44), (-37, 47), (-42, 46)),
            ASIDE,
            LOOSE,
        ),
        Variant(
            0.15,
            _fingers((42, 1, 3), others=(73, 90, 40)),
            (4, 0, -3, 0),
            ((0, 37), (-25, 50), (-28, 48)),
            (-155, 130, 55),
            LOOSE,
        ),
        Variant(0.2, _fingers((14, 6, 4)), _NONE, ((22, 24), (10, 26), (-6, 20)), HANGING, LOOSE),
    ),
    "R": (
        Variant(0.5, _fingers((-2, 0, -1), (7, 6, 3)), (-17, 8, *_PAIR), ACROSS, (0, 8, 0)),
        Variant(0.5, _fingers((14, 7, 1), (22, 18, 9)), (-17, 9, *_PAIR), ((1, 43), (-33, 29), (-60, 4)), (-3, 4, 3)),
    ),
    "S": (
        Variant(0.7, _fingers(others=(78, 106, 57)), (-1, -4, 1, -1), OVER, (-2, 10, 8)),
        Variant(0.3, _fingers(others=(80, 106, 56)), (-1, -3, -1, -2), ((10, 38), (-35, 34), (-88, 0)), (-4, 4, 12)),
    ),
    "T": (
        Variant(0.4, _fingers((67, 86, 45)), (7, -3, 0, -1), ((4, 18), (-26, 24), (-36, 26)), (-4, 0, 9)),
        Variant(0.6, _fingers((57, 79, 38)), (6, -2, 0, -4), ((4, 29), (-22, 25), (-32, 25)), (-2, 5, 7)),
    ),
    "U": (
        Variant(0.65, _fingers((10, 6, 1), (5, 3, 1)), (-5, -1, *_PAIR), ACROSS, (2, 0, 2)),
        Variant(0.35, _fingers((6, 4, 1), (3, 3, 1)), (-6, -1, *_PAIR), HOLDING, (-2, 8, 4)),
    ),
    "V": (
        Variant(0.65, _fingers((8, 5, 1), (6, 5, 1)), (11, -10, *_PAIR), ACROSS, (0, -2, 4)),
        Variant(0.35, _fingers((8, 5, 2), (5, 4, 2)), (13, -12, *_PAIR), HOLDING, (-4, 3, 3)),
    ),
    "W": (
        Variant(0.6, ((8, 5, 1), (7, 7, 1), (6, 4, 1), FIST), (9, 2, -11, -1), ((-5, 29), (-45, 17), (-60, 9))),
        Variant(
            0.4, ((12, 8, 3), (12, 9, 4), (14, 5, 2), (48, 71, 43)), (12, 0, -10, -2), ((-8, 33), (-43, 22), (-57, 13))
        ),
    ),
    "X": (
        Variant(0.2, _fingers((17, 60, 38)), (0, -2, -3, -4), ((15, 35), (-36, 26), (-74, 0)), (-2, -14, 8)),
        Variant(
            0.3,
            _fingers(_BENT_TIGHT, others=(86, 101, 56)),
            (0, -2, -5, -3),
            ((4, 48), (-39, 36), (-86, -2)),
            (-12, 46, 4),
            LOOSE,
        ),
        Variant(0.35, _fingers((18, 61, 37)), (0, -3, -4, -4), ((13, 40), (-25, 31), (-56, 8)), (-2, -14, 8)),
        Variant(
            0.15,
            _fingers((6, 84, 48), others=(84, 98, 54)),
            (2, -2, -5, -2),
            ((15, 52), (-27, 42), (-60, 0)),
            (-4, 60, 6),
            LOOSE,
        ),
    ),
    "Y": (
        Variant(0.5, (FIST, FIST, FIST, (14, 9, 4)), (-1, -5, -2, -23), ((40, 12), (38, 15), (43, 6)), (-2, 8, 10)),
        Variant(
            0.5,
            ((65, 88, 41), (70, 88, 45), (66, 91, 41), (1, 3, 2)),
            (-1, -5, -3, -18),
            ((42, 5), (46, 8), (54, 8)),
            (-2, -2, 6),
        ),
    ),
    "Z": (
        Variant(0.3, _fingers((10, 4, 1)), (0, -3, -3, -5), ACROSS, (-2, 2, 6), LOOSE),
        Variant(0.3, _fingers((36, 14, 6)), (0, -1, -2, -5), ((4, 42), (-28, 24), (-55, 12)), (-2, -8, 14), LOOSE),
        Variant(
            0.2,
            _fingers(_POINTING, others=(86, 99, 57)),
            (1, 0, -3, -3),
            ((12, 40), (-33, 34), (-65, 15)),
            TOWARDS,
            LOOSE,
        ),
        Variant(
            0.2,
            _fingers((24, 17, 3), others=(80, 100, 54)),
            (3, 0, -3, -4),
            ((14, 34), (-36, 33), (-64, 16)),
            (-28, 54, 44),
            LOOSE,
        ),
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
