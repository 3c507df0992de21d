"""What letters are made of: how fingers bend, where the thumb lies, how the hand faces, and a variant of a letter."""

from __future__ import annotations

from typing import NamedTuple

#: Knuckle, middle and end joint, straight = 0.
Bend = tuple[float, float, float]
#: Direction of each of the thumb's bones: in the palm's plane, 0 along the fingers, and lifted out of it.
Thumb = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
Triple = tuple[float, float, float]

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
LEANING: Triple = (12.0, 10.0, 8.0)


Fingers = tuple[float, float, float, float]
#: How far each finger's direction and bend vary on their own, against FREE ones: index and middle finger lie side by
#: side or cross, all four lie side by side.
FREE: Fingers = (1.0, 1.0, 1.0, 1.0)
TOUCHING: Fingers = (0.25, 0.25, 1.0, 1.0)
CROSSED: Fingers = (0.35, 0.35, 1.0, 1.0)
CLOSED: Fingers = (0.3, 0.3, 0.3, 0.3)


class Variant(NamedTuple):
    """One way to sign a letter.

    weight: how many signers do so, against the letter's other variants. fingers: index to little. spread: their
    directions in the palm, positive towards the thumb. facing: see FRONT; facing_sigma: between people. held: how far
    each finger varies on its own, see FREE.
    """

    weight: float
    fingers: tuple[Bend, Bend, Bend, Bend]
    spread: tuple[float, float, float, float]
    thumb: Thumb
    facing: Triple = FRONT
    facing_sigma: Triple = USUAL
    held: Fingers = FREE


def fingers(*straight: Bend, others: Bend = FIST) -> tuple[Bend, Bend, Bend, Bend]:
    """The first fingers as given, the others alike."""
    index, middle, ring, little = [*straight, *[others] * (4 - len(straight))]
    return index, middle, ring, little


FISTS = fingers()
CURVED = ((14, 46, 26), (17, 48, 30), (18, 47, 29), (12, 38, 24))
TIGHT = ((22, 60, 35), (27, 62, 34), (24, 55, 33), (14, 46, 28))
ROUND = ((38, 78, 41), (41, 79, 39), (37, 72, 38), (29, 60, 38))
FLAT_ROUND = ((58, 34, 18), (62, 36, 18), (60, 34, 18), (52, 30, 18))
NONE = (0, 0, 0, 0)
#: Two fingers stand, two are held down by the thumb: the ring finger leans to the little one.
PAIR = (-6, -3)
HELD_DOWN: Bend = (64, 101, 55)
PINCH_DOWN: Thumb = ((-14, 48), (-36, 42), (-36, 36))
BETWEEN: Thumb = ((4, 22), (-10, 20), (-19, 14))
OPPOSED: Thumb = ((12, 42), (2, 55), (-5, 46))
#: Fingers over the thumb, bent or flat, and tucked ones, for M and N.
OVER_THREE = (OVER_THUMB, (73, 87, 25), (58, 88, 26), TUCKED)
OVER_TWO = (OVER_THUMB, OVER_THUMB, (78, 98, 52), TUCKED)
FLAT_THREE = ((78, 48, 17), (82, 48, 16), (80, 48, 17), (86, 90, 38))
FLAT_TWO = ((80, 50, 18), (84, 50, 17), (84, 88, 38), (86, 90, 38))
BENT_TIGHT: Bend = (5, 92, 54)
POINTING: Bend = (41, 12, 3)
