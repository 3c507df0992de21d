"""Whether a serialised TensorProto holds the numbers that its dimensions promise.

Source: onnx/onnx.proto, message TensorProto: field numbers, and where each type keeps its numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.runtime.wire import WireError, integer, read_fields, text

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128",
    16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4",
    22: "int4", 23: "float4e2m1", 24: "float8e8m0", 25: "uint2", 26: "int2",
}  # fmt: skip

#: Bits of one number in raw_data.
_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip

_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9
_FLOATS, _INT32S, _STRINGS, _INT64S, _DOUBLES, _UINT64S = 4, 5, 6, 7, 10, 11
#: The field that holds numbers of a type where raw_data does not; all others are int32_data.
_FIELDS = {1: _FLOATS, 14: _FLOATS, 8: _STRINGS, 7: _INT64S, 11: _DOUBLES, 15: _DOUBLES, 12: _UINT64S, 13: _UINT64S}
_FIXED = {_FLOATS: 4, _DOUBLES: 8}

#: Floats that are looked through, by how numpy reads them; bfloat16 is the upper half of a float32.
_READ = {1: "<f4", 10: "<f2", 11: "<f8", 16: "<u2"}

_MOST_DIMS = 64  # numpy's
_CONTINUED = bytes(range(128, 256))  # bytes of a varint but its last


def check_tensor(message: memoryview) -> None:
    """Raises WireError naming the tensor when a dimension is negative, or it holds more or fewer numbers than its
    dimensions say. Types that are not known are not judged."""
    name, kind, raw = "", 0, None
    dims: list[int] = []
    held = dict.fromkeys((_FLOATS, _INT32S, _STRINGS, _INT64S, _DOUBLES, _UINT64S), 0)
    for number, value in read_fields(message):
        if number == _NAME:
            name = text(value)
        elif number == _TYPE:
            kind = integer(value)
        elif number == _DIMS:
            dims += [value] if isinstance(value, int) else _varints(value)
        elif number == _RAW and not isinstance(value, int):
            raw = len(value)
        elif number in held:
            held[number] += _count(number, value)
    if len(dims) > _MOST_DIMS or any(size >= 1 << 63 for size in dims):
        raise WireError(f"tensor '{name}' has {len(dims)} dimensions, or a negative one")
    _compare(name, kind, dims, raw, held[_FIELDS.get(kind, _INT32S)])


@dataclass(frozen=True)
class Spoiled:
    """A float tensor with NaN or infinity in it. numbers: how many it holds."""

    name: str
    numbers: int
    nan: int
    infinite: int

    def __str__(self) -> str:
        what = " or ".join(["NaN"] * (self.nan > 0) + ["infinite"] * (self.infinite > 0))
        if self.numbers == 1:
            return f"the number '{self.name}' is {what}"
        return f"{self.nan + self.infinite:,} of the {self.numbers:,} numbers of '{self.name}' are {what}"


def spoiled_tensor(message: memoryview, name: str = "") -> Spoiled | None:
    """What is not finite in a tensor that `check_tensor` accepted; None where all is, or where its type is not looked
    through. name: of a tensor that has none of its own."""
    kind = 0
    parts: list[memoryview] = []
    small: list[NDArray[np.uint16]] = []
    for number, value in read_fields(message):
        if number == _NAME:
            name = text(value) or name
        elif number == _TYPE:
            kind = integer(value)
        elif number in (_RAW, _FLOATS, _DOUBLES) and not isinstance(value, int):
            parts.append(value)
        elif number == _INT32S:
            small.append(_halves(value))
    if kind not in _READ:
        return None
    held = [bytes(part.astype("<u2")) for part in small] if kind in (10, 16) else []
    return _judge(name, np.frombuffer(b"".join([*parts, *held]) if len(parts) != 1 else parts[0], _READ[kind]), kind)


def spoiled_floats(values: memoryview, name: str) -> Spoiled | None:
    """`spoiled_tensor` of float32 numbers as an attribute has them."""
    return _judge(name, np.frombuffer(values, "<f4"), 1)


def _judge(name: str, values: NDArray[Any], kind: int) -> Spoiled | None:
    if kind == 16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    finite = np.isfinite(values)
    if finite.all():
        return None
    nan = int(np.count_nonzero(np.isnan(values)))
    return Spoiled(name, len(values), nan, len(values) - int(np.count_nonzero(finite)) - nan)


def _halves(value: int | memoryview) -> NDArray[np.uint16]:
    """Numbers of 16 bits that stand in int32_data, as varints of at most three bytes."""
    if isinstance(value, int):
        return np.array([value & 0xFFFF], np.uint16)
    padded = np.frombuffer(bytes(value) + b"\0\0", np.uint8).astype(np.uint32)
    ends = padded[:-2] < 0x80
    starts = np.flatnonzero(np.concatenate([[True], ends[:-1]])) if len(ends) else np.zeros(0, int)
    low, middle, high = (padded[starts + k] for k in range(3))
    more, most = low >= 0x80, (low >= 0x80) & (middle >= 0x80)
    bits: NDArray[np.uint16] = ((low & 0x7F) | (middle & 0x7F) * more << 7 | (high & 3) * most << 14).astype(np.uint16)
    return bits


def _compare(name: str, kind: int, dims: list[int], raw: int | None, held: int) -> None:
    if kind not in DTYPES:
        return
    bits, elements = _BITS.get(kind, 8), math.prod(dims)
    if raw is not None:
        wanted, got, unit = -(-elements * bits // 8), raw, "bytes"
    else:
        packed = max(1, 8 // bits)  # numbers of 4 and 2 bits share one
        wanted, got, unit = -(-elements // packed) * (2 if kind in (14, 15) else 1), held, "numbers"
    if wanted != got:
        size = "x".join(map(str, dims)) or "scalar"
        raise WireError(f"tensor '{name}' ({size} {DTYPES[kind]}) takes {wanted} {unit}, and holds {got}")


def _count(number: int, value: int | memoryview) -> int:
    """Numbers in one occurrence of a field: one, or packed ones."""
    if isinstance(value, int) or number == _STRINGS:
        return 1
    return len(value) // _FIXED[number] if number in _FIXED else len(bytes(value).translate(None, _CONTINUED))


def _varints(packed: memoryview) -> list[int]:
    values, value, shift = [], 0, 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            values.append(value)
            value = shift = 0
        elif shift >= 70:
            raise WireError("number longer than 64 bits")
    return values
