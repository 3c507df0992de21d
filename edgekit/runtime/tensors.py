"""Whether a serialised TensorProto holds the numbers that its dimensions promise.

Source: onnx/onnx.proto, message TensorProto: field numbers, and where each type keeps its numbers.
"""

from __future__ import annotations

import math

import numpy as np

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


def spoiled_numbers(message: memoryview) -> str | None:
    """How many numbers of a float tensor that `check_tensor` accepted are NaN, in words; None where none is.

    A single number is no weight and may be NaN on purpose, and masks are made of infinity.
    """
    name, kind = "", 0
    parts: list[memoryview] = []
    for number, value in read_fields(message):
        if number == _NAME:
            name = text(value)
        elif number == _TYPE:
            kind = integer(value)
        elif number in (_RAW, _FLOATS, _DOUBLES) and not isinstance(value, int):
            parts.append(value)
    if kind not in _READ:
        return None
    values = np.frombuffer(parts[0] if len(parts) == 1 else b"".join(parts), _READ[kind])
    spoiled = (values & 0x7FFF) > 0x7F80 if kind == 16 else np.isnan(values)
    count = int(np.count_nonzero(spoiled))
    return f"{count:,} of the {len(values):,} numbers of '{name}' are NaN" if count and len(values) > 1 else None


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
