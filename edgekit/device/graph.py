"""Counts the work of a foreign ONNX graph from its inferred shapes. Needs the onnx package."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx

from edgekit.artifacts import end_with, json_text, parse_json
from edgekit.device.folding import Folding, TooMuch, fold_sizes, sizes_of
from edgekit.device.work import UnknownWork, Work
from edgekit.measure import Value
from edgekit.runtime.child import limit_memory

_RECURRENT = {"LSTM": 4, "GRU": 3, "RNN": 1}

#: Operators whose cost is a few instructions for each number that they read or write.
_PER_ELEMENT_NAMES = """
    Abs Add And ArgMax ArgMin BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape CumSum
    DequantizeLinear Div Dropout Elu Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gelu
    GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual HardSigmoid HardSwish Identity InstanceNormalization
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Max Mean Min Mod Mul Neg Not Or PRelu Pad Pow
    QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Round Selu Shape Sigmoid Sign Size Slice Softmax Softplus Softsign Split Sqrt
    Squeeze Sub Sum Tanh Tile Transpose Unsqueeze Where
"""
_PER_ELEMENT = frozenset(_PER_ELEMENT_NAMES.split())

#: Ways of Resize that read four numbers at most for each that they write (of an image).
_CHEAP_RESIZING = (b"nearest", b"linear")

Shapes = dict[str, tuple[int, ...]]


class _NotCountable(Exception):
    """Why a graph can't be counted."""


def graph_work(
    path: Path, shapes: Mapping[str, tuple[int, ...]], values: Mapping[str, Value] | None = None
) -> Work | UnknownWork:
    """The work of one run of the model at `path`, at these input sizes (an open first axis is 1).

    values: what fills an input, such as a sampling rate; it may decide which branch is taken.
    What can't be counted is an UnknownWork that says which operator or size. For files of others, which may take
    gigabytes or crash the onnx package, see `edgekit.device.counting`.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
        _name_lstms(model.graph)
        _fix_inputs(model.graph, shapes)
        return _count(*fold_sizes(model, values or {}))
    except (_NotCountable, TooMuch) as error:
        return UnknownWork(str(error))
    except MemoryError:  # a limit of this process's, for whoever set it
        raise
    except Exception as error:  # onnx raises protobuf's, its checker's and inference's own errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        return UnknownWork(f"the onnx package can't infer its shapes: {reason}")


def answer() -> None:
    """Read a request from stdin, write its work to stdout: what `edgekit.device.counting` starts."""
    request = parse_json(sys.stdin.read())
    end_with(request["parent"])
    limit_memory(request["limit_bytes"])
    shapes = {name: tuple(sizes) for name, sizes in request["shapes"].items()}
    work = graph_work(Path(request["path"]), shapes, request["values"])
    print(json_text({"known": isinstance(work, Work), **asdict(work)}))


def _name_lstms(graph: onnx.GraphProto) -> None:
    """ONNX Runtime's int8 LSTM, which onnx can't infer, as the LSTM that it stands for: same steps, MACs and shapes.

    The bound's constants hold for both: see the counts in `edgekit.device.estimate`.
    """
    for node in graph.node:
        if (node.domain, node.op_type) == ("com.microsoft", "DynamicQuantizeLSTM"):
            node.domain, node.op_type = "", "LSTM"
            del node.input[8:]  # scales and zero points


def _fix_inputs(graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """State the inputs' sizes, and leave the outputs' to inference: what they declare may be open."""
    for item in graph.output:
        item.type.tensor_type.ClearField("shape")
    for item in graph.input:
        for axis, dim in enumerate(item.type.tensor_type.shape.dim):
            if item.name in shapes and axis < len(shapes[item.name]):
                dim.dim_value = shapes[item.name][axis]
            elif axis == 0 and dim.dim_value <= 0:
                dim.dim_value = 1


def _count(graph: onnx.GraphProto, folding: Folding) -> Work:
    constant = {item.name for item in graph.initializer} - folding.varying
    known = sizes_of(graph)
    matrix = conv = steps = skipped = 0
    nodes, elements = folding.nodes, folding.elements
    for node in graph.node:
        kind = node.op_type if node.domain in ("", "ai.onnx") else _title(node)
        plain = kind in _PER_ELEMENT
        if plain and all(name in constant for name in node.input if name):
            constant.update(node.output)  # folded when the session is made
            continue
        nodes += 1
        if kind in _RECURRENT:
            macs, new_steps = _recurrent(node, known)
            matrix, steps = matrix + macs, steps + new_steps
            skipped += macs - _certain(macs, node, known, folding)
        elif kind in ("Gemm", "MatMul"):
            matrix += _product(node, known)
        elif kind == "Conv":
            conv += _convolution(node, known)
        elif kind == "ConvTranspose":
            conv += _transposed_convolution(node, known)
        elif kind in ("AveragePool", "MaxPool"):
            elements += _pooling(node, known)
        elif kind == "Resize" and _attribute(node, "mode", b"nearest") in _CHEAP_RESIZING:
            elements += math.prod(_size(node, node.input[0], known)) + 5 * math.prod(_size(node, node.output[0], known))
        elif plain:
            elements += sum(math.prod(_size(node, name, known)) for name in (*node.input, *node.output) if name)
        else:
            raise _NotCountable(f"the cost of operator {_title(node)} is not known")
    return Work(matrix, conv, steps, nodes, elements, "counted from the graph", skipped)


def _recurrent(node: onnx.NodeProto, known: Shapes) -> tuple[int, int]:
    time, batch, features = _rank(node, node.input[0], known, 3)
    hidden = int(_attribute(node, "hidden_size", 0))
    directions = 2 if _attribute(node, "direction", b"forward") == b"bidirectional" else 1
    if _attribute(node, "layout", 0):
        time, batch = batch, time
    macs = time * batch * directions * _RECURRENT[node.op_type] * hidden * (features + hidden)
    return macs, time * batch * directions


def _certain(macs: int, node: onnx.NodeProto, known: Shapes, folding: Folding) -> int:
    """Of a recurrent layer's multiply-adds those that its sequence lengths, where it has any, leave; 0 if not known."""
    name = node.input[4] if len(node.input) > 4 else ""
    if not name:
        return macs
    lengths = folding.known.get(name)
    if lengths is None:
        return 0
    time, batch, _ = _rank(node, node.input[0], known, 3)
    if _attribute(node, "layout", 0):
        time, batch = batch, time
    return macs * int(lengths.clip(0, time).sum()) // (time * batch)


def _product(node: onnx.NodeProto, known: Shapes) -> int:
    left, out = _size(node, node.input[0], known), _size(node, node.output[0], known)
    inner = left[0] if node.op_type == "Gemm" and _attribute(node, "transA", 0) else left[-1]
    return math.prod(out) * inner


def _convolution(node: onnx.NodeProto, known: Shapes) -> int:
    weight, out = _size(node, node.input[1], known), _size(node, node.output[0], known)
    return math.prod(out) * math.prod(weight[1:])


def _transposed_convolution(node: onnx.NodeProto, known: Shapes) -> int:
    weight, given = _size(node, node.input[1], known), _size(node, node.input[0], known)
    return math.prod(given) * math.prod(weight[1:])


def _pooling(node: onnx.NodeProto, known: Shapes) -> int:
    """Numbers read, one window an output, and written."""
    window: int = math.prod(_attribute(node, "kernel_shape", []))
    return math.prod(_size(node, node.output[0], known)) * (window + 1)


def _size(node: onnx.NodeProto, name: str, known: Shapes) -> tuple[int, ...]:
    if name not in known:
        raise _NotCountable(
            f"the size of '{name}' at operator {_title(node)} can't be inferred; give the input sizes (--shape)"
        )
    return known[name]


def _rank(node: onnx.NodeProto, name: str, known: Shapes, rank: int) -> tuple[int, ...]:
    size = _size(node, name, known)
    if len(size) != rank:
        raise _NotCountable(f"operator {_title(node)}: '{name}' has {len(size)} axes instead of {rank}")
    return size


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    for item in node.attribute:
        if item.name == name:
            return onnx.helper.get_attribute_value(item)
    return default


def _title(node: onnx.NodeProto) -> str:
    domain = f"{node.domain}." if node.domain else ""
    return f"{domain}{node.op_type}" + (f" '{node.name}'" if node.name else "")
