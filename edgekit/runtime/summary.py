"""An ONNX file's bytes, walked without onnx: enough to describe the file and to refuse it.

Source: field numbers from onnx/onnx.proto (ONNX 1.17).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from edgekit.runtime.tensors import DTYPES, Spoiled, check_tensor, spoiled_floats, spoiled_tensor
from edgekit.runtime.wire import WireError, integer, read_fields, text

_MAX_DEPTH = 100  # protobuf's own limit on nested messages
_EXTERNAL = 1  # TensorProto.DataLocation.EXTERNAL

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
_FLOATS = (2, 7)  # of an attribute: float32, one and several
#: Where each of those messages keeps its name.
_NAME_FIELD = {"graph": 2, "function": 1, "node": 3, "tensor": 8, "attribute": 1}


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
    """What a walk over an ONNX file's bytes found. op_types counts nodes of all graphs and functions;
    spoiled: tensors, and numbers of attributes, that are not finite."""

    ir_version: int = 0
    producer: str = ""
    graphs: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    inputs: list[TensorInfo] = field(default_factory=list)
    outputs: list[TensorInfo] = field(default_factory=list)
    op_types: Counter[str] = field(default_factory=Counter)
    external: list[str] = field(default_factory=list)
    spoiled: list[Spoiled] = field(default_factory=list)

    def add(self, *found: Spoiled | None) -> None:
        """What is not finite."""
        self.spoiled += [each for each in found if each is not None]


def summarise(content: bytes) -> ModelSummary:
    """Walk a serialised ModelProto. Raises WireError for what is no message, or a tensor that contradicts itself."""
    summary = ModelSummary()
    message = memoryview(content)
    for number, value in read_fields(message):
        if number == 1 and isinstance(value, int):
            summary.ir_version = value
        elif isinstance(value, int):
            continue
        elif number == 2:
            summary.producer = text(value)
        elif number == 7:
            summary.graphs += 1
            _read_signature(value, summary)
        elif number == 8:
            parts = dict(read_fields(value))
            summary.opsets[text(parts.get(1, b""))] = integer(parts.get(2, 0))
        elif number == 14:
            parts = dict(read_fields(value))
            summary.metadata[text(parts.get(1, b""))] = text(parts.get(2, b""))
    _walk("model", message, (), summary)
    return summary


def _walk(kind: str, message: memoryview, where: tuple[str, ...], summary: ModelSummary) -> None:
    """Visit every tensor and node below `message`, in subgraphs and functions, too."""
    if len(where) > _MAX_DEPTH:
        raise WireError(f"more than {_MAX_DEPTH} messages inside each other")
    if kind == "tensor":
        if _is_external(message):
            summary.external.append(_name(kind, message) or "/".join(where))
        else:
            check_tensor(message)
            summary.add(spoiled_tensor(message, "/".join(where)))
        return
    nested = _NESTED[kind]
    path = (*where, _name(kind, message) or kind)
    for number, value in read_fields(message):
        if isinstance(value, int):
            continue
        if kind == "node" and number == 4:
            summary.op_types[text(value)] += 1
        if kind == "attribute" and number in _FLOATS:
            summary.add(*(spoiled_floats(value[k : k + 4], "/".join(path)) for k in range(0, len(value) - 3, 4)))
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
            name = text(value)
        elif number == 2 and not isinstance(value, int):
            for kind, body in read_fields(value):
                if kind != 1 or isinstance(body, int):  # 1: a dense tensor; others are sequences, maps, sparse
                    continue
                for part, content in read_fields(body):
                    if part == 1:
                        dtype = DTYPES.get(integer(content), "unknown")
                    elif part == 2 and not isinstance(content, int):
                        shape = tuple(_dimension(dim) for _, dim in read_fields(content))
    return TensorInfo(name, dtype, shape)


def _dimension(dim: int | memoryview) -> int | str | None:
    if isinstance(dim, int):
        raise WireError("a dimension that is not a message")
    parts = dict(read_fields(dim))
    if 1 in parts:
        size = integer(parts[1])
        return size if size < 1 << 63 else None  # negative, in two's complement: older tools' way to say "any"
    return text(parts[2]) if 2 in parts else None


def _name(kind: str, message: memoryview) -> str:
    wanted = _NAME_FIELD.get(kind)
    return next((text(value) for number, value in read_fields(message) if number == wanted), "")
