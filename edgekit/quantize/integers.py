"""Weights as symmetric integers with one scale a row, and tensors that hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.errors import InputError

F32 = NDArray[np.float32]
I8 = NDArray[np.int8]

#: Numbers that are compared at once; how much larger scales in float16 may make the largest error.
_MOST_AT_ONCE, _COARSER = 2**20, 1.1


def quantize_rows(values: F32, axis: int, bits: int = 8, half: bool = True) -> tuple[I8, F32]:
    """Symmetric integers with one scale a slice along `axis`: scale = max |row| / most, q = round(row / scale), where
    `most` is the largest number of so many bits, 127 of 8 and 7 of 4.

    half: scales are numbers that float16 holds, as the weights' schemes store them; not where one is beyond its range,
    or where the error would grow by more than a tenth, as of numbers that are multiples of their scale. Returns q of
    the shape of values, int8 in -most..most, and scales float32 (values.shape[axis],). The error is at most scale / 2
    an element. A row of zeros has scale 1. Raises InputError for values that are not finite.
    """
    most = 2 ** (bits - 1) - 1
    if not np.isfinite(values).all():
        raise InputError(f"values: {int((~np.isfinite(values)).sum())} of {values.size} are NaN or infinite")
    others = tuple(k for k in range(values.ndim) if k != axis)
    peak = np.abs(values).max(axis=others)
    scale = (np.where(peak > 0, peak, float(most)) / float(most)).astype(np.float32)
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    q = _steps(values, scale, axis, most)
    coarse = _in_half(scale) if half else None
    if coarse is None:
        return q, scale
    other = _steps(values, coarse, axis, most)
    as_good = _worst(values, other, coarse, axis) <= _COARSER * _worst(values, q, scale, axis)
    return (other, coarse) if as_good else (q, scale)


def _in_half(scale: F32) -> F32 | None:
    """Scales as float16 holds them, a 2,048th off at most; None where one would lose more than that."""
    with np.errstate(over="ignore"):
        half = scale.astype(np.float16)
    held = np.isfinite(half).all() and bool((half >= np.finfo(np.float16).tiny).all())
    return half.astype(np.float32) if held else None


def _worst(values: F32, q: I8, scale: F32, axis: int) -> float:
    """The largest error, in scales."""
    return float((row_errors(values, q, scale, axis) / scale).max(initial=0.0))


def _steps(values: F32, scale: F32, axis: int, most: int) -> I8:
    """The nearest whole number of scales of each element."""
    others = tuple(k for k in range(values.ndim) if k != axis)
    return np.clip(np.rint(values / np.expand_dims(scale, others)), -most, most).astype(np.int8)


def row_errors(values: F32, q: I8, scale: F32, axis: int) -> NDArray[np.float64]:
    """The largest error of each row, some rows at a time: in double precision a weight takes much memory."""
    step = max(1, _MOST_AT_ONCE * len(scale) // max(q.size, 1))
    others, found = tuple(k for k in range(q.ndim) if k != axis), [np.zeros(0)]
    for start in range(0, len(scale), step):
        part = (*(slice(None) for _ in range(axis)), slice(start, start + step))
        meant = dequantize_rows(q[part], scale[start : start + step], axis).astype(np.float64)
        found.append(np.abs(meant - values[part]).max(axis=others))
    return np.concatenate(found)


def dequantize_rows(q: I8, scale: F32, axis: int) -> F32:
    """The float32 numbers that q stands for: q * scale, row by row along `axis`; what the file computes."""
    others = tuple(k for k in range(q.ndim) if k != axis)
    return q.astype(np.float32) * np.expand_dims(scale, others)


def stored_scales(scale: F32) -> NDArray[Any]:
    """Scales in float16 where that holds them as they are."""
    with np.errstate(over="ignore"):
        half = scale.astype(np.float16)
    return half if (half.astype(np.float32) == scale).all() else scale


def pack_integers(q: I8, bits: int, name: str) -> onnx.TensorProto:
    """A tensor of q, int8 numbers of so many bits. Two of 4 bits share a byte, the first in its lower half."""
    if bits == 8:
        return numpy_helper.from_array(q, name)
    halves = (q.ravel() & 0xF).astype(np.uint8)
    halves = np.append(halves, np.zeros(halves.size % 2, np.uint8))
    return helper.make_tensor(
        name, onnx.TensorProto.INT4, q.shape, (halves[0::2] | halves[1::2] << 4).tobytes(), raw=True
    )


def unpack_integers(tensor: onnx.TensorProto) -> I8:
    """The way back, int8 numbers; as they are for a tensor of any other type."""
    values = numpy_helper.to_array(tensor)
    return values.astype(np.int8) if tensor.data_type == onnx.TensorProto.INT4 else values
