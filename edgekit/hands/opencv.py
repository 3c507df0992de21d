"""OpenCV, loaded so that it keeps its own words to itself: what it has to say, edgekit says in one message."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any

from edgekit.errors import MissingExtraError, missing_extra
from edgekit.reading import reason

#: Read when OpenCV is loaded, or opens its first video: silent (AV_LOG_QUIET is -8), and no picture of more than 134
#: megapixels, whatever its header promises.
VARIABLES = {
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(2**27),
}


def opencv(command: str = "this") -> Any:
    """The module cv2. command: who needs it, for the message. Raises MissingExtraError where it is not there, or can't
    be loaded, as where a library of the system is missing."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    try:
        module = importlib.import_module("cv2")
    except ModuleNotFoundError:
        raise missing_extra(command, "OpenCV", "camera") from None
    except ImportError as error:
        raise MissingExtraError(
            f"{command} needs OpenCV, which can't be loaded ({reason(error)}): pip install opencv-python-headless"
        ) from None
    if hasattr(module, "setLogLevel"):
        module.setLogLevel(0)
    return module


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Whatever C libraries write to stderr meanwhile goes nowhere: libjpeg, libpng and the like can't be asked not to.
    For short calls: other threads' words would be lost, too."""
    try:
        kept = os.dup(2)
    except OSError:  # closed: nobody could read it
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
