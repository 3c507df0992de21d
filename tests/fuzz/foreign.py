"""ONNX files that edgekit did not write, each with something that its own never have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HIDDEN, FRAMES, FEATURES, CLASSES = 16, 30, 63, 3


def write_foreign(folder: Path) -> None:
    """One file a kind."""
    for name, model in {
        "plain": plain(),
        "lens": lens(),
        "constant": constant(),
        "chain": chain(),
        "states": states(),
        "loop": loop(),
        "branch": branch(),
        "shapes": shapes(),
        "function": function(),
        "float16": float16(),
        "old": plain(opset=7, ir=3),
    }.items():
        onnx.save(model, folder / f"{name}.onnx")


def _weights() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    sizes = {"W": (1, 4 * HIDDEN, FEATURES), "R": (1, 4 * HIDDEN, HIDDEN), "D": (HIDDEN, CLASSES)}
    return {name: (rng.standard_normal(size) / 4).astype(np.float32) for name, size in sizes.items()}


def _info(name: str, kind: int = TensorProto.FLOAT, sizes: Sequence[int | str] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, sizes)


def _model(
    nodes: list[onnx.NodeProto],
    arrays: dict[str, np.ndarray[Any, Any]],
    inputs: Sequence[onnx.ValueInfoProto] = (),
    outputs: Sequence[onnx.ValueInfoProto] = (),
    opset: int = 17,
    ir: int = 9,
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(value, name) for name, value in arrays.items()]
    signature = [_info("landmarks", sizes=["batch", FRAMES, FEATURES]), *inputs]
    if ir < 4:
        signature += [_info(name, TensorProto.FLOAT, value.shape) for name, value in arrays.items()]
    graph = helper.make_graph(
        nodes, "foreign", signature, [_info("logits", sizes=["batch", CLASSES]), *outputs], tensors
    )
    domains = [helper.make_opsetid("", opset)] + [helper.make_opsetid("local", 1)] * bool(functions)
    return helper.make_model(graph, opset_imports=domains, ir_version=ir, functions=list(functions))


def _head(last: str = "h") -> list[onnx.NodeProto]:
    """From (1, batch, hidden) to logits, in operators that opset 7 has, too."""
    return [
        helper.make_node("Reshape", [last, "flat"], ["state"]),
        helper.make_node("MatMul", ["state", "D"], ["logits"]),
    ]


def _lstm(w: str = "W", r: str = "R", more: Sequence[str] = ()) -> list[onnx.NodeProto]:
    first = helper.make_node("Transpose", ["landmarks"], ["x"], perm=[1, 0, 2])
    return [first, helper.make_node("LSTM", ["x", w, r, *more], ["", "h"], hidden_size=HIDDEN, name="lstm")]


def _arrays(*names: str) -> dict[str, np.ndarray[Any, Any]]:
    weights = _weights()
    return {name: weights[name] for name in names} | {"flat": np.array([-1, HIDDEN], np.int64)}


def plain(opset: int = 17, ir: int = 9) -> onnx.ModelProto:
    """LSTM and a dense layer."""
    model = _model([*_lstm(), *_head()], _arrays("W", "R", "D"), opset=opset, ir=ir)
    for info in model.graph.input:
        if info.name == "flat":
            info.type.tensor_type.elem_type = TensorProto.INT64
    return model


def lens() -> onnx.ModelProto:
    """How many frames count comes in by an INT32 input."""
    return _model(
        [*_lstm(more=["", "lens"]), *_head()], _arrays("W", "R", "D"), [_info("lens", TensorProto.INT32, ["batch"])]
    )


def constant() -> onnx.ModelProto:
    """Weights in Constant nodes."""
    made = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(_weights()[name])) for name in ("W", "R")
    ]
    return _model([*made, *_lstm(), *_head()], _arrays("D"))


def chain() -> onnx.ModelProto:
    """Weights behind Unsqueeze and Concat, as exporters write them."""
    arrays = _arrays("W", "R", "D") | {"zero": np.array([0], np.int64)}
    arrays["W0"], arrays["R0"], arrays["R1"] = arrays.pop("W")[0], arrays["R"][0, :32], arrays.pop("R")[0, 32:]
    made = [
        helper.make_node("Unsqueeze", ["W0", "zero"], ["W"]),
        helper.make_node("Concat", ["R0", "R1"], ["Rc"], axis=0),
        helper.make_node("Unsqueeze", ["Rc", "zero"], ["R"]),
    ]
    return _model([*made, *_lstm(), *_head()], arrays)


def states() -> onnx.ModelProto:
    """States that an application feeds back, and a sampling rate."""
    nodes = _lstm(more=["", "", "h0", "c0"])
    nodes[-1].output.append("c")
    nodes.append(helper.make_node("Cast", ["sr"], ["rate"], to=TensorProto.FLOAT))
    nodes += [helper.make_node("Add", ["h", "rate"], ["shifted"]), *_head("shifted")]
    size = [1, "batch", HIDDEN]
    inputs = [_info("h0", sizes=size), _info("c0", sizes=size), _info("sr", TensorProto.INT64, [])]
    return _model(nodes, _arrays("W", "R", "D"), inputs, [_info("h", sizes=size), _info("c", sizes=size)])


def loop() -> onnx.ModelProto:
    """The LSTM stands in the body of a Loop."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still"]),
            helper.make_node("LSTM", ["x", "W", "R"], ["", "next"], hidden_size=HIDDEN),
        ],
        "body",
        [
            _info("turn", TensorProto.INT64, []),
            _info("on", TensorProto.BOOL, []),
            _info("carried", sizes=[1, "batch", HIDDEN]),
        ],
        [_info("still", TensorProto.BOOL, []), _info("next", sizes=[1, "batch", HIDDEN])],
    )
    nodes = [_lstm()[0], helper.make_node("LSTM", ["x", "W", "R"], ["", "begin"], hidden_size=HIDDEN)]
    nodes += [helper.make_node("Loop", ["trips", "true", "begin"], ["h"], body=body), *_head()]
    return _model(nodes, _arrays("W", "R", "D") | {"trips": np.array(2), "true": np.array(True)})


def branch() -> onnx.ModelProto:
    """Each branch of an If has an LSTM of its own."""
    out = [_info("inner", sizes=[1, "batch", HIDDEN])]
    arms = {}
    for arm in ("then_branch", "else_branch"):
        tensors = [numpy_helper.from_array(_weights()[name], f"{arm}_{name}") for name in ("W", "R")]
        node = helper.make_node("LSTM", ["x", f"{arm}_W", f"{arm}_R"], ["", "inner"], hidden_size=HIDDEN)
        arms[arm] = helper.make_graph([node], arm, [], out, tensors)
    nodes = [_lstm()[0], helper.make_node("If", ["true"], ["h"], **arms), *_head()]
    return _model(nodes, _arrays("D") | {"true": np.array(True)})


def shapes() -> onnx.ModelProto:
    """Arithmetic on sizes before a Reshape."""
    arrays = _arrays("W", "R", "D") | {"one": np.array([1], np.int64), "units": np.array([HIDDEN], np.int64)}
    nodes = [
        *_lstm(),
        helper.make_node("Shape", ["landmarks"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "zero0"], ["count"]),
        helper.make_node("Unsqueeze", ["count", "axis0"], ["counts"]),
        helper.make_node("Concat", ["counts", "units"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["h", "wanted"], ["state"]),
        helper.make_node("MatMul", ["state", "D"], ["logits"]),
    ]
    return _model(nodes, arrays | {"zero0": np.array(0), "axis0": np.array([0])})


def function() -> onnx.ModelProto:
    """The dense layer is a function of the model's own."""
    made = helper.make_function(
        "local",
        "Dense",
        ["a", "b"],
        ["c"],
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        [helper.make_opsetid("", 17)],
    )
    head = [_head()[0], helper.make_node("Dense", ["state", "D"], ["logits"], domain="local")]
    return _model([*_lstm(), *head], _arrays("W", "R", "D"), functions=[made])


def float16() -> onnx.ModelProto:
    """Dense weights in half precision, cast in the graph."""
    arrays = _arrays("W", "R", "D")
    arrays["D16"] = arrays.pop("D").astype(np.float16)
    return _model([*_lstm(), helper.make_node("Cast", ["D16"], ["D"], to=1), *_head()], arrays)
