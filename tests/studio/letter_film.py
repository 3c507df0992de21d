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
#: Frames of a letter, and of nothing behind it.
HELD, GAP = 60, 15
#: Squares of so many pixels at the top left say in binary which letter it is, the first is 1; 0 is none.
MARK_PX, MARKS = 16, 5
#: In a page: the number that the marks of a canvas's picture say.
READ_MARKS = f"""(canvas) => {{
  const pixels = canvas.getContext('2d').getImageData(0, 0, {MARK_PX * MARKS}, {MARK_PX}).data;
  const light = (k) => pixels[4 * ({MARK_PX // 2} * {MARK_PX * MARKS} + {MARK_PX} * k + {MARK_PX // 2})] > 127;
  return Array.from({{ length: {MARKS} }}, (_, k) => (light(k) ? 2 ** k : 0)).reduce((a, b) => a + b);
}}"""


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


def marked(picture: Any, number: int) -> Any:
    """The picture with the marks of a number."""
    told = picture.copy()
    for k in range(MARKS):
        told[:MARK_PX, MARK_PX * k : MARK_PX * (k + 1)] = 255 * (number >> k & 1)
    return told


def film(letters: str = LETTERS) -> Iterator[Any]:
    """Every frame, red first."""
    nothing = marked(np.full((480, 640, 3), 90, np.uint8), 0)
    for number, letter in enumerate(letters, 1):
        yield from (marked(picture, number) for picture in held(letter))
        yield from [nothing] * GAP


def write_film(path: Path, letters: str = LETTERS) -> Path:
    """As .mjpeg: one JPEG behind the other."""
    import cv2

    with path.open("wb") as file:
        for frame in film(letters):
            file.write(cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    return path
