"""A film of hands as Chromium's fake camera takes it: letters.jpg, tile by tile, each a little in motion, and nothing
between them. See draw_letters.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SHEET = Path(__file__).with_name("letters.jpg")
LETTERS, COLUMNS, TILE = "ABCDEFGHIKLMNOPQRSTUVWXY", 6, (240, 320)
RATE = 30
#: Frames of a letter, of nothing behind it, and of nothing at the end of the film, which tells where it begins anew.
HELD, GAP, END = 45, 15, 150
#: Seconds from the beginning of a letter to the next one's.
PACE_S = (HELD + GAP) / RATE


def still(letter: str) -> Any:
    """uint8 (480, 640, 3), red first."""
    import cv2

    sheet = cv2.imread(str(SHEET))
    row, column = divmod(LETTERS.index(letter), COLUMNS)
    height, width = TILE
    tile = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
    return np.ascontiguousarray(cv2.resize(tile, (640, 480), interpolation=cv2.INTER_CUBIC)[:, :, ::-1])


def held(letter: str, frames: int = HELD) -> Iterator[Any]:
    """The hand as somebody holds it: turned by half a degree and moved by a pixel, back and forth."""
    import cv2

    picture = still(letter)
    for k in range(frames):
        matrix = cv2.getRotationMatrix2D((320, 260), 0.6 * np.sin(k / 5), 1 + 0.004 * np.sin(k / 7))
        matrix[:, 2] += [1.2 * np.sin(k / 6), 1.2 * np.cos(k / 5)]
        yield cv2.warpAffine(picture, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)


def film(letters: str = LETTERS) -> Iterator[Any]:
    """Every frame, red first."""
    nothing = np.full((480, 640, 3), 90, np.uint8)
    for letter in letters:
        yield from held(letter)
        yield from [nothing] * GAP
    yield from [nothing] * END


def write_film(path: Path, letters: str = LETTERS) -> Path:
    """As .mjpeg: one JPEG behind the other."""
    import cv2

    with path.open("wb") as file:
        for frame in film(letters):
            file.write(cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    return path
