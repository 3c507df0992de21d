"""A hand drawn over its picture, as in a mirror, with a line of text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.hands.opencv import opencv
from edgekit.hands.tracker import Hand

#: Landmarks that belong together: five fingers from the wrist on, and the palm's edge.
BONES = (*((4 * f + k if k else 0, 4 * f + k + 1) for f in range(5) for k in range(4)), (5, 9), (9, 13), (13, 17))
BONE, JOINT, PAPER, INK = (60, 200, 90), (250, 250, 250), (20, 20, 20), (250, 250, 250)


def draw_hands(pixels: NDArray[np.uint8], hands: Sequence[Hand], text: str) -> NDArray[np.uint8]:
    """A mirrored copy of a picture, uint8 (height, width, 3), with its hands, and `text` (plain letters) below."""
    cv2 = opencv()
    shown: NDArray[np.uint8] = np.array(cv2.flip(pixels, 1))
    height, width = shown.shape[:2]
    for hand in hands:
        far = np.clip(hand.landmarks[:, :2], -1, 2)
        points = [(int((1 - x) * width), int(y * height)) for x, y in far.tolist()]
        for start, end in BONES:
            cv2.line(shown, points[start], points[end], BONE, 2, cv2.LINE_AA)
        for point in points:
            cv2.circle(shown, point, 3, JOINT, -1, cv2.LINE_AA)
    bar = max(height // 12, 1)
    shown[height - bar :] = PAPER
    place = (8, height - bar // 3)
    cv2.putText(shown, text, place, cv2.FONT_HERSHEY_SIMPLEX, bar / 50, INK, 1, cv2.LINE_AA)
    return shown
