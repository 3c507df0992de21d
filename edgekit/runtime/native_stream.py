"""One stream through a library of `edgekit compile`: a frame in, logits out."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import InputError, ModelFileError, ShapeError
from edgekit.runtime.session import validate_input

F32 = NDArray[np.float32]
_ALIGNMENT = 64


#: The status for numbers that are too large (`model.h`).
_RANGE = 4


def refusal(library: ctypes.CDLL, status: int, path: Path) -> InputError:
    """The error that a status of the library at `path` stands for: ShapeError where it is about the numbers."""
    kind = ShapeError if status == _RANGE else ModelFileError
    return kind(f"{path}: {library.ek_status(status).decode()}")


class Block:
    """Memory of zeros whose address C may keep."""

    def __init__(self, size: int) -> None:
        self._memory = np.zeros(size + _ALIGNMENT, np.uint8)
        start = self._memory.ctypes.data
        self.pointer = ctypes.c_void_p(start + -start % _ALIGNMENT)


class NativeStream:
    """A stream that begins with its first step. Made by `NativePredictor.stream`. One thread at a time."""

    def __init__(
        self, library: ctypes.CDLL, variant: int, sizes: tuple[int, int, int], path: Path, rows: int = 1
    ) -> None:
        """variant: its place in the library; sizes: features, classes, bytes of the struct; rows: states that it keeps,
        which can be reset one by one and take the same frames."""
        self.features, self.classes, size = sizes
        self._library, self._variant, self._path = library, ctypes.c_int(variant), path
        self._rows = [Block(size) for _ in range(rows)]
        self._frame, self._logits = np.zeros(self.features, np.float32), np.zeros(self.classes, np.float32)
        self._places = [ctypes.c_void_p(one.ctypes.data) for one in (self._frame, self._logits)]
        self.reset()

    def reset(self, row: int | None = None) -> None:
        """Begin anew: what comes next is a first frame. row: of that one only."""
        for block in self._rows if row is None else [self._rows[row]]:
            self._library.ek_reset(block.pointer)

    def step(self, frame: ArrayLike, row: int = 0) -> F32:
        """Logits float32 (classes,) after one more frame, float32 (features,). Raises ShapeError for what is no such
        frame, ModelFileError for numbers that the library refuses; the stream is as it was then."""
        self._take(frame, row)
        return self._logits.copy()

    def skip(self, frame: ArrayLike) -> None:
        """The same without an answer, which is about half of the work."""
        self._take(frame, None)

    def _take(self, frame: ArrayLike, answering: int | None) -> None:
        """Into every row; what one refuses, the first one refuses."""
        np.copyto(self._frame, validate_input(frame, (self.features,), "landmarks"))
        size = ctypes.c_size_t
        for row, block in enumerate(self._rows):
            logits, classes = (self._places[1], self.classes) if row == answering else (None, 0)
            status = self._library.ek_step_with(
                self._variant, block.pointer, self._places[0], size(self.features), logits, size(classes)
            )
            if status:
                raise refusal(self._library, status, self._path)
