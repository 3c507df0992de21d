"""Cameras: which there are, and their pictures, taken by a thread so that nobody waits for one that has stopped."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from edgekit.errors import InputError
from edgekit.hands.opencv import muted, opencv
from edgekit.hands.picture import Picture, as_picture

#: A camera that has given no picture for so long has gone; the first one may take longer.
GONE_AFTER_S = 3.0
FIRST_AFTER_S = 15.0
#: Pictures that wait for a slow reader who wants each.
WAITING = 64
#: Between two tries of a camera that gives none.
PAUSE_S = 0.02


def now() -> float:
    """Seconds of a clock that only goes on; tests put their own in its place."""
    return time.monotonic()


class Camera(Protocol):
    """What is used of cv2.VideoCapture."""

    def read(self) -> tuple[bool, Any]:
        """Whether there is a picture, and the picture, blue first; waits for it."""

    def get(self, prop: int, /) -> float:
        """A property of OpenCV's."""

    def close(self) -> None:
        """Give the camera back."""


class _OpenCvCamera:
    def __init__(self, capture: Any) -> None:
        self._capture = capture
        self.read, self.get = capture.read, capture.get

    def close(self) -> None:
        self._capture.release()


def open_camera(number: int) -> Camera:
    """Camera `number`, as the system counts them. Raises InputError where it can't be had, with those that there are.

    Tests put another function in its place: any capture of OpenCV's, such as a video file's, will do.
    """
    cv2 = opencv("a camera")
    with muted():
        capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise InputError(f"camera {number}: {_why_not(number)}")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return _OpenCvCamera(capture)


def cameras() -> list[int]:
    """Numbers of the cameras that the system shows, where it does (Linux); a camera may have several, of which one
    gives pictures."""
    found = (path.name.removeprefix("video") for path in Path("/dev").glob("video[0-9]*"))
    return sorted(int(number) for number in found if number.isdigit())


def _why_not(number: int) -> str:
    there, place = cameras(), Path(f"/dev/video{number}")
    if not sys.platform.startswith("linux"):
        return "is not there, is used by another program, or may not be used by this one"
    if number not in there:
        others = f"there are {', '.join(map(str, there))}" if there else "no camera is connected"
        return f"is not there; {others}. A video will do, too: give its name"
    if not os.access(place, os.R_OK | os.W_OK):
        return f"you may not read {place}: `sudo usermod -aG video $USER`, then log in again"
    return (
        "can't be opened: another program uses it, or it gives no pictures; many cameras have two numbers, of which one"
        f" does (there are {', '.join(map(str, there))})"
    )


@contextlib.contextmanager
def picture_stream(
    camera: Camera, number: int, newest: bool, clock: Callable[[], float] | None = None
) -> Iterator[Iterator[Picture]]:
    """The pictures of an open camera, at the times at which they came; closes it. newest: see `open_pictures`."""
    feed = _Feed(camera, newest, clock or now)
    feed.start()
    try:
        yield _pictures(feed, number)
    finally:
        feed.stop()


def _pictures(feed: _Feed, number: int) -> Iterator[Picture]:
    """Raises InputError when the camera has gone; one that has given nothing at all just ends."""
    start: float | None = None
    while (taken := feed.take(FIRST_AFTER_S if start is None else GONE_AFTER_S)) is not None:
        time_s, pixels = taken
        start = time_s if start is None else start
        yield Picture(time_s - start, as_picture(pixels))
    if start is not None:
        raise InputError(
            f"camera {number}: gives no pictures any more; is it still plugged in, and does no other program use it?"
        )


class _Feed:
    """What a thread reads of a camera. The thread closes the camera, too: no other may while it reads."""

    def __init__(self, camera: Camera, newest: bool, clock: Callable[[], float]) -> None:
        self._camera, self._clock, self._newest = camera, clock, newest
        self._waiting: deque[tuple[float, Any]] = deque()
        self._changed = threading.Condition()
        self._over = self._gone = False
        self._thread = threading.Thread(target=self._run, name="edgekit-camera", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join(GONE_AFTER_S)

    def take(self, patience_s: float) -> tuple[float, Any] | None:
        """The next picture and its time; None where the camera has gone, or gives none for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._gone, patience_s)
            taken = self._waiting.popleft() if self._waiting else None
            self._changed.notify_all()
        return taken

    def _run(self) -> None:
        try:
            self._read_on()
        finally:
            self._camera.close()
            with self._changed:
                self._gone = True
                self._changed.notify_all()

    def _read_on(self) -> None:
        failed_s = 0.0
        while not self._over and failed_s < GONE_AFTER_S:
            given, pixels = self._read()
            failed_s = 0.0 if given else failed_s + PAUSE_S
            with self._changed:
                if given:
                    self._put((self._clock(), pixels))
                else:
                    self._changed.wait_for(lambda: self._over, PAUSE_S)

    def _read(self) -> tuple[bool, Any]:
        try:
            return self._camera.read()
        except opencv().error:
            return False, None

    def _put(self, picture: tuple[float, Any]) -> None:
        if self._newest:
            self._waiting.clear()
        self._changed.wait_for(lambda: len(self._waiting) < WAITING or self._over)
        self._waiting.append(picture)
        self._changed.notify_all()
