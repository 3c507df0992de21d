"""One stream through a library of `edgekit compile`: a frame in, logits out."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import ModelFileError
from edgekit.runtime.session import validate_input

F32 = NDArray[np.float32]
_ALIGNMENT = 64


class Block:
    """Memory of zeros whose address C may keep."""

    def __init__(self, size: int) -> None:
        self._memory = np.zeros(size + _ALIGNMENT, np.uint8)
        start = self._memory.ctypes.data
        self.pointer = ctypes.c_void_p(start + -start % _ALIGNMENT)


class NativeStream:
    """A stream that begins with its first step. Made by `NativePredictor.stream`. One thread at a time."""

    def __init__(self, library: ctypes.CDLL, variant: int, sizes: tuple[int, int, int], path: Path) -> None:
        """variant: its place in the library; sizes: features, classes, bytes of the struct."""
        self.features, self.classes, size = sizes
        self._library, self._variant, self._path = library, ctypes.c_int(variant), path
        self._stream = Block(size)
        self._frame, self._logits = np.zeros(self.features, np.float32), np.zeros(self.classes, np.float32)
        self._places = [ctypes.c_void_p(one.ctypes.data) for one in (self._frame, self._logits)]
        self.reset()

    def reset(self) -> None:
        """Begin anew: what comes next is a first frame."""
        self._library.ek_reset(self._stream.pointer)

    def step(self, frame: ArrayLike) -> F32:
        """Logits float32 (classes,) after one more frame, float32 (features,). Raises ShapeError for what is no such
        frame, ModelFileError for numbers that the library refuses; the stream is as it was then."""
        self._take(frame, self._places[1], self.classes)
        return self._logits.copy()

    def skip(self, frame: ArrayLike) -> None:
        """The same without an answer, which is about half of the work."""
        self._take(frame, None, 0)

    def _take(self, frame: ArrayLike, logits: ctypes.c_void_p | None, classes: int) -> None:
        np.copyto(self._frame, validate_input(frame, (self.features,), "landmarks"))
        size = ctypes.c_size_t
        status = self._library.ek_step_with(
            self._variant, self._stream.pointer, self._places[0], size(self.features), logits, size(classes)
        )
        if status:
            raise ModelFileError(f"{self._path}: {self._library.ek_status(status).decode()}")
