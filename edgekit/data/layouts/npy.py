"""The one reader of `.npy` files: a take, or one frame of a take."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32, LANDMARKS
from edgekit.data.layouts.raw import as_float32
from edgekit.errors import DataError

#: What numpy and zipfile raise on damaged, truncated, encrypted or oversized files.
READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    TypeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)

TAKE_SHAPES = "(frames, features) or (frames, landmarks, 3)"


def read_take(path: Path, strict: bool = True) -> F32:
    """One take, float32 (frames, features), from a file (frames, features) or (frames, landmarks, 3).

    strict: whether NaN and infinite numbers are refused. Raises DataError naming the file and the frame.
    """
    array = _read(path)
    if array.shape in ((LANDMARKS, 3), (2 * LANDMARKS, 3)):
        raise DataError(
            f"{path}: {array.shape} is one frame of landmarks, not a take; a take is {TAKE_SHAPES}, "
            "and frames lie in a folder of their own, class/take/frame.npy"
        )
    if array.size == 0 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise DataError(f"{path}: a take must be {TAKE_SHAPES}, got shape {array.shape}")
    take = as_float32(array.reshape(len(array), -1))
    bad = np.flatnonzero(~np.isfinite(take).all(axis=1))
    if strict and len(bad):
        raise DataError(f"{path}: frame {bad[0]} holds NaN or infinite numbers; record it again")
    return take


def read_frame(path: Path, strict: bool = True) -> F32:
    """One frame, float32 (features,), from a file (features,) or (landmarks, 3). See `read_take`."""
    array = _read(path)
    if array.ndim not in (1, 2) or array.size == 0:
        raise DataError(f"{path}: a frame must be (features,) or (landmarks, 3), got shape {array.shape}")
    frame = as_float32(array.reshape(-1))
    if strict and not np.isfinite(frame).all():
        raise DataError(f"{path}: holds NaN or infinite numbers; record it again")
    return frame


def _read(path: Path) -> NDArray[Any]:
    """The numbers in a `.npy` file, whatever their shape."""
    try:
        array = np.load(path, allow_pickle=False)
    except READ_ERRORS as error:
        raise DataError(f"{path}: {_fault(error)}") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(f"{path}: an archive of arrays, not one array; use numpy.save, or name it .npz")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path}: must hold numbers, got {array.dtype}")
    return array


def _fault(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f"can't be read: {error.strerror or error}"
    if "pickle" in str(error):
        return "pickled Python objects or no .npy file; use numpy.save on plain numbers"
    return f"damaged .npy file: {reason(error)}; record it again"


def reason(error: BaseException) -> str:
    """The first line of what an error says, for the end of a message."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
