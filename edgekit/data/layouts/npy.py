"""The one reader of `.npy` files and of the arrays in an `.npz`: their sizes are known before they are read."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32, LANDMARKS
from edgekit.data.layouts.numbers import Rounding
from edgekit.data.layouts.raw import RECORDINGS
from edgekit.errors import DataError
from edgekit.reading import StrPath, open_file, parsing, refuse_large

NPY = replace(RECORDINGS, what="an .npy file", advice="damaged or another kind of file: record it again")
TAKE_SHAPES = "(frames, features) or (frames, landmarks, 3)"
NOT_FINITE = "NaN or infinite numbers (float32 ends at 3.4e38)"
PIECE_BYTES = 2**20
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_take(path: StrPath, strict: bool = True, rounding: Rounding | None = None) -> F32:
    """One take, float32 (frames, features), from a file (frames, features) or (frames, landmarks, 3).

    strict: whether NaN and infinite numbers are refused. rounding: counts what float32 can't hold. Raises DataError
    naming the file and the frame.
    """
    path = Path(path)
    array = _read(path)
    if array.shape in ((LANDMARKS, 3), (2 * LANDMARKS, 3)):
        raise DataError(
            f"{path}: {array.shape} is one frame of landmarks, not a take; a take is {TAKE_SHAPES}, "
            "and frames are in a folder of their own, class/take/frame.npy"
        )
    if array.size == 0 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise DataError(f"{path}: a take must be {TAKE_SHAPES}, got shape {array.shape}")
    flat = array.reshape(len(array), -1)
    take = (rounding or Rounding()).convert(flat, lambda at: f"{path}, frame {at[0]}, number {at[1]}")
    bad = np.flatnonzero(~np.isfinite(take).all(axis=1))
    if strict and len(bad):
        raise DataError(f"{path}: frame {bad[0]} holds {NOT_FINITE}; record it again")
    return take


def read_frame(path: Path, strict: bool = True, rounding: Rounding | None = None) -> F32:
    """One frame, float32 (features,), from a file (features,) or (landmarks, 3). See `read_take`."""
    array = _read(path)
    if array.ndim not in (1, 2) or array.size == 0:
        raise DataError(f"{path}: a frame must be (features,) or (landmarks, 3), got shape {array.shape}")
    frame = (rounding or Rounding()).convert(array.reshape(-1), lambda at: f"{path}, number {at[0]}")
    if strict and not np.isfinite(frame).all():
        raise DataError(f"{path}: holds {NOT_FINITE}; record it again")
    return frame


def _read(path: Path) -> NDArray[Any]:
    """The numbers in a `.npy` file, whatever their shape."""
    with open_file(path, NPY) as file:
        if file.read(4) == b"PK\x03\x04":
            raise DataError(f"{path}: an archive of arrays, not one array; use numpy.save, or name it .npz")
        file.seek(0)
        array = read_array(file, os.fstat(file.fileno()).st_size, path)
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path}: must hold numbers, got {array.dtype}")
    return array


def read_array(file: BinaryIO, size: int, where: object, part: str = "") -> NDArray[Any]:
    """One array as `numpy.save` wrote it. size: bytes of the file, header included. part: how the array is called.

    What it says of itself is checked before anything is allocated. Raises DataError for pickled objects, for a damaged
    header, for one that promises other than what is there, and for an array beyond the limit.
    """
    with parsing(where, NPY, part):
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"format {version[0]}.{version[1]} is none of plain arrays")
        shape, by_column, dtype = HEADERS[version](file)
        if dtype.hasobject:
            raise DataError(
                f"{where}: {part}holds pickled Python objects, which edgekit does not load; save it as a plain array of"
                " numbers or text"
            )
        needed = math.prod(shape) * dtype.itemsize
        refuse_large(needed, where, RECORDINGS, f"{part}would take")
        found = size - file.tell()
        if needed != found:
            raise ValueError(f"its header promises {needed:,} bytes, {found:,} are there")
        flat = np.frombuffer(_read_bytes(file, needed), dtype=dtype)
        return flat.reshape(shape, order="F" if by_column else "C")


def _read_bytes(file: BinaryIO, count: int) -> bytearray:
    """So many bytes, without a second copy of them. Raises EOFError where there are fewer."""
    content = bytearray(count)
    at = 0
    while at < count:
        read = file.readinto(memoryview(content)[at : at + PIECE_BYTES])  # type: ignore[attr-defined]
        if not read:
            raise EOFError(f"{at:,} bytes, where {count:,} are promised")
        at += read
    return content
