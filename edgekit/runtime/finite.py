"""Which numbers of a model file are a fault where they are not finite.

A recurrent layer turns NaN and infinity among its weights into finite answers, so that no answer tells. Masks are made
of infinity, though, and in another's file a single number may be NaN on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgekit.runtime.graph import Graph, Key, Node, read_graph
from edgekit.runtime.tensors import Spoiled, spoiled_tensor

#: Operators that multiply by what they read, or scale with it.
_MULTIPLYING = """
    LSTM GRU RNN Gemm MatMul Conv ConvTranspose DequantizeLinear QuantizeLinear QLinearMatMul QLinearConv
    com.microsoft.DynamicQuantizeLSTM com.microsoft.DynamicQuantizeMatMul com.microsoft.MatMulIntegerToFloat
    com.microsoft.QGemm com.microsoft.DequantizeLinear com.microsoft.QuantizeLinear com.microsoft.FusedMatMul
    com.microsoft.FusedGemm com.microsoft.FusedConv com.microsoft.MatMulNBits
"""
MULTIPLYING = frozenset(_MULTIPLYING.split())
#: Operators that hand on what they read, elsewhere, in another shape, or times something else.
_PASSING_NAMES = """
    Cast Concat Expand Flatten Gather Identity Mul Reshape Slice Split Squeeze Transpose Unsqueeze
"""
PASSING = frozenset(_PASSING_NAMES.split())
#: How deep functions may call each other; ONNX forbids that one calls itself.
_MAX_CALLS = 30


def damage(content: bytes, found: Sequence[Spoiled], own: bool) -> tuple[str, ...]:
    """The faults among `found`, which `summarise` has found in this file, in words. own: edgekit wrote the file, and
    writes neither NaN nor infinity. Of other files it is NaN among several numbers, and whatever is not finite in a
    tensor that an operator multiplies by, in subgraphs and functions, too. Raises WireError.
    """
    if not found or own:
        return tuple(map(str, found))
    graph, functions = read_graph(content)
    weights = [spoiled_tensor(message, name) for name, message in _Weights(functions).of(graph)]
    faults = [each for each in found if each.nan and each.numbers > 1] + [each for each in weights if each]
    return tuple(dict.fromkeys(map(str, faults)))


class _Weights:
    """Tensors that are multiplied by, by name and serialised. Names are followed back from their readers: nodes stand
    in the order in which they are computed."""

    def __init__(self, functions: Mapping[Key, Graph]) -> None:
        self.functions = functions
        self.found: dict[tuple[int, str], memoryview] = {}
        self.known: dict[Key, set[str]] = {}

    def of(self, graph: Graph) -> Iterator[tuple[str, memoryview]]:
        """Tensors of the main graph and of all that is inside."""
        self._wanted(graph, set(), 0)
        return ((name, message) for (_, name), message in self.found.items())

    def _wanted(self, graph: Graph, wanted: set[str], calls: int) -> set[str]:
        """All names that are multiplied by, of the graph and of those around it. wanted: of its outputs."""
        for node in reversed(graph.nodes):
            wanted |= self._read(node, wanted, calls)
        self.found |= {(id(graph), name): graph.tensors[name] for name in wanted & graph.tensors.keys()}
        return wanted

    def _read(self, node: Node, wanted: set[str], calls: int) -> set[str]:
        domain, kind, _ = node.key
        title = f"{domain}.{kind}" if domain else kind
        if node.key in self.functions:
            inside = self._of_function(node.key, calls)
            inputs = self.functions[node.key].inputs
            return {given for given, name in zip(node.inputs, inputs, strict=False) if name in inside}
        passes = title in MULTIPLYING or (title in PASSING and not wanted.isdisjoint(node.outputs))
        read = set(node.inputs) if passes else set()
        for _, inner in node.graphs:
            made = zip(node.outputs, inner.outputs, strict=False) if title == "If" else ()
            read |= self._wanted(inner, {name for output, name in made if output in wanted}, calls)
        return read

    def _of_function(self, key: Key, calls: int) -> set[str]:
        if key not in self.known:
            self.known[key] = set()  # of one that calls itself
            self.known[key] = self._wanted(self.functions[key], set(), calls + 1) if calls < _MAX_CALLS else set()
        return self.known[key]
