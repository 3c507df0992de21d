"""Scheme int8-dynamic: int8 arithmetic inside the LSTM layers, int8 storage of the dense layers.

Each LSTM becomes ONNX Runtime's own operator com.microsoft.DynamicQuantizeLSTM (version 1). Its weights are int8
with one scale a row of a gate, the numbers of int8-weights. At run time it quantises its input to uint8 with one
scale and zero point for all steps and takes of the batch, and the hidden state with one for all takes, each step
anew; products are added up as integers; gates and states are float32. So a take's logits depend on the rest of its
batch, and with several threads on which of them compute together: such files are for batch 1.

Why weights use all of -127..127: half the range (`reduce_range`) would avoid sums that saturate on x86 CPUs without
VNNI, and cost one bit of every weight everywhere, also on Arm, where nothing saturates. `edgekit.runtime` sets a
session option for those CPUs instead; other programs there need `session.x64quantprecision=1`, too.

Source: onnxruntime/contrib_ops/cpu/quantization/dynamic_quantize_lstm.cc and core/providers/cpu/rnn/rnn_helpers.cc.
There is no such operator for GRU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit.errors import InputError
from edgekit.quantize.integers import quantize_rows
from edgekit.quantize.scopes import INT8_LSTM, OWN_DOMAINS, RECURRENT, Scopes
from edgekit.quantize.settings import check_cell
from edgekit.quantize.weights import (
    INT8_SUFFIX,
    SCALE_SUFFIX,
    Names,
    replace_initializers,
    replace_items,
)

OPERATOR, DOMAIN = INT8_LSTM, "com.microsoft"
ZERO_SUFFIX = "_zero_point"

#: Where the operator reads the numbers, scales and zero points of W and R; 0 and 3 to 7 are as in LSTM.
W_INPUTS, R_INPUTS = (1, 8, 9), (2, 10, 11)


def lstm_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Those of the main graph."""
    return [node for node in model.graph.node if node.op_type == "LSTM" and node.domain in OWN_DOMAINS]


def check_recurrent(model: onnx.ModelProto, name: str) -> None:
    """Raises InputError unless every recurrent node is an LSTM that DynamicQuantizeLSTM can stand for.

    Call it for a model that scheme int8-weights covers, which the messages advise. Refused: GRU and RNN; no LSTM at
    all; `layout` 1; W or R that something else reads, too. name: for messages.
    """
    kinds = {node.op_type for scope in Scopes(model).all for node in scope.nodes if node.domain in OWN_DOMAINS}
    for kind in RECURRENT:
        if kind in kinds:
            check_cell("int8-dynamic", kind, name)
    reason = _unsuited(model)
    if reason:
        raise InputError(f"{name}: {reason}, which scheme int8-dynamic does not cover; use scheme int8-weights")


def _unsuited(model: onnx.ModelProto) -> str:
    """Why not, or nothing."""
    nodes = lstm_nodes(model)
    if not nodes:
        return "it has no LSTM"
    readers = Counter(name for scope in Scopes(model).all for node in scope.nodes for name in node.input)
    readers.update(output.name for output in model.graph.output)
    plain = {tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    for scope in Scopes(model).all:
        inner = [node for node in scope.nodes if scope.title and node.op_type == "LSTM" and node.domain in OWN_DOMAINS]
        for node in inner:
            return f"LSTM '{node.name}' is in {scope.title}"
    for node in nodes:
        if not plain.issuperset(node.input[1:3]):
            return f"LSTM '{node.name}' has weights that are no float32 initializers"
        if any(item.name == "layout" and item.i for item in node.attribute):
            return f"LSTM '{node.name}' has layout 1"
        if any(readers[item] > 1 for item in node.input[1:3]):
            return f"LSTM '{node.name}' has weights that other nodes read, too"
    return ""


def quantize_lstms(model: onnx.ModelProto) -> None:
    """Turn every LSTM of `model`, which `check_recurrent` has accepted, into DynamicQuantizeLSTM, in place."""
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    gone: set[str] = set()
    added: list[onnx.TensorProto] = []
    names = Names(model)
    for node in lstm_nodes(model):
        weights = list(node.input[1:3])
        gone.update(weights)
        packed = [_packed(tensors[name], names) for name in weights]
        added += [part for parts in packed for part in parts]
        _replace_lstm(node, packed)
    replace_initializers(graph, gone, added)
    if all(item.domain != DOMAIN for item in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))


def _packed(weight: onnx.TensorProto, names: Names) -> list[onnx.TensorProto]:
    """(directions, rows, in) as int8 (directions, in, rows), with scales and zero points (directions, rows)."""
    directions, rows, columns = weight.dims
    q, scale = quantize_rows(numpy_helper.to_array(weight).reshape(-1, columns), 0, half=False)
    turned = np.ascontiguousarray(q.reshape(directions, rows, columns).transpose(0, 2, 1))
    return [
        numpy_helper.from_array(turned, names.fresh(weight.name + INT8_SUFFIX)),
        numpy_helper.from_array(scale.reshape(directions, rows), names.fresh(weight.name + SCALE_SUFFIX)),
        numpy_helper.from_array(np.zeros((directions, rows), np.int8), names.fresh(weight.name + ZERO_SUFFIX)),
    ]


def _replace_lstm(node: onnx.NodeProto, packed: Sequence[Sequence[onnx.TensorProto]]) -> None:
    """Same name, outputs, attributes and other inputs; `layout`, which is 0, is no attribute of the new operator.
    packed: numbers, scales and zero points of W, then of R."""
    x, _, _, *others = node.input
    others += [""] * (5 - len(others))
    numbers = [parts[0].name for parts in packed]
    scaling = [part.name for parts in packed for part in parts[1:]]
    node.op_type, node.domain = OPERATOR, DOMAIN
    replace_items(node.input, [x, *numbers, *others, *scaling])
    for item in [item for item in node.attribute if item.name == "layout"]:
        node.attribute.remove(item)
