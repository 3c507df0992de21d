"""Videos for tests, written by OpenCV, and a video file that stands in for a camera."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

HAND = Path(__file__).parent / "hands" / "hand.png"


def write_film(path: Path, frames: Any, rate: float = 30.0, fourcc: str = "mp4v") -> Path:
    """frames: uint8 (height, width, 3) each, red first; none is a video without a frame."""
    import cv2

    frames = list(frames)
    height, width = frames[0].shape[:2] if frames else (240, 320)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[:, :, ::-1]))
    writer.release()
    return path


def grey(count: int, height: int = 48, width: int = 64) -> list[Any]:
    """Frames that get lighter: frame k is 8 k."""
    return [np.full((height, width, 3), 8 * k, np.uint8) for k in range(count)]


def turn_film(path: Path) -> Path:
    """Writes into an .mp4 what a phone writes that was held upright: turn by 90 degrees, clockwise, to show."""
    content = path.read_bytes()
    upright = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    turned = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    head, found, tail = content.rpartition(upright)  # the track's matrix; the film's own comes before it
    assert found
    path.write_bytes(head + turned + tail)
    return path


class FilmCamera:
    """A video file as a camera, which goes away where the video ends."""

    def __init__(self, path: Path) -> None:
        import cv2

        self._capture = cv2.VideoCapture(str(path))
        self.get = self._capture.get
        self.closed = False

    def read(self) -> tuple[bool, Any]:
        found, pixels = self._capture.read()
        return found, pixels

    def close(self) -> None:
        self._capture.release()
        self.closed = True


class FakeTracker:
    """Sees a hand in every picture that is not dark; its wrist's x is how light the picture is, in 0 to 1. Left of the
    middle it is an L."""

    def __init__(self, num_hands: int = 1) -> None:
        self.num_hands, self.resets = num_hands, 0

    def reset(self) -> None:
        self.resets += 1

    def track(self, pixels: Any) -> list[Any]:
        from edgekit.hands import Hand

        light = float(pixels.mean()) / 255
        if light < 0.1:
            return []
        landmarks = np.linspace(light, 1, 63, dtype=np.float32).reshape(21, 3)
        hands = [Hand(landmarks, "L" if light < 0.5 else "R", 0.9, 0.9), Hand(landmarks / 2, "L", 0.8, 0.8)]
        return hands[: self.num_hands]
