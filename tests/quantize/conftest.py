"""Recurrent layers as others' exporters leave them: weights in initializers, nodes, branches, loops and functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HIDDEN, INPUTS, OUTPUTS = 24, 40, 50
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
#: As `place` of `make_recurrent`: where an exporter may leave W and R.
HIDING_PLACES = (
    "constant", "value_floats", "unsqueeze", "slices", "transpose", "identity", "cast from float16", "sparse",
    "if branch", "outer of if", "nested if", "loop body", "scan body", "function", "function constant",
    "function of function", "attribute of a function", "float16", "float64", "input",
)  # fmt: skip


def arrays(cell: str = "LSTM", seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """W (1, gates * HIDDEN, INPUTS) and R (1, gates * HIDDEN, HIDDEN)."""
    rng = np.random.default_rng(seed)
    rows = GATES[cell] * HIDDEN
    weight, recurrent = rng.normal(0, 0.2, (1, rows, INPUTS)), rng.normal(0, 0.2, (1, rows, HIDDEN))
    return weight.astype(np.float32), recurrent.astype(np.float32)


@dataclass
class Parts:
    """What a graph is made of so far."""

    kind: int = TensorProto.FLOAT
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)
    sparse: list[onnx.SparseTensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    functions: list[onnx.FunctionProto] = field(default_factory=list)

    def keep(self, values: NDArray[Any], name: str) -> str:
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{output}_node", **attributes))
        return output


def held(parts: Parts, place: str, name: str, values: NDArray[np.float32]) -> str:
    """A weight in its hiding place; the name that the layer reads."""
    if place == "constant":
        return parts.node("Constant", [], name, value=numpy_helper.from_array(values, "unnamed"))
    if place == "value_floats":
        flat = parts.node("Constant", [], f"{name}_flat", value_floats=values.ravel().tolist())
        shape = parts.keep(np.array(values.shape, np.int64), f"{name}_shape")
        return parts.node("Reshape", [flat, shape], name)
    if place == "unsqueeze":
        axis = parts.keep(np.array([0], np.int64), f"{name}_axis")
        return parts.node("Unsqueeze", [parts.keep(values[0], f"{name}_kept"), axis], name)
    if place == "slices":  # as torch's default exporter reorders gates
        whole, half = parts.keep(values, f"{name}_kept"), values.shape[1] // 2
        bounds = {k: parts.keep(np.array([k], np.int64), f"{name}_{k}") for k in (0, 1, half, 2 * half)}
        first = parts.node("Slice", [whole, bounds[0], bounds[half], bounds[1]], f"{name}_first")
        second = parts.node("Slice", [whole, bounds[half], bounds[2 * half], bounds[1]], f"{name}_second")
        return parts.node("Concat", [first, second], name, axis=1)
    if place == "transpose":
        kept = parts.keep(np.ascontiguousarray(values.transpose(0, 2, 1)), f"{name}_kept")
        return parts.node("Transpose", [kept], name, perm=[0, 2, 1])
    if place == "identity":
        return parts.node("Identity", [parts.keep(values, f"{name}_kept")], name)
    if place == "cast from float16":
        kept = parts.keep(values.astype(np.float16), f"{name}_kept")
        return parts.node("Cast", [kept], name, to=TensorProto.FLOAT)
    if place == "sparse":
        flat = numpy_helper.from_array(values.ravel(), name)
        index = numpy_helper.from_array(np.arange(values.size), f"{name}_index")
        parts.sparse.append(helper.make_sparse_tensor(flat, index, values.shape))
        return name
    if place == "input":
        parts.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape))
        return name
    return parts.keep(values.astype(helper.tensor_dtype_to_np_dtype(parts.kind)), name)


def layer(parts: Parts, place: str, cell: str, names: Sequence[str]) -> None:
    """The recurrent layer from x to `state` (1, batch, HIDDEN), where `place` says."""
    node = helper.make_node(cell, ["x", *names], ["", "state"], name="layer", hidden_size=HIDDEN)
    kept = list(parts.tensors)
    typed = [helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, "batch", HIDDEN])]
    if place in ("if branch", "outer of if", "nested if"):
        inner = [] if place == "outer of if" else kept
        parts.tensors = [tensor for tensor in parts.tensors if tensor not in inner]
        branch = helper.make_graph([node], "branch", [], typed, inner)
        if place == "nested if":
            nested = helper.make_node("If", ["yes"], ["state"], name="inner", then_branch=branch, else_branch=branch)
            branch = helper.make_graph([nested], "outer", [], typed)
        parts.keep(np.array(True), "yes")
        parts.nodes.append(
            helper.make_node("If", ["yes"], ["state"], name="choice", then_branch=branch, else_branch=branch)
        )
    elif place in ("loop body", "scan body"):
        in_loop(parts, place, node, kept)
    elif place.startswith(("function", "attribute")):
        in_function(parts, place, node, kept)
    else:
        parts.nodes.append(node)


def in_loop(parts: Parts, place: str, node: onnx.NodeProto, kept: list[onnx.TensorProto]) -> None:
    """The layer once, in the body of a loop of one round."""
    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, "batch", HIDDEN])
    parts.tensors = []
    if place == "loop body":
        node.output[1] = "state_inside"
        state.name = "state_inside"
        carried = [helper.make_tensor_value_info("go_in", TensorProto.BOOL, [])]
        counter = helper.make_tensor_value_info("round", TensorProto.INT64, [])
        again = helper.make_tensor_value_info("go_out", TensorProto.BOOL, [])
        copied = helper.make_node("Identity", ["go_in"], ["go_out"])
        body = helper.make_graph([copied, node], "body", [counter, *carried], [again, state], kept)
        parts.keep(np.array(1, np.int64), "rounds")
        parts.keep(np.array(True), "go")
        parts.nodes.append(helper.make_node("Loop", ["rounds", "go"], ["states"], name="loop", body=body))
    else:
        node.input[0], node.output[1] = "x_inside", "state_inside"
        state.name = "state_inside"
        scanned = helper.make_tensor_value_info("x_inside", TensorProto.FLOAT, ["time", "batch", INPUTS])
        body = helper.make_graph([node], "body", [scanned], [state], kept)
        axis = parts.keep(np.array([0], np.int64), "scan_axis")
        parts.node("Unsqueeze", ["x", axis], "x_once")
        parts.nodes.append(helper.make_node("Scan", ["x_once"], ["states"], name="scan", body=body, num_scan_inputs=1))
    parts.node("Squeeze", ["states", parts.keep(np.array([0], np.int64), "states_axis")], "state")


def in_function(parts: Parts, place: str, node: onnx.NodeProto, kept: list[onnx.TensorProto]) -> None:
    """The layer as a local function; its weights inputs, constants inside, or an attribute of the call."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("theirs", 1)]
    inputs, inside, attributes = list(node.input), [node], {}
    if place in ("function constant", "attribute of a function"):
        parts.tensors, inputs = [], ["x"]
        inside = [helper.make_node("Constant", [], [each.name], value=each) for each in kept] + inside
    if place == "attribute of a function":
        attributes = {each.name: each for each in kept}
        for constant, name in zip(inside, attributes, strict=False):
            del constant.attribute[:]
            constant.attribute.append(onnx.AttributeProto(name="value", type=4, ref_attr_name=name))
    call = helper.make_node("Layer", inputs, ["state"], name="call", domain="theirs", **attributes)
    parts.functions.append(
        helper.make_function("theirs", "Layer", inputs, ["state"], inside, opsets, attributes=list(attributes))
    )
    if place == "function of function":
        parts.functions.append(helper.make_function("theirs", "Outer", inputs, ["state"], [call], opsets))
        call = helper.make_node("Outer", inputs, ["state"], name="outer_call", domain="theirs")
    parts.nodes.append(call)


MakeRecurrent = Callable[..., Path]


@pytest.fixture
def make_recurrent(tmp_path: Path) -> MakeRecurrent:
    """(place, cell, opset, ir, dense, change): a file x (time, batch, INPUTS) to y (batch, OUTPUTS): a recurrent layer
    whose weights are where `place` says, then a Gemm. dense: the Gemm's weight. change: called with the model."""

    def make(
        place: str = "initializer",
        cell: str = "LSTM",
        opset: int = 17,
        ir: int = 9,
        change: Callable[[onnx.ModelProto], None] | None = None,
        name: str = "model.onnx",
    ) -> Path:
        parts = Parts(
            kind={"float16": TensorProto.FLOAT16, "float64": TensorProto.DOUBLE}.get(place, TensorProto.FLOAT)
        )
        weights = dict(zip(("W", "R"), arrays(cell), strict=True))
        names = [held(parts, place, key, values) for key, values in weights.items()]
        layer(parts, place, cell, names)
        dense = np.random.default_rng(1).normal(0, 0.2, (HIDDEN, OUTPUTS)).astype(np.float32)
        kind = helper.tensor_dtype_to_np_dtype(parts.kind)
        if opset < 13:
            parts.node("Squeeze", ["state"], "flat", axes=[0])
        else:
            parts.node("Squeeze", ["state", parts.keep(np.array([0], np.int64), "state_axis")], "flat")
        parts.node(
            "Gemm", ["flat", parts.keep(dense.astype(kind), "dense"), parts.keep(np.zeros(OUTPUTS, kind), "bias")], "y"
        )
        model = _model(parts, opset, ir)
        if change is not None:
            change(model)
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return make


def _model(parts: Parts, opset: int, ir: int) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info("x", parts.kind, ["time", "batch", INPUTS]), *parts.inputs]
    if ir < 4:  # every initializer is an input
        inputs += [helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in parts.tensors]
    outputs = [helper.make_tensor_value_info("y", parts.kind, ["batch", OUTPUTS])]
    graph = helper.make_graph(parts.nodes, "g", inputs, outputs, parts.tensors, sparse_initializer=parts.sparse)
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid("theirs", 1)] if parts.functions else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir, functions=parts.functions)


def initializers(path: Path) -> Mapping[str, NDArray[Any]]:
    """Of the main graph, by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


@pytest.fixture(autouse=True)
def harmless(models_run_here: None) -> None:
    """Files of these tests are, but where they ask for `apart`."""


@pytest.fixture
def hiding_places() -> tuple[str, ...]:
    """Of `make_recurrent`."""
    return HIDING_PLACES
