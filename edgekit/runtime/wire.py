"""The protobuf wire format of an ONNX file, read without onnx: enough to describe and to refuse it.

Sources: protobuf.dev/programming-guides/encoding; field numbers from onnx/onnx.proto (ONNX 1.17).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}
_MAX_DEPTH = 100  # protobuf's own limit on nested messages
_EXTERNAL = 1  # TensorProto.DataLocation.EXTERNAL

_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128",
    16: "bfloat16", 21: "uint4", 22: "int4",
}  # fmt: skip

#: Where tensors, graphs and nodes may be: kind of message -> field number -> kind of message in that field.
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
#: Where each of those messages keeps its name.
_NAME_FIELD = {"graph": 2, "function": 1, "node": 3, "tensor": 8, "attribute": 1}


class WireError(ValueError):
    """Bytes that are no protobuf message, or one that ends too early."""


@dataclass(frozen=True)
class TensorInfo:
    """A graph's input or output.

    shape: sizes, names of dynamic axes, None for unnamed ones; None when not stated.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None


@dataclass
class ModelSummary:
    """What a walk over an ONNX file's bytes found. op_types counts nodes of all graphs and functions."""

    ir_version: int = 0
    producer: str = ""
    graphs: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    inputs: list[TensorInfo] = field(default_factory=list)
    outputs: list[TensorInfo] = field(default_factory=list)
    op_types: Counter[str] = field(default_factory=Counter)
    external: list[str] = field(default_factory=list)


def read_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field of one message as (number, value): int for varints, else the bytes. Raises WireError."""
    at, end = 0, len(message)
    while at < end:
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError("field number 0")
        if kind == VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _read_varint(message, at)
        elif kind in _FIXED_BYTES:
            size = _FIXED_BYTES[kind]
        else:
            raise WireError(f"wire type {kind}")
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


def summarise(content: bytes) -> ModelSummary:
    """Walk a serialised ModelProto. Raises WireError; refuses nothing itself."""
    summary = ModelSummary()
    message = memoryview(content)
    for number, value in read_fields(message):
        if number == 1 and isinstance(value, int):
            summary.ir_version = value
        elif isinstance(value, int):
            continue
        elif number == 2:
            summary.producer = _text(value)
        elif number == 7:
            summary.graphs += 1
            _read_signature(value, summary)
        elif number == 8:
            parts = dict(read_fields(value))
            summary.opsets[_text(parts.get(1, b""))] = _integer(parts.get(2, 0))
        elif number == 14:
            parts = dict(read_fields(value))
            summary.metadata[_text(parts.get(1, b""))] = _text(parts.get(2, b""))
    _walk("model", message, (), summary)
    return summary


def _walk(kind: str, message: memoryview, where: tuple[str, ...], summary: ModelSummary) -> None:
    """Visit every tensor and node below `message`, in subgraphs and functions, too."""
    if len(where) > _MAX_DEPTH:
        raise WireError(f"more than {_MAX_DEPTH} messages inside each other")
    if kind == "tensor":
        if _is_external(message):
            summary.external.append(_name(kind, message) or "/".join(where))
        return
    nested = _NESTED[kind]
    path = (*where, _name(kind, message) or kind)
    for number, value in read_fields(message):
        if isinstance(value, int):
            continue
        if kind == "node" and number == 4:
            summary.op_types[_text(value)] += 1
        if number in nested:
            _walk(nested[number], value, path, summary)


def _is_external(tensor: memoryview) -> bool:
    """Field 14 says EXTERNAL or field 13 says where: either is enough, whatever else it holds."""
    return any(number == 13 or (number == 14 and value == _EXTERNAL) for number, value in read_fields(tensor))


def _read_signature(graph: memoryview, summary: ModelSummary) -> None:
    """Inputs and outputs of the main graph; old files list the initializers among the inputs, we don't."""
    initializers, inputs = set(), []
    for number, value in read_fields(graph):
        if isinstance(value, int):
            continue
        if number == 5:
            initializers.add(_name("tensor", value))
        elif number == 11:
            inputs.append(_tensor_info(value))
        elif number == 12:
            summary.outputs.append(_tensor_info(value))
    summary.inputs.extend(item for item in inputs if item.name not in initializers)


def _tensor_info(value_info: memoryview) -> TensorInfo:
    name, dtype = "", "unknown"
    shape: tuple[int | str | None, ...] | None = None
    for number, value in read_fields(value_info):
        if number == 1:
            name = _text(value)
        elif number == 2 and not isinstance(value, int):
            for kind, body in read_fields(value):
                if kind != 1 or isinstance(body, int):  # 1: a dense tensor; others are sequences, maps, sparse
                    continue
                for part, content in read_fields(body):
                    if part == 1:
                        dtype = _DTYPES.get(_integer(content), "unknown")
                    elif part == 2 and not isinstance(content, int):
                        shape = tuple(_dimension(dim) for _, dim in read_fields(content))
    return TensorInfo(name, dtype, shape)


def _dimension(dim: int | memoryview) -> int | str | None:
    if isinstance(dim, int):
        raise WireError("a dimension that is no message")
    parts = dict(read_fields(dim))
    if 1 in parts:
        size = _integer(parts[1])
        return size if size < 1 << 63 else None  # negative, in two's complement: older tools' way to say "any"
    return _text(parts[2]) if 2 in parts else None


def _name(kind: str, message: memoryview) -> str:
    wanted = _NAME_FIELD.get(kind)
    return next((_text(value) for number, value in read_fields(message) if number == wanted), "")


def _text(value: int | memoryview | bytes) -> str:
    if isinstance(value, int):
        raise WireError("a number where text belongs")
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("text that is not UTF-8") from None


def _integer(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise WireError("text where a number belongs")
    return value
