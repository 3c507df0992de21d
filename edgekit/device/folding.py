"""What a graph decides by its sizes alone: index arithmetic becomes constants, an If its taken branch.

Exporters write both for inputs whose sizes they left open. With the sizes known, what they compute is known before
anything runs, and so are the sizes behind them. Needs the onnx package.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from edgekit.measure import Value

#: Operators of index arithmetic, evaluated by onnx's reference implementation where all their inputs are known.
_INDEX_ARITHMETIC_NAMES = """
    Abs Add And Cast Ceil Concat ConstantOfShape Div Equal Floor Gather Greater GreaterOrEqual Identity Less LessOrEqual
    Max Min Mod Mul Neg Not Or ReduceProd Reshape Slice Squeeze Sub Transpose Unsqueeze Where
"""
_INDEX_ARITHMETIC = frozenset(_INDEX_ARITHMETIC_NAMES.split())

#: Numbers in a tensor beyond which it is data and no index.
_MOST = 4096
#: Numbers that all index arithmetic together may write before it is no such thing.
_MOST_IN_ALL = 1_000_000

Array = NDArray[Any]


class TooMuch(Exception):
    """Index arithmetic that does not come to an end soon, in words."""


@dataclass
class Folding:
    """A graph on its way to known sizes.

    known: tensors whose numbers are known. varying: those of them that follow from sizes or values of inputs; a session
    computes them in every run, since it does not know that they stay. What follows from constants alone it computes
    once. nodes, elements: operators that were taken out of the graph and still run, and the numbers that they write.
    written: numbers that were computed on the way, in all.
    """

    model: onnx.ModelProto
    known: dict[str, Array] = field(default_factory=dict)
    varying: set[str] = field(default_factory=set)
    nodes: int = 0
    elements: int = 0
    branches: int = 0
    written: int = 0


def fold_sizes(model: onnx.ModelProto, values: Mapping[str, Value]) -> tuple[onnx.GraphProto, Folding]:
    """(the graph with its sizes inferred, what was taken out of it), at the sizes that its inputs state.

    values: what fills an input. The model is changed, and loses the numbers of its weights. Raises TooMuch, and what
    onnx's shape inference and its reference implementation raise.
    """
    folding = Folding(model)
    _know_inputs(folding, values)
    _forget_data(model.graph)
    while True:
        inferred = shape_inference.infer_shapes(model).graph
        if not _fold_once(folding, sizes_of(inferred)):
            return inferred, folding


def sizes_of(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Each tensor whose sizes are all known."""
    sizes = {item.name: tuple(item.dims) for item in graph.initializer}
    for info in (*graph.input, *graph.value_info, *graph.output):
        dims = info.type.tensor_type.shape.dim
        if info.type.tensor_type.HasField("shape") and all(dim.dim_value > 0 for dim in dims):
            sizes.setdefault(info.name, tuple(dim.dim_value for dim in dims))
    return sizes


def _know_inputs(folding: Folding, values: Mapping[str, Value]) -> None:
    for item in folding.model.graph.input:
        size = [dim.dim_value for dim in item.type.tensor_type.shape.dim]
        if item.name in values and math.prod(size) <= _MOST:
            kind = helper.tensor_dtype_to_np_dtype(item.type.tensor_type.elem_type)
            value = values[item.name]
            folding.known[item.name] = np.full(size, np.reshape(value, size) if np.size(value) > 1 else value, kind)
            folding.varying.add(item.name)


def _forget_data(graph: onnx.GraphProto) -> None:
    """Weights keep type and sizes: every round of inference would copy their numbers."""
    for item in graph.initializer:
        if math.prod(item.dims) > _MOST:
            for name in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                item.ClearField(name)


def _fold_once(folding: Folding, sizes: Mapping[str, tuple[int, ...]]) -> bool:
    """Take out every node that is known by now. Returns whether there was any."""
    graph = folding.model.graph
    for item in graph.initializer:
        if item.name not in folding.known and math.prod(item.dims) <= _MOST:
            folding.known[item.name] = numpy_helper.to_array(item)
    kept: list[onnx.NodeProto] = []
    before = list(graph.node)
    for node in before:
        kept.extend(_fold(folding, node, sizes))
    del graph.node[:]
    graph.node.extend(kept)
    return len(kept) != len(before) or any(a is not b for a, b in zip(kept, before, strict=True))


def _fold(folding: Folding, node: onnx.NodeProto, sizes: Mapping[str, tuple[int, ...]]) -> Iterator[onnx.NodeProto]:
    """The nodes that stand for `node`: none when its output is known, a branch for an If, itself otherwise."""
    names = [name for name in node.input if name]
    ready = all(name in folding.known for name in names)
    if node.op_type == "Constant":
        if node.output[0] not in folding.known and math.prod(_attribute_dims(node)) <= _MOST:
            folding.known[node.output[0]] = _evaluate(folding, node)[0]
        yield node
    elif node.op_type == "Shape" and names[0] in sizes:
        begin, end = (_attribute(node, name, default) for name, default in (("start", 0), ("end", None)))
        _replace(folding, node, [np.array(sizes[names[0]][begin:end], np.int64)], varying=True)
    elif node.op_type == "Size" and names[0] in sizes:
        _replace(folding, node, [np.array(math.prod(sizes[names[0]]), np.int64)], varying=True)
    elif node.op_type == "If" and ready:
        yield from _taken_branch(folding, node)
    elif node.op_type in _INDEX_ARITHMETIC and node.domain in ("", "ai.onnx") and ready and _is_small(folding, node):
        _replace(folding, node, _evaluate(folding, node), varying=any(name in folding.varying for name in names))
    else:
        yield node


def _is_small(folding: Folding, node: onnx.NodeProto) -> bool:
    """Whether what the node writes is an index, as far as its inputs tell before anything is computed."""
    arrays = [folding.known[name] for name in node.input if name]
    sizes = [array.size for array in arrays]
    if node.op_type == "ConstantOfShape":
        most = math.prod(max(int(size), 0) for size in arrays[0].reshape(-1)[:_MOST])
    elif node.op_type == "Gather":
        most = math.prod(sizes)
    elif node.op_type in ("Concat", "Reshape", "Slice", "Squeeze", "Unsqueeze", "ReduceProd"):
        most = sum(sizes)
    else:
        most = math.prod(np.broadcast_shapes(*(array.shape for array in arrays)))
    return most <= _MOST


def _replace(folding: Folding, node: onnx.NodeProto, arrays: list[Array], varying: bool) -> None:
    for name, array in zip(node.output, arrays, strict=True):
        folding.known[name] = array
        folding.model.graph.initializer.append(numpy_helper.from_array(array, name))
    if varying:
        folding.varying.update(node.output)
        folding.nodes += 1
        folding.elements += sum(array.size for array in arrays)


def _evaluate(folding: Folding, node: onnx.NodeProto) -> list[Array]:
    feeds = {name: folding.known[name] for name in node.input if name}
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "fold", inputs, outputs)
    single = helper.make_model(graph, opset_imports=folding.model.opset_import)
    found = [np.asarray(array) for array in ReferenceEvaluator(single).run(None, feeds)]
    folding.written += sum(array.size for array in found)
    if folding.written > _MOST_IN_ALL:
        raise TooMuch(
            f"its index arithmetic writes more than {_MOST_IN_ALL:,} numbers (at {node.op_type} '{node.name}')"
        )
    return found


def _taken_branch(folding: Folding, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """The nodes of the branch that the condition chooses, under names of their own, and one for each of its outputs."""
    condition = bool(folding.known[node.input[0]].reshape(-1)[0])
    branch = _attribute(node, "then_branch" if condition else "else_branch", None)
    folding.branches += 1
    folding.nodes += 1
    inner = [*(item.name for item in branch.initializer), *(name for each in branch.node for name in each.output)]
    renamed = {name: f"branch {folding.branches}: {name}" for name in inner if name}
    for item in branch.initializer:
        moved = folding.model.graph.initializer.add()
        moved.CopyFrom(item)
        moved.name = renamed[item.name]
    for each in branch.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(each)
        _rename(copy, renamed)
        yield copy
    for inside, outside in zip(branch.output, node.output, strict=True):
        yield helper.make_node("Identity", [renamed.get(inside.name, inside.name)], [outside])


def _rename(node: onnx.NodeProto, renamed: Mapping[str, str]) -> None:
    for names in (node.input, node.output):
        names[:] = [renamed.get(name, name) for name in names]
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for each in graph.node:
                _rename(each, renamed)
            for output in graph.output:
                output.name = renamed.get(output.name, output.name)


def _attribute_dims(node: onnx.NodeProto) -> list[int]:
    """Sizes of a Constant, whichever of its attributes holds it."""
    item = node.attribute[0]
    if item.type in (onnx.AttributeProto.TENSOR, onnx.AttributeProto.SPARSE_TENSOR):
        return list(item.t.dims or item.sparse_tensor.dims)
    return [max(len(item.ints), len(item.floats), len(item.strings), 1)]


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    for item in node.attribute:
        if item.name == name:
            return helper.get_attribute_value(item)
    return default
