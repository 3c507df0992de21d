"""Schemes int8-weights and int4-weights: int8 or int4 storage, fp32 arithmetic.

Each weight becomes an int8 tensor, which Cast and Mul bring back with one scale a row, in float16 where that holds it.
These are constants, so ONNX Runtime computes them once, when it opens the file, whatever options a session has; of
DequantizeLinear it does so only with `session.disable_quant_qdq`, and without takes a quarter longer a prediction.
Results do not depend on the rest of the batch, and LSTM and GRU, one- and bidirectional, work alike; the file and the
download are a quarter, speed and memory are fp32's. int4 has DequantizeLinear, opset 21, which ONNX Runtime reads since
1.19; it casts int4 since 1.23 only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.quantize.integers import I8, pack_integers, quantize_rows, stored_scales
from edgekit.quantize.rows import Place, covered_places, resting_places
from edgekit.quantize.scopes import RECURRENT, Scopes
from edgekit.quantize.settings import QuantizeConfig

_T = onnx.TensorProto
#: Types of weights that become int8.
FLOAT_KINDS = (_T.FLOAT, _T.FLOAT16, _T.DOUBLE, _T.BFLOAT16)
INT8_SUFFIX, SCALE_SUFFIX, ROWS_SUFFIX, SHAPE_SUFFIX, FLOAT_SUFFIX = "_int8", "_scale", "_rows", "_shape", "_float"
INT4_SUFFIX = "_int4"


@dataclass(frozen=True)
class Weight:
    """A float initializer of the main graph that a covered operator reads, itself or behind operators that only move
    numbers.

    shape: as stored; axis: of its rows, an output channel or a row of a gate each. by_direction: (..., rows, in) with
    more than one direction or layer in front, where the rows of each have scales of their own. kind: TensorProto's
    number of its type.
    """

    name: str
    op_type: str
    shape: tuple[int, ...]
    axis: int
    by_direction: bool
    kind: int = onnx.TensorProto.FLOAT

    @property
    def scale_shape(self) -> tuple[int, ...]:
        """Of one scale a row, as it multiplies the weight."""
        kept = range(self.axis + 1) if self.by_direction else (self.axis,)
        return tuple(size if axis in kept else 1 for axis, size in enumerate(self.shape))

    @property
    def pays(self) -> bool:
        """Whether int8 numbers and their scales are smaller."""
        rows = math.prod(self.shape[: self.axis + 1]) if self.by_direction else self.shape[self.axis]
        elements = math.prod(self.shape)
        return elements + 4 * rows < elements * helper.tensor_dtype_to_np_dtype(self.kind).itemsize


def find_weights(model: onnx.ModelProto, min_elements: int, scopes: Scopes | None = None) -> list[Weight]:
    """Weights of LSTM, GRU, RNN, Gemm, MatMul, Conv and ConvTranspose nodes, in the order of the initializers.

    Only dense float initializers of the main graph of rank 2 or more and at least min_elements elements, of which an
    int8 form is smaller, unless a recurrent layer reads them; a weight that several nodes read goes by the first.
    """
    candidates = {
        tensor.name: tensor
        for tensor in model.graph.initializer
        if tensor.data_type in FLOAT_KINDS and len(tensor.dims) >= 2 and np.prod(tensor.dims) >= min_elements
    }
    scopes = scopes or Scopes(model)
    found: dict[str, Weight] = {}
    for place in covered_places(scopes):
        for rest in resting_places(place):
            name = rest.name
            if name in candidates and name not in found and rest.scope.defining(name) is scopes.main:
                weight = _weight(place, rest.axis, candidates[name])
                if weight is not None:
                    found[name] = weight
    return [found[name] for name in candidates if name in found]


def _weight(place: Place, axis: int, tensor: onnx.TensorProto) -> Weight | None:
    shape, op_type = tuple(tensor.dims), place.reader.op_type if place.reader is not None else ""
    if not -len(shape) <= axis < len(shape) or 0 in shape:
        return None
    axis %= len(shape)
    recurrent = op_type in RECURRENT
    by_direction = recurrent and axis == len(shape) - 2 and math.prod(shape[:axis]) > 1
    weight = Weight(tensor.name, op_type, shape, axis, by_direction, tensor.data_type)
    return weight if recurrent or weight.pays else None


def weights_of_scheme(model: onnx.ModelProto, config: QuantizeConfig) -> list[Weight]:
    """The weights that become int8: those of `find_weights`, and every recurrent layer's, whatever its size, so that
    no part of such a layer stays float32. None where not one has `min_elements`, unless it is int8-dynamic."""
    weights = find_weights(model, 1)
    large = [weight for weight in weights if np.prod(weight.shape) >= config.min_elements]
    if not large and config.scheme != "int8-dynamic":
        return []
    return [weight for weight in weights if weight.op_type in RECURRENT or weight in large]


class Names:
    """Names that are new in a model: no tensor, node or value is called so, in the graphs inside nodes neither."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.taken = set(_names(model.graph))

    def fresh(self, wanted: str) -> str:
        """`wanted`, with a number behind it where that is taken; it is taken from now on."""
        found = next(name for name in _numbered(wanted) if name not in self.taken)
        self.taken.add(found)
        return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in itertools.count(2))


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    for values in (graph.input, graph.output, graph.value_info, graph.initializer):
        yield from (value.name for value in values)
    yield from (sparse.values.name for sparse in graph.sparse_initializer)
    for node in graph.node:
        yield from (node.name, *node.input, *node.output)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _names(inner)


def quantize_weights(model: onnx.ModelProto, weights: list[Weight], bits: int = 8) -> None:
    """Make `weights` int8, or int4, in place; everything else, node names included, is as it was."""
    graph, names = model.graph, Names(model)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    added: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    for weight in weights:
        more_tensors, more_nodes = _stored(weight, numpy_helper.to_array(tensors[weight.name]), names, bits)
        added += more_tensors
        nodes += more_nodes
    replace_initializers(graph, {weight.name for weight in weights}, added)
    for place, node in enumerate(nodes):
        graph.node.insert(place, node)


def _stored(
    weight: Weight, values: NDArray[Any], names: Names, bits: int
) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """The integer form of one weight: its tensors, and the nodes that bring the float one back under its old name."""
    name = weight.name
    rows, axis = (values.reshape(-1, values.shape[-1]), 0) if weight.by_direction else (values, weight.axis)
    q, scale = quantize_rows(rows.astype(np.float32, copy=False), axis, bits)
    typed = weight.kind == onnx.TensorProto.FLOAT
    restored = name if typed else names.fresh(name + FLOAT_SUFFIX)
    graph = _Restoring(names)
    scales = stored_scales(scale)
    if bits == 8:
        graph.multiplied(name, q.reshape(weight.shape), scales.reshape(weight.scale_shape), restored)
    else:
        graph.dequantized(weight, q, scales, axis, restored)
    if not typed:
        graph.node("Cast", [restored], name, to=weight.kind)
    return graph.tensors, graph.nodes


class _Restoring:
    """Tensors and nodes that bring a weight back. names: new ones."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.tensors: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []

    def hold(self, tensor: onnx.TensorProto) -> str:
        """Another tensor; returns its name."""
        self.tensors.append(tensor)
        return str(tensor.name)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Another node, without a name, which would take up what float16 saves; returns its output's."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def floats(self, name: str) -> str:
        """A tensor's numbers as float32."""
        return self.node("Cast", [name], self.names.fresh(f"{name}_float"), to=onnx.TensorProto.FLOAT)

    def multiplied(self, name: str, q: I8, scales: NDArray[Any], restored: str) -> None:
        """int8 numbers times scales: constants, which ONNX Runtime folds whatever its options are."""
        codes = self.hold(pack_integers(q, 8, self.names.fresh(name + INT8_SUFFIX)))
        self.node("Mul", [self.floats(codes), self._scale(name, scales)], restored)

    def dequantized(self, weight: Weight, q: I8, scales: NDArray[Any], axis: int, restored: str) -> None:
        """int4 numbers, for DequantizeLinear, which takes scales along one axis only: rows of all directions in one."""
        name = weight.name
        codes = self.hold(pack_integers(q, 4, self.names.fresh(name + INT4_SUFFIX)))
        rows = self.names.fresh(name + ROWS_SUFFIX) if weight.by_direction else restored
        self.node("DequantizeLinear", [codes, self._scale(name, scales)], rows, axis=axis)
        if weight.by_direction:
            shape = numpy_helper.from_array(np.array(weight.shape, np.int64), self.names.fresh(name + SHAPE_SUFFIX))
            self.node("Reshape", [rows, self.hold(shape)], restored)

    def _scale(self, name: str, scales: NDArray[Any]) -> str:
        held = self.hold(numpy_helper.from_array(scales, self.names.fresh(name + SCALE_SUFFIX)))
        return held if scales.dtype == np.float32 else self.floats(held)


def replace_initializers(graph: onnx.GraphProto, gone: set[str], added: list[onnx.TensorProto]) -> None:
    """Take some initializers out, also of the inputs, where old files list them, and append others."""
    replace_items(graph.initializer, [item for item in graph.initializer if item.name not in gone] + added)
    replace_items(graph.input, [item for item in graph.input if item.name not in gone])


def replace_items(field: Any, items: list[Any]) -> None:
    """Set a repeated protobuf field."""
    del field[:]
    field.extend(items)
