"""Which node reads what: the nodes of an ONNX file with their tensors' names, without the onnx package.

Field numbers as in `edgekit.runtime.wire`. No tensor's numbers are read: what is held is kept as the file has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from edgekit.runtime.wire import WireError, read_fields

_MAX_DEPTH = 100  # protobuf's own limit on nested messages

#: What a node calls: domain ("" is ONNX's own), name, overload.
Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True)
class Node:
    """One operator of a graph.

    inputs, outputs: tensors' names, "" for one that is left out. graphs: its subgraphs, by the attribute's name, in the
    file's order. integers: its attributes that are whole numbers, one or several. value: the serialised
    TensorProto of a Constant.
    """

    key: Key
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    graphs: tuple[tuple[str, Graph], ...] = ()
    integers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    value: memoryview | None = None

    @property
    def title(self) -> str:
        """Name for people: `LSTM 'encoder'`."""
        domain, kind, _ = self.key
        return (f"{domain}.{kind}" if domain else kind) + (f" '{self.name}'" if self.name else "")

    def integer(self, attribute: str, default: int = 0) -> int:
        """The whole number of that name."""
        return self.integers.get(attribute, (default,))[0]

    def graph(self, attribute: str) -> Graph | None:
        """The subgraph of that name; None where there is none."""
        return dict(self.graphs).get(attribute)


@dataclass(frozen=True)
class Graph:
    """A graph, or the body of a function. inputs, outputs: names; initializers are no inputs, though old files list
    them there. tensors: serialised TensorProtos by name: initializers, sparse ones' values, and Constant nodes'."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[str, memoryview] = field(default_factory=dict)


def read_graph(content: bytes) -> tuple[Graph, dict[Key, Graph]]:
    """(the main graph, the file's functions by what a node calls them) of a serialised ModelProto. Raises WireError."""
    graph: Graph = Graph((), (), ())
    functions: dict[Key, Graph] = {}
    for number, value in _messages(memoryview(content)):
        if number == 7:
            graph = _graph(value, 0)
        elif number == 25:
            texts = {key: _text(part) for key, part in _messages(value) if key in (1, 10, 13)}
            key = (_domain(texts.get(10, "")), texts.get(1, ""), texts.get(13, ""))
            functions[key] = _function(value)
    return graph, functions


def _messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    return ((number, value) for number, value in read_fields(message) if not isinstance(value, int))


def _graph(message: memoryview, depth: int) -> Graph:
    inputs: list[str] = []
    outputs: list[str] = []
    nodes: list[Node] = []
    tensors: dict[str, memoryview] = {}
    for number, value in _messages(message):
        if number == 1:
            nodes.append(_node(value, depth))
        elif number == 5:
            tensors[_first_text(value, 8)] = value
        elif number == 15:  # a sparse tensor, named as its values are
            tensors.update((_first_text(part, 8), part) for key, part in _messages(value) if key == 1)
        elif number in (11, 12):
            (inputs if number == 11 else outputs).append(_first_text(value, 1))
    held = {**tensors, **_values(nodes)}
    return Graph(tuple(name for name in inputs if name not in tensors), tuple(outputs), tuple(nodes), held)


def _values(nodes: Iterable[Node]) -> dict[str, memoryview]:
    return {name: node.value for node in nodes if node.value is not None for name in node.outputs[:1]}


def _function(message: memoryview) -> Graph:
    parts = list(_messages(message))
    nodes = tuple(_node(value, 0) for number, value in parts if number == 7)
    return Graph(
        tuple(_text(value) for number, value in parts if number == 4),
        tuple(_text(value) for number, value in parts if number == 5),
        nodes,
        _values(nodes),
    )


def _node(message: memoryview, depth: int) -> Node:
    parts = list(_messages(message))
    texts = {number: _text(value) for number, value in parts if number in (3, 4, 7, 8)}
    graphs: list[tuple[str, Graph]] = []
    integers: dict[str, tuple[int, ...]] = {}
    for number, value in parts:
        if number == 5:
            _attribute(value, depth, graphs, integers)
    return Node(
        key=(_domain(texts.get(7, "")), texts.get(4, ""), texts.get(8, "")),
        name=texts.get(3, ""),
        inputs=tuple(_text(value) for number, value in parts if number == 1),
        outputs=tuple(_text(value) for number, value in parts if number == 2),
        graphs=tuple(graphs),
        integers=integers,
        value=_value(parts) if texts.get(4) == "Constant" else None,
    )


def _value(node: list[tuple[int, memoryview]]) -> memoryview | None:
    """A Constant's tensor; of a sparse one, its values."""
    for number, attribute in node:
        for key, part in _messages(attribute) if number == 5 else ():
            if key == 5:
                return part
            if key == 22:
                return next((values for kind, values in _messages(part) if kind == 1), None)
    return None


def _attribute(
    message: memoryview, depth: int, graphs: list[tuple[str, Graph]], integers: dict[str, tuple[int, ...]]
) -> None:
    if depth >= _MAX_DEPTH:
        raise WireError(f"more than {_MAX_DEPTH} graphs inside each other")
    name = _first_text(message, 1)
    for number, value in read_fields(message):
        if number in (3, 8) and isinstance(value, int):
            integers[name] = (*integers.get(name, ()), value - (value >> 63 << 64))
        elif number in (6, 11) and not isinstance(value, int):
            graphs.append((name, _graph(value, depth + 1)))


def _first_text(message: memoryview, wanted: int) -> str:
    return next((_text(value) for number, value in _messages(message) if number == wanted), "")


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8", "backslashreplace")


def _domain(said: str) -> str:
    return "" if said == "ai.onnx" else said
