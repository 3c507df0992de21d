"""Whether an input's first axis is time: what a recurrent layer steps through, and no batch of which one take will do.

Follows the axis through operators that keep it or move it; where another one takes it, nothing is known.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.runtime.deciding import STEADY
from edgekit.runtime.graph import Graph, Key, Node, read_graph

_RECURRENT = ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM")
#: Operators that give their first input's axes in other places, or that mix several inputs' axes.
_MOVING_NAMES = """
    ArgMax ArgMin Concat ConcatFromSequence DepthToSpace Det Einsum Flatten Gather GatherElements GatherND Gemm
    GlobalAveragePool GlobalLpPool GlobalMaxPool Multinomial Scatter SequenceConstruct Shape Size SpaceToDepth
    TfIdfVectorizer Transpose
"""
_KEEPING = (STEADY - set(_MOVING_NAMES.split())) | {"Pad", "Slice", "Dropout", "ReverseSequence"}


@dataclass(frozen=True)
class TimeAxis:
    """An input's first axis at a recurrent layer. certain: whether it is there beyond doubt; where axes come and go on
    the way, it may be its neighbour."""

    layer: str
    certain: bool


#: The input that a tensor's axes come from, and where its first axis can be.
_Place = tuple[str, frozenset[int]]


#: How deep branches and functions inside each other are followed.
_MAX_DEPTH = 30
#: Calls of functions that are followed, all in all.
_MOST_CALLS = 1000


def time_axes(content: bytes) -> dict[str, TimeAxis]:
    """Each input of the main graph whose first axis a recurrent layer steps through, there, in branches or functions.

    content: of a file that `inspect_bytes` accepted. Raises WireError for another.
    """
    graph, functions = read_graph(content)
    walk = _Walk(functions)
    walk.graph(graph, ChainMap({name: (name, frozenset({0})) for name in graph.inputs}))
    return walk.found


class _Walk:
    """Follows axes through graphs. found: what it has come to, by the main graph's inputs."""

    def __init__(self, functions: Mapping[Key, Graph]) -> None:
        self.functions = functions
        self.found: dict[str, TimeAxis] = {}
        self.calls = 0

    def graph(self, graph: Graph, where: ChainMap[str, _Place], depth: int = 0) -> list[_Place | None]:
        """The places of a graph's outputs. where: of all names that it sees; those of its own are added."""
        for node in graph.nodes:
            for position, tensor in enumerate(node.inputs):
                self._look(node, position, where.get(tensor))
            if node.key in self.functions:
                self._call(node, where, depth)
            elif node.key[1] == "If" and depth < _MAX_DEPTH:
                self._branch(node, where, depth)
            else:
                _follow(node, where)
        return [where.get(name) for name in graph.outputs]

    def _look(self, node: Node, position: int, place: _Place | None) -> None:
        name, axes = place or ("", frozenset[int]())
        if _stepped(node, position) in axes and (name not in self.found or not self.found[name].certain):
            self.found[name] = TimeAxis(node.title, len(axes) == 1)

    def _branch(self, node: Node, where: ChainMap[str, _Place], depth: int) -> None:
        for _, graph in node.graphs:
            _put(where, node.outputs, self.graph(graph, where.new_child(), depth + 1))

    def _call(self, node: Node, where: ChainMap[str, _Place], depth: int) -> None:
        self.calls += 1
        if self.calls > _MOST_CALLS or depth >= _MAX_DEPTH:
            return
        body = self.functions[node.key]
        inner: ChainMap[str, _Place] = ChainMap()
        _put(inner, body.inputs, [where.get(tensor) for tensor in node.inputs])
        _put(where, node.outputs, self.graph(body, inner, depth + 1))


def _put(where: ChainMap[str, _Place], names: Sequence[str], places: Sequence[_Place | None]) -> None:
    where.update((name, place) for name, place in zip(names, places, strict=False) if name and place is not None)


def _stepped(node: Node, position: int) -> int | None:
    """The axis of this input that the node steps through; None for none."""
    _, kind, _ = node.key
    if kind in _RECURRENT and position == 0:
        return node.integer("layout")
    scanned = position - (len(node.inputs) - node.integer("num_scan_inputs"))
    if kind == "Scan" and scanned >= 0:
        axes = node.integers.get("scan_input_axes", ())
        return axes[scanned] if scanned < len(axes) else 0
    return None


def _follow(node: Node, where: ChainMap[str, _Place]) -> None:
    for position, tensor in enumerate(node.inputs):
        if tensor in where:
            name, axes = where[tensor]
            for number, output in enumerate(node.outputs):
                moved = (target for axis in axes for target in _moved(node, position, number, axis))
                where[output] = name, frozenset(moved)
            return


def _moved(node: Node, position: int, output: int, axis: int) -> tuple[int, ...]:
    """Where an axis of the node's input can be in its output; nowhere if that is not known."""
    _, kind, _ = node.key
    if kind in _RECURRENT:
        return _behind_layer(node.integer("layout"), output, axis)
    if kind == "Transpose":
        order = node.integers.get("perm", ())
        return (order.index(axis),) if axis in order else ()
    if kind == "Gather":  # of rows by number, as of an embedding, the numbers' axes come first
        gathered = node.integer("axis")
        return (axis,) if (position == 1 and gathered == 0) or (position == 0 and gathered > axis) else ()
    if kind in ("Unsqueeze", "Squeeze"):
        return _shifted(kind, node.integers.get("axes"), axis)
    return (axis,) if kind in _KEEPING else ()


def _behind_layer(layout: int, output: int, axis: int) -> tuple[int, ...]:
    """X (time, batch, ...) gives Y (time, directions, batch, ...) and states (directions, batch, ...); with layout 1
    X (batch, time, ...) gives Y (batch, time, directions, ...) and states (batch, directions, ...)."""
    if axis == layout:
        return (axis,) if output == 0 else ()
    return (axis if layout or output else axis + 1,)


def _shifted(kind: str, axes: tuple[int, ...] | None, axis: int) -> tuple[int, ...]:
    """Behind axes of 1 that are added or taken away. axes: None where an input of the node says which."""
    if axes is None or min(axes, default=0) < 0:
        return (axis, axis + 1) if kind == "Unsqueeze" else tuple({axis, max(axis - 1, 0)})
    if kind == "Squeeze":
        return (axis - sum(gone < axis for gone in axes),)
    for added in sorted(axes):
        axis += added <= axis
    return (axis,)
