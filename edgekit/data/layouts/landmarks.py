"""Names of landmark columns, as edgekit and other projects write them: `x0`, `WRIST_x`, `left_hand_3_y`, `lm_0_z`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.data.hand import LANDMARKS

#: MediaPipe's 21, in its order.
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
JOINTS = (("cmc", "mcp", "ip", "tip"), *[("mcp", "pip", "dip", "tip")] * 4)
NAMES = ("wrist", *(f"{finger} {joint}" for finger, joints in zip(FINGERS, JOINTS, strict=True) for joint in joints))

AXES = {"x": "x", "y": "y", "z": "z", "v": "v", "vis": "v", "visibility": "v", "presence": "v"}
SIDES = {"left": 0, "l": 0, "lh": 0, "right": 1, "r": 1, "rh": 1}
#: Words that tell nothing.
NOISE = {"hand", "finger", "landmark", "landmarks", "lm", "point", "pt", "p", "kp", "keypoint", "joint", "coord"}
#: Landmarks that a tracker gives: of hands, poses, faces, and their sums.
COUNTS = (LANDMARKS, 2 * LANDMARKS, 33, 75, 468, 478, 501, 543, 553)


@dataclass(frozen=True)
class Landmark:
    """What a column's name says.

    hand: 0 left, 1 right, or its number; -1 where the name tells none. point: a number, or one of NAMES.
    """

    hand: int
    point: int | str
    axis: str


def parse_landmark(name: str) -> Landmark | None:
    """What a column's name stands for; None for one that is no landmark's."""
    spaced = re.sub("(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word.lower() for word in re.findall("[A-Za-z]+|[0-9]{1,6}", spaced)]
    if len(words) < 2 or re.search("[^A-Za-z0-9 ._-]", name):
        return None
    axis = AXES.get(words[-1]) or AXES.get(words[0])
    rest = words[:-1] if words[-1] in AXES else words[1:]
    sides = [SIDES[word] for word in rest if word in SIDES]
    numbers = [int(word) for word in rest if word.isdigit()]
    named = [word.replace("little", "pinky") for word in rest if word not in {*SIDES, *NOISE} and not word.isdigit()]
    if axis is None or len(sides) > 1:
        return None
    if named:
        point = " ".join(named)
        hand = sides[0] if sides else numbers[0] if numbers else -1
        return Landmark(hand, point, axis) if point in NAMES and len(numbers) + len(sides) <= 1 else None
    if len(numbers) == 2 and not sides:
        return Landmark(numbers[0], numbers[1], axis)
    return Landmark(sides[0] if sides else -1, numbers[0], axis) if len(numbers) == 1 else None


def landmark_order(names: Sequence[str]) -> list[int] | str:
    """Positions of the columns hand by hand, landmark by landmark, axis by axis; or what is wrong with them, in words.

    Landmarks count from 0 or from 1, and every one has the same axes.
    """
    found = [parse_landmark(name) for name in names]
    unknown = [name for name, landmark in zip(names, found, strict=True) if landmark is None]
    if unknown:
        return f"unknown column '{unknown[0]}'"
    at = {landmark: k for k, landmark in enumerate(found) if landmark is not None}
    if len(at) < len(names):
        twice = next(name for k, name in enumerate(names) if at[found[k]] != k)  # type: ignore[index]
        return f"column '{twice}' and another one are the same landmark"
    hands = sorted({landmark.hand for landmark in at})
    axes = [axis for axis in ("x", "y", "z", "v") if any(landmark.axis == axis for landmark in at)]
    points = _points({landmark.point for landmark in at})
    if isinstance(points, str):
        return points
    wanted = [Landmark(hand, point, axis) for hand in hands for point in points for axis in axes]
    missing = next((landmark for landmark in wanted if landmark not in at), None)
    if missing is not None:
        return f"no column '{_name(missing)}' beside {names[0]} and {names[-1]}"
    return [at[landmark] for landmark in wanted]


def _points(found: set[int | str]) -> list[int | str] | str:
    """Every landmark that has to be there."""
    numbers = sorted(point for point in found if isinstance(point, int))
    if numbers and len(numbers) < len(found):
        return "some landmarks have numbers and some have names"
    if not numbers:
        return list(NAMES)
    first = 1 if numbers[0] == 1 else 0
    count = numbers[-1] - first + 1
    if count not in COUNTS:
        count = next((hands * LANDMARKS for hands in (1, 2) if count <= hands * LANDMARKS), count)
    if count not in COUNTS or count > 2 * len(numbers) + 2 * LANDMARKS:
        return f"{len(numbers)} landmarks up to number {numbers[-1]} match no known tracker (a hand has {LANDMARKS})"
    return list(range(first, first + count))


def _name(landmark: Landmark) -> str:
    """Name of a landmark as edgekit calls it, or much like it."""
    side = "" if landmark.hand < 0 else f"{landmark.hand}_"
    if isinstance(landmark.point, int):
        return f"{side}{landmark.axis}{landmark.point}"
    return f"{side}{landmark.point.replace(' ', '_')}_{landmark.axis}"
