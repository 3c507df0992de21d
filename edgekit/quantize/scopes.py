"""A model as scopes: its graph, the graphs inside its nodes, its functions; and every float tensor that it holds.

Nothing here knows what can be quantised. Tensors are found by walking every message of the file, so that what no
operator of ours reads is counted, too.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

OWN_DOMAINS = ("", "ai.onnx")
RECURRENT = ("LSTM", "GRU", "RNN")
INT8_LSTM = "DynamicQuantizeLSTM"
_T = onnx.TensorProto
#: Float types by number; what a bit less than a float32 is called float here, too.
FLOATS: dict[int, str] = {
    _T.FLOAT: "float32", _T.FLOAT16: "float16", _T.DOUBLE: "float64", _T.BFLOAT16: "bfloat16",
    _T.FLOAT8E4M3FN: "float8", _T.FLOAT8E4M3FNUZ: "float8", _T.FLOAT8E5M2: "float8", _T.FLOAT8E5M2FNUZ: "float8",
    _T.COMPLEX64: "complex64", _T.COMPLEX128: "complex128",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor that the file holds. key: its place in the file, unique. name: for people. kind: TensorProto's number.

    constant: whether an operator's attribute holds it, rather than an initializer. sparse: whether zeros are left out;
    shape is then that of the whole. where: the scope's title, "" for the main graph. Numbers that are no tensor, an
    attribute of floats, are float32 of one axis.
    """

    key: str
    name: str
    kind: int
    shape: tuple[int, ...]
    constant: bool
    sparse: bool
    where: str
    source: Any = field(repr=False)

    @property
    def dtype(self) -> str:
        """As numpy calls it, or near."""
        return FLOATS[self.kind] if self.kind in FLOATS else str(self.kind)

    @property
    def elements(self) -> int:
        """Numbers in it, or those of a sparse one that are kept."""
        return math.prod(self.source.dims if isinstance(self.source, _T) else self.shape)

    @property
    def bytes(self) -> int:
        """Of its numbers."""
        return self.elements * int(onnx.helper.tensor_dtype_to_np_dtype(self.kind).itemsize)

    def values(self) -> NDArray[Any]:
        """Its numbers."""
        if isinstance(self.source, _T):
            return numpy_helper.to_array(self.source)
        return np.array(self.source, dtype=np.float32)


@dataclass(eq=False)
class Scope:
    """A graph or a function body. title: "" for the main graph. outer: the graph around it, for names that it does not
    define; a function has none. owner: the node that holds it, attribute: where; calls: who calls it, of a function.
    proto: the GraphProto or FunctionProto itself.
    """

    title: str
    nodes: list[onnx.NodeProto]
    inputs: list[str]
    outputs: list[str]
    proto: Any = field(repr=False)
    outer: Scope | None = None
    owner: onnx.NodeProto | None = None
    attribute: str = ""
    calls: list[tuple[Scope, onnx.NodeProto]] = field(default_factory=list)
    tensors: dict[str, Held] = field(default_factory=dict)
    constants: dict[int, list[Held]] = field(default_factory=dict)
    producers: dict[str, int] = field(default_factory=dict)
    inner: dict[int, list[Scope]] = field(default_factory=dict)

    @property
    def bodies(self) -> Iterator[Scope]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def defining(self, name: str) -> Scope:
        """The scope, of this one and those around it, that defines a name; the outermost where none does."""
        outermost = self
        for each in self.bodies:
            if name in each.tensors or name in each.producers or name in each.inputs:
                return each
            outermost = each
        return outermost


class Scopes:
    """All scopes of a model, the main graph first, and all tensors that it holds. int8: names of initializers of the
    main graph that count as int8 already, because they are going to be."""

    def __init__(self, model: onnx.ModelProto, int8: Container[str] = ()) -> None:
        self._int8 = int8
        self.all: list[Scope] = []
        self.held: dict[str, Held] = {}
        self.functions: dict[tuple[str, str], Scope] = {}
        self.main = self._graph(model.graph, "graph", "", None)
        for index, function in enumerate(model.functions):
            self._function(function, f"functions/{index}")
        for scope in self.all:
            for node in scope.nodes:
                called = self.function(node)
                if called is not None:
                    called.calls.append((scope, node))
        for key, source in _numbers(model, ""):
            if key not in self.held:
                self.held[key] = _held(key, source, "")

    def function(self, node: onnx.NodeProto) -> Scope | None:
        """The function that a node calls."""
        return None if node.domain in OWN_DOMAINS else self.functions.get((node.domain, node.op_type))

    def floats(self) -> list[Held]:
        """Every float tensor, wherever it is."""
        return [held for held in self.held.values() if held.kind in FLOATS]

    def _graph(self, graph: onnx.GraphProto, key: str, title: str, outer: Scope | None) -> Scope:
        scope = Scope(
            title=title,
            nodes=list(graph.node),
            inputs=[item.name for item in graph.input],
            outputs=[item.name for item in graph.output],
            proto=graph,
            outer=outer,
        )
        for index, tensor in enumerate(graph.initializer):
            self._keep(scope, f"{key}/initializer/{index}", tensor)
        for index, sparse in enumerate(graph.sparse_initializer):
            self._keep(scope, f"{key}/sparse_initializer/{index}/values", sparse)
        self._add(scope, key)
        return scope

    def _function(self, function: onnx.FunctionProto, key: str) -> None:
        title = f"function {function.domain}.{function.name}"
        scope = Scope(title, list(function.node), list(function.input), list(function.output), function)
        self.functions[function.domain, function.name] = scope
        self._add(scope, key)

    def _keep(self, scope: Scope, key: str, source: Any) -> None:
        held = _held(key, source, scope.title)
        if scope.outer is None and held.name in self._int8:
            held = replace(held, kind=_T.INT8)
        scope.tensors[held.name] = self.held[key] = held

    def _add(self, scope: Scope, key: str) -> None:
        """The scope's nodes: what they make, what they hold, and the graphs inside them."""
        self.all.append(scope)
        for index, node in enumerate(scope.nodes):
            for name in node.output:
                scope.producers[name] = index
            here = f"{key}/node/{index}"
            kept = [_held(k, source, scope.title, name) for k, name, source in _attributes(node, here)]
            scope.constants[index] = kept
            self.held.update({held.key: held for held in kept})
            for place, attribute, graph in _graphs(node, here):
                inner = self._graph(graph, place, _title(node, attribute, scope), scope)
                inner.owner, inner.attribute = node, attribute
                scope.inner.setdefault(index, []).append(inner)


def _graphs(node: onnx.NodeProto, key: str) -> Iterator[tuple[str, str, onnx.GraphProto]]:
    """The graphs in a node's attributes: place, attribute and graph."""
    for index, attribute in enumerate(node.attribute):
        here = f"{key}/attribute/{index}"
        if attribute.HasField("g"):
            yield f"{here}/g", attribute.name, attribute.g
        yield from ((f"{here}/graphs/{k}", attribute.name, graph) for k, graph in enumerate(attribute.graphs))


def _attributes(node: onnx.NodeProto, key: str) -> Iterator[tuple[str, str, Any]]:
    """Tensors and floats in a node's own attributes: place, name and source; not those of the graphs inside it."""
    for index, attribute in enumerate(node.attribute):
        here = f"{key}/attribute/{index}"
        name = next(iter(node.output), "") if node.op_type == "Constant" else ""
        name = name or f"{attribute.name} of {node_title(node)}"
        if attribute.HasField("t"):
            yield f"{here}/t", name, attribute.t
        if attribute.HasField("sparse_tensor"):
            yield f"{here}/sparse_tensor/values", name, attribute.sparse_tensor
        if attribute.HasField("f"):
            yield f"{here}/f", name, [attribute.f]
        if attribute.floats:
            yield f"{here}/floats", name, attribute.floats
        for k, tensor in enumerate(attribute.tensors):
            yield f"{here}/tensors/{k}", name, tensor
        for k, sparse in enumerate(attribute.sparse_tensors):
            yield f"{here}/sparse_tensors/{k}/values", name, sparse


def _numbers(message: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every tensor, and every list of floats in an attribute, anywhere below a message, by its place."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            if descriptor.name == "floats":
                yield f"{key}{descriptor.name}", value
            continue
        repeated = not hasattr(value, "ListFields")
        for index, item in enumerate(value if repeated else (value,)):
            here = f"{key}{descriptor.name}/{index}" if repeated else f"{key}{descriptor.name}"
            if isinstance(item, _T):
                yield here, item
            else:
                yield from _numbers(item, f"{here}/")


def _held(key: str, source: Any, where: str, constant: str = "") -> Held:
    """constant: what the tensor of an operator's attribute is called."""
    sparse = isinstance(source, onnx.SparseTensorProto)
    tensor = source.values if sparse else source
    if not isinstance(tensor, _T):
        return Held(key, constant or key, _T.FLOAT, (len(tensor),), True, False, where, tensor)
    name, shape = constant or tensor.name or key, tuple(source.dims)
    return Held(key, name, tensor.data_type, shape, bool(constant), sparse, where, tensor)


def node_title(node: onnx.NodeProto) -> str:
    """`LSTM 'lstm'`; of a node without a name its first output's."""
    name = node.name or next((output for output in node.output if output), "")
    return f"{node.op_type} '{name}'" if name else node.op_type


def _title(node: onnx.NodeProto, attribute: str, scope: Scope) -> str:
    inside = f", inside {scope.title}" if scope.title else ""
    return f"{attribute} of {node_title(node)}{inside}"
