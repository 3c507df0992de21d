"""One source of pictures for all: a video, a folder of pictures, a single picture, or a camera.

    with open_pictures("film.mp4") as pictures:
        for picture in pictures:
            tracker.track(picture.pixels)

Turned phones are no matter: videos and pictures come upright, as their own metadata say.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.layouts.numbering import natural_key
from edgekit.errors import InputError
from edgekit.hands.cameras import open_camera, picture_stream
from edgekit.hands.opencv import muted, opencv
from edgekit.hands.picture import Picture, as_picture
from edgekit.reading import FileKind, StrPath, open_file, read_file

#: What a picture's file may be called; what is called otherwise is opened as a video.
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
VIDEO = FileKind("a video", InputError, 10**12, missing="give a video, a folder of pictures, or a camera's number")
PICTURE = FileKind("a picture", InputError, 10**8, advice="save it as JPEG or PNG")
#: Frames a second that a video may claim; beyond, as of a browser's recordings, it is a clock's unit.
LEAST_RATE, LARGEST_RATE = 0.1, 480.0
#: How many times as long as the other one a side of a video's pixels may be.
LARGEST_PIXEL = 4.0
#: How fast pictures of a folder follow each other where nobody says it.
ASSUMED_RATE = 30.0


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures one after the other; iterate once.

    name: for messages, such as `film.mp4` or `camera 0`. kind: `video`, `pictures` or `camera`. rate: frames a second
    as the source says it, None where it says nothing sensible, and for pictures. count: how many there are, as the
    source says it (a damaged or odd video has fewer), None for a camera.
    """

    name: str
    kind: str
    rate: float | None
    count: int | None
    stream: Iterator[Picture]

    def __iter__(self) -> Iterator[Picture]:
        return self.stream


@contextlib.contextmanager
def open_pictures(source: StrPath | int, *, newest: bool = True, rate: float | None = None) -> Iterator[Pictures]:
    """Opens a source and reads its first picture, so that what can't be read is said here.

    source: a whole number, or its digits where no file is called so, or /dev/videoN: a camera. Else a path: of a video,
    a picture, or a folder of pictures, which come in natural order (2 before 10). newest: of a camera, whether whoever
    reads slowly misses pictures (always the newest one) or gets each (later and later). rate: how many a second the
    pictures of a folder are, 30 unless said; of nothing else.

    Raises InputError: no such camera, or none that gives pictures; no such file, or none that is a picture or a video
    with a frame in it; a folder without pictures. While iterating, InputError for a camera that goes away and for a
    picture of a folder that can't be read. MissingExtraError without OpenCV.
    """
    opencv("reading pictures")
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        raise InputError(f"open_pictures: rate is {rate!r}; expected pictures a second, above 0")
    number = camera_number(source)
    with _camera(number, newest) if number is not None else _files(Path(str(source)), rate) as pictures:
        yield pictures


def camera_number(source: StrPath | int) -> int | None:
    """Which camera a source names, None where it is a path."""
    if isinstance(source, int):
        if source < 0:
            raise InputError(f"camera {source}: cameras are counted from 0")
        return source
    found = re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", str(source))
    return int(found[1]) if found and (str(source).startswith("/dev/") or not Path(source).exists()) else None


def pictures_in(folder: Path) -> list[Path]:
    """The files of a folder that are called as pictures are, in natural order."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: natural_key(path.name))


def read_picture(path: Path) -> NDArray[np.uint8]:
    """uint8 (height, width, 3), red first, upright. Raises InputError for a file that is no picture."""
    cv2, content = opencv("reading pictures"), read_file(path, PICTURE)
    pixels = None
    if content:
        with muted(), contextlib.suppress(cv2.error):
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        what = "is empty (0 bytes)" if not content else "can't be read as a picture: damaged, too large or another kind"
        raise InputError(f"{path}: {what}; save it as JPEG or PNG")
    return as_picture(pixels)


def _files(path: Path, rate: float | None) -> contextlib.AbstractContextManager[Pictures]:
    stills = path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES
    return _stills(path, rate) if stills else _video(path)


@contextlib.contextmanager
def _camera(number: int, newest: bool) -> Iterator[Pictures]:
    camera = open_camera(number)
    rate = _rate_of(camera)
    with picture_stream(camera, number, newest) as stream:
        yield _begun(Pictures(f"camera {number}", "camera", rate, None, stream), "gives no picture")


@contextlib.contextmanager
def _stills(path: Path, rate: float | None) -> Iterator[Pictures]:
    files = pictures_in(path) if path.is_dir() else [path]
    if not files:
        known = ", ".join(PICTURE_SUFFIXES)
        raise InputError(f"{path}: holds no pictures ({known}); give a folder of pictures, or name a video")
    stream = (Picture(k / (rate or ASSUMED_RATE), read_picture(file)) for k, file in enumerate(files))
    yield _begun(Pictures(str(path), "pictures", rate, len(files), stream), "holds no picture")


@contextlib.contextmanager
def _video(path: Path) -> Iterator[Pictures]:
    cv2 = opencv()
    with open_file(path, VIDEO) as file:
        if not file.read(1):
            raise InputError(f"{path}: is empty (0 bytes); record it again")
    _refuse_no_text(path)
    known = cv2.videoio_registry.getStreamBackends()
    with muted():
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG if cv2.CAP_FFMPEG in known else cv2.CAP_ANY)
    try:
        if not capture.isOpened():
            raise InputError(
                f"{path}: can't be read as a video, or is cut off; give an .mp4, .mov, .avi, .mkv or .webm that plays"
            )
        rate, count = _rate_of(capture), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        whole = int(count) if math.isfinite(count) and count >= 1 else None
        stream = _frames(capture, cv2.CAP_PROP_POS_MSEC, rate)
        yield _begun(Pictures(str(path), "video", rate, whole, stream), "is a video without a frame that can be read")
    finally:
        capture.release()


def _refuse_no_text(path: Path) -> None:
    """OpenCV dies of names that are no text."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{path}: its name is not text (its bytes are not UTF-8), and OpenCV opens none such; rename it"
        ) from None


def _frames(capture: Any, clock: int, rate: float | None) -> Iterator[Picture]:
    """A video's pictures at its own times, from 0 on; where its clock stands still, by its rate."""
    start, last, step, wide = None, -1.0, 1 / (rate or ASSUMED_RATE), _pixel_shape(capture)
    while True:
        given, pixels = capture.read()
        if not given:
            return
        time_s = capture.get(clock) / 1000
        start = time_s if start is None else start
        last = time_s - start if time_s - start > last else last + step
        yield Picture(last, with_square_pixels(as_picture(pixels), wide))


def _pixel_shape(capture: Any) -> float:
    """Width / height of a video's pixels, as it is shown upright: 1 but for camcorders and television. A video whose
    pixels are more than `LARGEST_PIXEL` times as long on one side says nothing sensible, and counts as square."""
    cv2 = opencv()
    across, down = (float(capture.get(part)) for part in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
    wide = across / down if across > 0 and down > 0 else 1.0
    turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90
    return (1 / wide if turned else wide) if 1 / LARGEST_PIXEL <= wide <= LARGEST_PIXEL else 1.0


def with_square_pixels(pixels: NDArray[np.uint8], wide: float) -> NDArray[np.uint8]:
    """uint8 (height, width, 3), stretched so that pixels of width / height `wide` become square, to one percent."""
    if abs(wide - 1) <= 0.01:
        return pixels
    height, width = pixels.shape[:2]
    size = (round(width * max(wide, 1)), round(height / min(wide, 1)))
    return np.asarray(opencv().resize(pixels, size), np.uint8)


def _rate_of(capture: Any) -> float | None:
    rate = float(capture.get(opencv().CAP_PROP_FPS))
    return rate if math.isfinite(rate) and LEAST_RATE <= rate <= LARGEST_RATE else None


def _begun(pictures: Pictures, fault: str) -> Pictures:
    """The same pictures, of which the first has been read. Raises InputError where there is none."""
    first = next(pictures.stream, None)
    if first is None:
        raise InputError(f"{pictures.name}: {fault}")
    rest: Iterable[Picture] = pictures.stream
    return Pictures(pictures.name, pictures.kind, pictures.rate, pictures.count, chain([first], rest))
