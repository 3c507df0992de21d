"""Regions of interest: turned squares in a picture, where a network looks for a hand; with the numbers of MediaPipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.hands.opencv import opencv

Points = NDArray[np.float64]
#: Wrist, bases and middle joints of the fingers: what the next region is laid around.
STABLE = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
PALM_GROWTH, PALM_SHIFT = 2.6, -0.5
HAND_GROWTH, HAND_SHIFT = 2.0, -0.1


@dataclass(frozen=True)
class Region:
    """A square. centre (x, y) and side in pixels, angle in radians: how far a hand that points up was turned."""

    centre: Points
    side: float
    angle: float

    def points(self, inside: Points) -> Points:
        """Pixels of the picture, (n, 2), for points in 0 to 1 of the square."""
        return np.asarray((inside - 0.5) * self.side @ turn(self.angle).T + self.centre)

    def overlap(self, other: Region) -> float:
        """Intersection over union of the two squares as if none were turned."""
        low = np.maximum(self.centre - self.side / 2, other.centre - other.side / 2)
        high = np.minimum(self.centre + self.side / 2, other.centre + other.side / 2)
        shared = float(np.maximum(high - low, 0).prod())
        return shared / max(self.side**2 + other.side**2 - shared, 1e-9)


def turn(angle: float) -> Points:
    """The matrix that turns column vectors by `angle`."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def whole(height: int, width: int) -> Region:
    """The smallest square with the whole picture in its middle."""
    return Region(np.array([width / 2, height / 2]), float(max(height, width)), 0.0)


def around_palm(box: Points, points: Points) -> Region:
    """box: centre x, y, width, height; points (7, 2): wrist first, base of the middle finger third; all in pixels."""
    angle = _angle(points[2] - points[0])
    centre = box[:2] + turn(angle) @ np.array([0, PALM_SHIFT * box[3]])
    return Region(centre, PALM_GROWTH * float(box[2:4].max()), angle)


def around_hand(points: Points) -> Region:
    """Where the hand with these landmarks, (21, 2) in pixels, is looked for in the next picture."""
    angle = _angle(((points[5] + points[13]) / 2 + points[9]) / 2 - points[0])
    stable = points[STABLE]
    middle = (stable.min(0) + stable.max(0)) / 2
    upright = (stable - middle) @ turn(-angle).T
    low, high = upright.min(0), upright.max(0)
    size = high - low
    centre = middle + turn(angle) @ ((low + high) / 2 + np.array([0, HAND_SHIFT * size[1]]))
    return Region(centre, HAND_GROWTH * float(size.max()), angle)


def cut(picture: NDArray[np.uint8], region: Region, side: int, replicate: bool) -> NDArray[np.float32]:
    """The region as a network reads it: float32 (1, side, side, 3) in 0 to 1. Outside of the picture is black, or
    with `replicate` its nearest pixel."""
    cv2 = opencv()
    corners = region.points(np.array([[0.0, 0], [1, 0], [0, 1]])).astype(np.float32)
    target = np.array([[0, 0], [side, 0], [0, side]], np.float32)
    border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
    matrix = cv2.getAffineTransform(corners, target)
    made: Any = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(made, np.float32)[None] / np.float32(255)


def _angle(up: Points) -> float:
    """How far a direction is turned from straight up, in -pi to pi; y goes down."""
    angle = np.pi / 2 - np.arctan2(-up[1], up[0])
    return float(angle - 2 * np.pi * np.floor((angle + np.pi) / (2 * np.pi)))
