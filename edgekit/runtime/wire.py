"""The protobuf wire format: fields, numbers and text, read without protobuf.

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
NO_FORMAT = "its bytes are not laid out as those of an ONNX file"
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


class WireError(ValueError):
    """Bytes that are no protobuf message, one that ends too early, or one that contradicts itself."""


def read_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field of one message as (number, value): int for varints, else the bytes. Raises WireError."""
    at, end = 0, len(message)
    while at < end:
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError(NO_FORMAT)
        if kind == VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _read_varint(message, at)
        elif kind in _FIXED_BYTES:
            size = _FIXED_BYTES[kind]
        else:
            raise WireError(NO_FORMAT)
        if at + size > end:
            raise WireError(f"field {number} needs {size} bytes, {end - at} are left")
        yield number, message[at : at + size]
        at += size


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(message):
            raise WireError("ends inside a number")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise WireError("number longer than 64 bits")


def text(value: int | memoryview | bytes) -> str:
    """UTF-8. Raises WireError."""
    if isinstance(value, int):
        raise WireError("a number where text belongs")
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("text that is not UTF-8") from None


def integer(value: int | memoryview) -> int:
    """A varint, without sign. Raises WireError."""
    if not isinstance(value, int):
        raise WireError("text where a number belongs")
    return value
