"""How a hand moves from frame to frame: whether it rests, how far its fingertips went, whether it stepped aside."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from edgekit.data import HAND_FEATURES, LANDMARKS, MIDDLE_BASE, WRIST
from edgekit.data.canonical import CANONICAL_ASPECT

F32 = NDArray[np.float32]

TIPS = (4, 8, 12, 16, 20)
PALM = (0, 5, 9, 13, 17)
#: Fingertips slower than this rest, in hand sizes a frame of 1/30 s: held letters stay below 0.1, letters that move go
#: 0.2 to 0.35 in the median (bench/words.py).
STILL = 0.1
#: Frames over which travel is summed, and within which a palm steps aside.
TRAVELLED, STEPPED = 12, 10


class Motion:
    """Of one hand, in canonical landmarks (`edgekit.data.canonical_takes`); frames are 1/30 s apart.

    speed: of the fastest fingertip, in hand sizes a frame. resting: frames since it was faster than `STILL`. travel: of
    the fastest fingertip, summed over the last `TRAVELLED` frames. step: how far the palm is from where it was at most
    `STEPPED` frames ago, in hand sizes. Of frames of other numbers than one hand's nothing is known: such a hand always
    rests.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """What comes next is a first frame."""
        self.speed, self.resting, self.step = 0.0, 0, 0.0
        self._tips: NDArray[np.float64] | None = None
        self._speeds: deque[float] = deque(maxlen=TRAVELLED)
        self._palms: deque[NDArray[np.float64]] = deque(maxlen=STEPPED)

    @property
    def travel(self) -> float:
        """See above."""
        return sum(self._speeds)

    def push(self, frame: F32) -> None:
        """One more frame, float32 (features,), with a hand."""
        if len(frame) == HAND_FEATURES:
            points = frame.reshape(LANDMARKS, 3)[:, :2].astype(np.float64) * (float(CANONICAL_ASPECT), 1.0)
            size = max(float(np.linalg.norm(points[MIDDLE_BASE] - points[WRIST])), 1e-3)
            self._follow(points, size)
        self.resting = self.resting + 1 if self.speed <= STILL else 0

    def _follow(self, points: NDArray[np.float64], size: float) -> None:
        tips, palm = points[list(TIPS)], points[list(PALM)].mean(axis=0)
        if self._tips is not None:
            self.speed = float(np.linalg.norm(tips - self._tips, axis=1).max()) / size
            self._speeds.append(self.speed)
        self.step = max((float(np.linalg.norm(palm - earlier)) for earlier in self._palms), default=0.0) / size
        self._tips = tips
        self._palms.append(palm)
