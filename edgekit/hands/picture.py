"""A picture of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.hands.opencv import opencv


@dataclass(frozen=True, eq=False)
class Picture:
    """time_s: since the first picture of its source. pixels: uint8 (height, width, 3), red first, upright."""

    time_s: float
    pixels: NDArray[np.uint8]

    @property
    def aspect(self) -> float:
        """Width / height, as recordings keep it."""
        height, width = self.pixels.shape[:2]
        return float(width / height)


def as_picture(pixels: Any) -> NDArray[np.uint8]:
    """OpenCV's picture, blue first or grey, as a `Picture` holds it."""
    cv2 = opencv()
    order = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, order), np.uint8)
