"""Scheme int8-weights: int8 storage, fp32 arithmetic.

Each weight becomes an int8 tensor, one float32 scale a row and a DequantizeLinear node, standard ONNX since
opset 13. ONNX Runtime turns it back into float32 when it opens the file, so results do not depend on the rest
of the batch, and LSTM and GRU, one- and bidirectional, work alike; the file and the download are a quarter,
the speed is fp32's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.errors import InputError
from edgekit.quantize.scopes import OWN_DOMAINS, RECURRENT
from edgekit.quantize.settings import QuantizeConfig

F32 = NDArray[np.float32]
I8 = NDArray[np.int8]

SUPPORTED = (*RECURRENT, "Gemm", "MatMul")
INT8_SUFFIX, SCALE_SUFFIX, ROWS_SUFFIX, SHAPE_SUFFIX = "_int8", "_scale", "_rows", "_shape"


@dataclass(frozen=True)
class Weight:
    """A float32 initializer that a supported operator reads.

    shape: as stored; axis: of its rows, an output channel or a row of a gate each. by_direction: (directions,
    rows, in) with more than one direction, where each direction's rows have scales of their own.
    """

    name: str
    op_type: str
    shape: tuple[int, ...]
    axis: int
    by_direction: bool


def find_weights(model: onnx.ModelProto, min_elements: int) -> list[Weight]:
    """Weights of LSTM, GRU, RNN, Gemm and MatMul nodes of the main graph, in the order of its initializers.

    Only float32 initializers of rank 2 or more and at least min_elements elements; a weight that several
    nodes read goes by the first of them.
    """
    candidates = {
        tensor.name: tuple(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) >= 2 and np.prod(tensor.dims) >= min_elements
    }
    found: dict[str, Weight] = {}
    for node in model.graph.node:
        if node.op_type not in SUPPORTED or node.domain not in OWN_DOMAINS:
            continue
        for position, name in enumerate(node.input):
            if name in candidates and name not in found:
                axis = _row_axis(node, position, len(candidates[name]))
                if axis is not None:
                    shape = candidates[name]
                    by_direction = node.op_type in RECURRENT and shape[0] > 1
                    found[name] = Weight(name, node.op_type, shape, axis, by_direction)
    return [found[name] for name in candidates if name in found]


def weights_of_scheme(model: onnx.ModelProto, config: QuantizeConfig) -> list[Weight]:
    """The weights that become int8: those of `find_weights`, and every recurrent layer's, whatever its size, so that
    no part of such a layer stays float32. With int8-weights none where not one has `min_elements`."""
    weights = find_weights(model, 1)
    large = [weight for weight in weights if np.prod(weight.shape) >= config.min_elements]
    if not large and config.scheme == "int8-weights":
        return []
    return [weight for weight in weights if weight.op_type in RECURRENT or weight in large]


def _row_axis(node: onnx.NodeProto, position: int, rank: int) -> int | None:
    """The axis along which each slice makes one output number; None when this input is no weight."""
    if node.op_type in RECURRENT:  # W, R: (directions, gates * hidden, in)
        return 1 if position in (1, 2) and rank == 3 else None
    if position > 1:  # Gemm's bias
        return None
    if node.op_type == "MatMul":
        return (rank - 2, rank - 1)[position]
    attributes = {item.name: item.i for item in node.attribute}
    transposed = bool(attributes.get(("transA", "transB")[position], 0))
    return int(transposed) if position == 0 else int(not transposed)


def quantize_rows(values: F32, axis: int) -> tuple[I8, F32]:
    """Symmetric int8 with one scale a slice along `axis`: scale = max |row| / 127, q = round(row / scale).

    Returns q of the shape of values, in -127..127, and scales (values.shape[axis],). The error is at most
    scale / 2 an element. A row of zeros has scale 1. Raises InputError for values that are not finite.
    """
    if not np.isfinite(values).all():
        raise InputError(f"values: {int((~np.isfinite(values)).sum())} of {values.size} are NaN or infinite")
    others = tuple(k for k in range(values.ndim) if k != axis)
    peak = np.abs(values).max(axis=others)
    scale = (np.where(peak > 0, peak, 127.0) / 127.0).astype(np.float32)
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    q = np.rint(values / np.expand_dims(scale, others))
    return np.clip(q, -127, 127).astype(np.int8), scale


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


def quantize_weights(model: onnx.ModelProto, weights: list[Weight]) -> onnx.ModelProto:
    """A copy of `model` whose `weights` are int8; everything else, node names included, is as it was."""
    target = onnx.ModelProto()
    target.CopyFrom(model)
    graph, names = target.graph, Names(model)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    added: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    for weight in weights:
        more_tensors, more_nodes = _stored(weight, numpy_helper.to_array(tensors[weight.name]), names)
        added += more_tensors
        nodes += more_nodes
    replace_initializers(graph, {weight.name for weight in weights}, added)
    replace_items(graph.node, nodes + list(graph.node))
    return target


def _stored(weight: Weight, values: F32, names: Names) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """The int8 form of one weight: its tensors, and the nodes that bring the float32 one back under its old
    name.
    """
    name, axis = weight.name, weight.axis
    if weight.by_direction:  # DequantizeLinear takes scales along one axis only: rows of all directions in one
        values, axis = values.reshape(-1, values.shape[-1]), 0
    q, scale = quantize_rows(values, axis)
    tensors = [
        numpy_helper.from_array(q, names.fresh(name + INT8_SUFFIX)),
        numpy_helper.from_array(scale, names.fresh(name + SCALE_SUFFIX)),
    ]
    restored = names.fresh(name + ROWS_SUFFIX) if weight.by_direction else name
    inputs = [tensor.name for tensor in tensors]
    called = names.fresh(restored + "_dequantize")
    nodes = [helper.make_node("DequantizeLinear", inputs, [restored], name=called, axis=axis)]
    if weight.by_direction:
        shape = numpy_helper.from_array(np.array(weight.shape, np.int64), names.fresh(name + SHAPE_SUFFIX))
        tensors.append(shape)
        called = names.fresh(name + "_reshape")
        nodes.append(helper.make_node("Reshape", [restored, shape.name], [name], name=called))
    return tensors, nodes


def replace_initializers(graph: onnx.GraphProto, gone: set[str], added: list[onnx.TensorProto]) -> None:
    """Take some initializers out, also of the inputs, where old files list them, and append others."""
    replace_items(graph.initializer, [item for item in graph.initializer if item.name not in gone] + added)
    replace_items(graph.input, [item for item in graph.input if item.name not in gone])


def replace_items(field: Any, items: list[Any]) -> None:
    """Set a repeated protobuf field."""
    del field[:]
    field.extend(items)
