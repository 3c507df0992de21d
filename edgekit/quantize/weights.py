"""Schemes int8-weights and int4-weights: int8 or int4 storage, fp32 arithmetic.

Each weight becomes an int8 tensor, one float32 scale a row and a DequantizeLinear node, standard ONNX since
opset 13; int4 since opset 21, which ONNX Runtime reads since 1.19. ONNX Runtime turns it back into float32
when it opens the file, so results do not depend on the rest of the batch, and LSTM and GRU, one- and bidirectional,
work alike; the file and the download are a quarter or an eighth, the speed is fp32's.
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

from edgekit.errors import InputError
from edgekit.quantize.rows import Place, covered_places, resting_places
from edgekit.quantize.scopes import RECURRENT, Scopes
from edgekit.quantize.settings import QuantizeConfig

F32 = NDArray[np.float32]
I8 = NDArray[np.int8]

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


def quantize_rows(values: F32, axis: int, bits: int = 8) -> tuple[I8, F32]:
    """Symmetric integers with one scale a slice along `axis`: scale = max |row| / most, q = round(row / scale), where
    `most` is the largest number of so many bits, 127 of 8 and 7 of 4.

    Returns q of the shape of values, int8 in -most..most, and scales (values.shape[axis],). The error is at most
    scale / 2 an element. A row of zeros has scale 1. Raises InputError for values that are not finite.
    """
    most = 2 ** (bits - 1) - 1
    if not np.isfinite(values).all():
        raise InputError(f"values: {int((~np.isfinite(values)).sum())} of {values.size} are NaN or infinite")
    others = tuple(k for k in range(values.ndim) if k != axis)
    peak = np.abs(values).max(axis=others)
    scale = (np.where(peak > 0, peak, float(most)) / float(most)).astype(np.float32)
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    q = np.rint(values / np.expand_dims(scale, others))
    return np.clip(q, -most, most).astype(np.int8), scale


def dequantize_rows(q: I8, scale: F32, axis: int) -> F32:
    """The float32 numbers that q stands for: q * scale, row by row along `axis`; what DequantizeLinear
    computes.
    """
    others = tuple(k for k in range(q.ndim) if k != axis)
    return q.astype(np.float32) * np.expand_dims(scale, others)


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


def pack_integers(q: I8, bits: int, name: str) -> onnx.TensorProto:
    """A tensor of q, int8 numbers of so many bits. Two of 4 bits share a byte, the first in its lower half."""
    if bits == 8:
        return numpy_helper.from_array(q, name)
    halves = (q.ravel() & 0xF).astype(np.uint8)
    halves = np.append(halves, np.zeros(halves.size % 2, np.uint8))
    return helper.make_tensor(name, _T.INT4, q.shape, (halves[0::2] | halves[1::2] << 4).tobytes(), raw=True)


def unpack_integers(tensor: onnx.TensorProto) -> I8:
    """The way back, int8 numbers; as they are for a tensor of any other type."""
    values = numpy_helper.to_array(tensor)
    return values.astype(np.int8) if tensor.data_type == _T.INT4 else values


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
    name, axis = weight.name, weight.axis
    if weight.by_direction:  # DequantizeLinear takes scales along one axis only: rows of all directions in one
        values, axis = values.reshape(-1, values.shape[-1]), 0
    q, scale = quantize_rows(values.astype(np.float32, copy=False), axis, bits)
    tensors = [
        pack_integers(q, bits, names.fresh(name + (INT8_SUFFIX if bits == 8 else INT4_SUFFIX))),
        numpy_helper.from_array(scale, names.fresh(name + SCALE_SUFFIX)),
    ]
    typed = weight.kind == onnx.TensorProto.FLOAT
    shaped = name if typed else names.fresh(name + FLOAT_SUFFIX)
    restored = names.fresh(name + ROWS_SUFFIX) if weight.by_direction else shaped
    inputs = [tensor.name for tensor in tensors]
    called = names.fresh(restored + "_dequantize")
    nodes = [helper.make_node("DequantizeLinear", inputs, [restored], name=called, axis=axis)]
    if weight.by_direction:
        shape = numpy_helper.from_array(np.array(weight.shape, np.int64), names.fresh(name + SHAPE_SUFFIX))
        tensors.append(shape)
        called = names.fresh(name + "_reshape")
        nodes.append(helper.make_node("Reshape", [restored, shape.name], [shaped], name=called))
    if not typed:
        called = names.fresh(name + "_cast")
        nodes.append(helper.make_node("Cast", [shaped], [name], name=called, to=weight.kind))
    return tensors, nodes


def replace_initializers(graph: onnx.GraphProto, gone: set[str], added: list[onnx.TensorProto]) -> None:
    """Take some initializers out, also of the inputs, where old files list them, and append others."""
    replace_items(graph.initializer, [item for item in graph.initializer if item.name not in gone] + added)
    replace_items(graph.input, [item for item in graph.input if item.name not in gone])


def replace_items(field: Any, items: list[Any]) -> None:
    """Set a repeated protobuf field."""
    del field[:]
    field.extend(items)
