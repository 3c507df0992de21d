"""Graphs that nobody's exporter writes by itself, but that ONNX allows: one function a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HIDDEN, INPUTS, OUTPUTS, TIME = 24, 32, 40, 5
F32 = TensorProto.FLOAT
Graphs = dict[str, Callable[[], onnx.ModelProto]]


def normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Of deviation 0.2."""
    return np.random.default_rng(seed).normal(0, 0.2, shape).astype(np.float32)


def typed(name: str, shape: Sequence[Any], kind: int = F32) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def tensor(values: Any, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


def weights(gates: int = 4, inputs: int = INPUTS, directions: int = 1, seed: int = 0) -> list[onnx.TensorProto]:
    rows = gates * HIDDEN
    return [
        tensor(normal(directions, rows, inputs, seed=seed), "W"),
        tensor(normal(directions, rows, HIDDEN, seed=seed + 1), "R"),
    ]


def model(
    nodes: Sequence[onnx.NodeProto],
    tensors: Sequence[onnx.TensorProto],
    outputs: Sequence[onnx.ValueInfoProto],
    inputs: Sequence[onnx.ValueInfoProto] = (),
    opset: int = 17,
    ir: int = 9,
    **more: Any,
) -> onnx.ModelProto:
    """x (TIME, batch, INPUTS) to whatever the nodes give."""
    inputs = inputs or [typed("x", [TIME, "batch", INPUTS])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, **more)


def lstm(inputs: Sequence[str], output: str = "h", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node("LSTM", inputs, ["", output], name=f"{output}_lstm", hidden_size=HIDDEN, **attributes)


H = typed("h", [1, "batch", HIDDEN])


def shared_by_two_layers() -> onnx.ModelProto:
    nodes = [lstm(["x", "W", "R"]), lstm(["x", "W", "R", "", "", "h"], "h2")]
    return model(nodes, weights(), [H, typed("h2", [1, "batch", HIDDEN])])


def weight_is_an_output() -> onnx.ModelProto:
    return model([lstm(["x", "W", "R"])], weights(), [H, typed("W", [1, 4 * HIDDEN, INPUTS])])


def weight_is_an_optional_input() -> onnx.ModelProto:
    inputs = [typed("x", [TIME, "batch", INPUTS]), typed("W", [1, 4 * HIDDEN, INPUTS])]
    return model([lstm(["x", "W", "R"])], weights(), [H], inputs)


def weight_is_a_lookup_table_too() -> onnx.ModelProto:
    nodes = [
        lstm(["x", "W", "R"]),
        helper.make_node("Gather", ["W", "row"], ["rows"], axis=1),
        helper.make_node("ReduceMean", ["rows"], ["mean"], keepdims=0),
    ]
    return model(nodes, [*weights(), tensor([1, 5], "row")], [H, typed("mean", [])])


def both_axes_of_one_matrix() -> onnx.ModelProto:
    """As a product and, turned, as another."""
    nodes = [
        helper.make_node("MatMul", ["x", "k"], ["p"]),
        helper.make_node("Transpose", ["k"], ["t"]),
        helper.make_node("MatMul", ["p", "t"], ["y"]),
    ]
    return model(nodes, [tensor(normal(INPUTS, 60), "k")], [typed("y", [TIME, "batch", INPUTS])])


def states_and_peepholes() -> onnx.ModelProto:
    """B, sequence_lens, initial_h, initial_c and P are tensors of the file; the batch is 2."""
    rest = [
        tensor(normal(1, 8 * HIDDEN, seed=4), "B"), tensor(np.array([TIME, 3], np.int32), "lens"),
        tensor(normal(1, 2, HIDDEN, seed=5), "h0"), tensor(normal(1, 2, HIDDEN, seed=6), "c0"),
        tensor(normal(1, 3 * HIDDEN, seed=7), "P"),
    ]  # fmt: skip
    node = lstm(["x", "W", "R", "B", "lens", "h0", "c0", "P"], clip=3.0, input_forget=1)
    return model([node], [*weights(), *rest], [typed("h", [1, 2, HIDDEN])], [typed("x", [TIME, 2, INPUTS])])


def large_states() -> onnx.ModelProto:
    """The initial states are as large as weights: for 64 takes."""
    rest = [tensor(normal(1, 64, HIDDEN, seed=5), "h0"), tensor(normal(1, 64, HIDDEN, seed=6), "c0")]
    node = lstm(["x", "W", "R", "", "", "h0", "c0"])
    return model([node], [*weights(), *rest], [typed("h", [1, 64, HIDDEN])], [typed("x", [TIME, 64, INPUTS])])


def lengths_are_an_input() -> onnx.ModelProto:
    inputs = [typed("x", [TIME, "batch", INPUTS]), typed("lens", ["batch"], TensorProto.INT32)]
    return model([lstm(["x", "W", "R", "", "lens"])], weights(), [H], inputs)


def batch_first() -> onnx.ModelProto:
    """layout 1, which ONNX Runtime may not run."""
    return model([lstm(["x", "W", "R"], layout=1)], weights(), [typed("h", ["batch", 1, HIDDEN])])


def reverse_gru() -> onnx.ModelProto:
    node = helper.make_node(
        "GRU", ["x", "W", "R"], ["", "h"], hidden_size=HIDDEN, direction="reverse", linear_before_reset=1
    )
    return model([node], weights(3), [H])


def both_directions() -> onnx.ModelProto:
    node = lstm(["x", "W", "R"], direction="bidirectional")
    return model([node], weights(directions=2), [typed("h", [2, "batch", HIDDEN])])


def _cast(kind: int) -> onnx.ModelProto:
    """Weights of another float type, brought to float32 in the graph."""
    stored = [helper.make_tensor(f"{t.name}_kept", kind, t.dims, numpy_helper.to_array(t).ravel()) for t in weights()]
    nodes = [helper.make_node("Cast", [f"{name}_kept"], [name], to=F32) for name in "WR"]
    return model([*nodes, lstm(["x", "W", "R"])], stored, [H])


def bfloat16_weights() -> onnx.ModelProto:
    return _cast(TensorProto.BFLOAT16)


def double_weights() -> onnx.ModelProto:
    return _cast(TensorProto.DOUBLE)


def double_layer() -> onnx.ModelProto:
    tensors = [tensor(numpy_helper.to_array(each).astype(np.float64), each.name) for each in weights()]
    output = typed("h", [1, "batch", HIDDEN], TensorProto.DOUBLE)
    inputs = [typed("x", [TIME, "batch", INPUTS], TensorProto.DOUBLE)]
    return model([lstm(["x", "W", "R"])], tensors, [output], inputs)


def branches_share_a_weight() -> onnx.ModelProto:
    """W outside of both, R in each, equal ones."""
    outer, inner = weights()
    branches = [
        helper.make_graph([lstm(["x", "W", "R"], name)], name, [], [typed(name, [1, "batch", HIDDEN])], [inner])
        for name in ("a", "b")
    ]
    choice = helper.make_node("If", ["which"], ["h"], then_branch=branches[0], else_branch=branches[1])
    inputs = [typed("x", [TIME, "batch", INPUTS]), typed("which", [], TensorProto.BOOL)]
    return model([choice], [outer], [H], inputs)


def branches_hide_a_name() -> onnx.ModelProto:
    """Each branch has a W of its own, and the graph around has a third, used there."""
    branches = [
        helper.make_graph(
            [lstm(["x", "W", "R"], name)], name, [], [typed(name, [1, "batch", HIDDEN])], weights(seed=seed)
        )
        for name, seed in (("a", 10), ("b", 20))
    ]
    choice = helper.make_node("If", ["which"], ["h"], then_branch=branches[0], else_branch=branches[1])
    inputs = [typed("x", [TIME, "batch", INPUTS]), typed("which", [], TensorProto.BOOL)]
    (outer, state) = weights()
    outer.name, state.name = "V", "S"
    return model([lstm(["x", "V", "S"], "o"), choice], [outer, state], [H, typed("o", [1, "batch", HIDDEN])], inputs)


def _loop(carried: bool) -> onnx.ModelProto:
    """Three rounds of a layer whose state is the loop's; with `carried` W is of the loop's state, too, unchanged."""
    passed = [("W_in", "W_out")] if carried else []
    nodes = [
        helper.make_node("Identity", ["go_in"], ["go_out"]),
        lstm(["x", "W_in" if carried else "W", "R", "", "", "s_in"], "s_out"),
        *(helper.make_node("Identity", [one], [other]) for one, other in passed),
    ]
    shape = [1, 4 * HIDDEN, INPUTS]
    body = helper.make_graph(
        nodes, "body",
        [typed("n", [], TensorProto.INT64), typed("go_in", [], TensorProto.BOOL), typed("s_in", [1, 2, HIDDEN]),
         *(typed(one, shape) for one, _ in passed)],
        [typed("go_out", [], TensorProto.BOOL), typed("s_out", [1, 2, HIDDEN]), *(typed(o, shape) for _, o in passed)],
    )  # fmt: skip
    tensors = [*weights(), tensor(3, "rounds"), tensor(True, "go"), tensor(np.zeros((1, 2, HIDDEN), np.float32), "s")]
    given = ["rounds", "go", "s", *(["W"] if carried else [])]
    loop = helper.make_node("Loop", given, ["h", *(["W_end"] if carried else [])], body=body)
    return model([loop], tensors, [typed("h", [1, 2, HIDDEN])], [typed("x", [TIME, 2, INPUTS])])


def loop_with_a_layer() -> onnx.ModelProto:
    return _loop(False)


def loop_carries_a_weight() -> onnx.ModelProto:
    return _loop(True)


def scan_over_weights() -> onnx.ModelProto:
    """Each step has a matrix of its own: slices of one tensor."""
    body = helper.make_graph(
        [helper.make_node("MatMul", ["s_in", "w"], ["s_out"])],
        "body",
        [typed("s_in", [4, INPUTS]), typed("w", [INPUTS, INPUTS])],
        [typed("s_out", [4, INPUTS])],
    )
    scan = helper.make_node("Scan", ["x", "stack"], ["h"], body=body, num_scan_inputs=1)
    return model(
        [scan], [tensor(normal(3, INPUTS, INPUTS), "stack")], [typed("h", [4, INPUTS])], [typed("x", [4, INPUTS])]
    )


def functions_in_functions() -> onnx.ModelProto:
    """Two levels, called twice with other weights."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("theirs", 1)]
    inner = helper.make_function(
        "theirs", "Inner", ["a", "w"], ["b"], [helper.make_node("MatMul", ["a", "w"], ["b"])], opsets
    )
    calls = [helper.make_node("Inner", ["a", "w"], ["m"], domain="theirs"), helper.make_node("Tanh", ["m"], ["b"])]
    outer = helper.make_function("theirs", "Outer", ["a", "w"], ["b"], calls, opsets)
    nodes = [helper.make_node("Outer", ["x", "k"], ["p"], domain="theirs"),
             helper.make_node("Outer", ["p", "l"], ["y"], domain="theirs")]  # fmt: skip
    tensors = [tensor(normal(INPUTS, 60), "k"), tensor(normal(60, OUTPUTS, seed=1), "l")]
    made = model(nodes, tensors, [typed("y", [TIME, "batch", OUTPUTS])], functions=[inner, outer])
    made.opset_import.append(helper.make_opsetid("theirs", 1))
    return made


def odd_names() -> onnx.ModelProto:
    """Line ends, quotes, a path, another script, one that edgekit would choose itself, 300 letters."""
    made = model([lstm(["x", "W", "R"])], weights(), [H])
    graph = made.graph
    names = {"W": "../W\n\"'\x1b[31m;rm -rf /", "R": "重み" + "r" * 300, "x": "x y", "h": "h/0:0"}
    for item in (*graph.initializer, *graph.input, *graph.output):
        item.name = names.get(item.name, item.name)
    for node in graph.node:
        for field in (node.input, node.output):
            for index, name in enumerate(field):
                field[index] = names.get(name, name)
        node.name = names["W"] + "_int8"
    graph.initializer.append(tensor(normal(3), names["W"] + "_int8"))
    return made


def no_names() -> onnx.ModelProto:
    made = model([lstm(["x", "W", "R"])], weights(), [H])
    made.graph.name = ""
    for node in made.graph.node:
        node.name = ""
    return made


def stored_as_integers_already() -> onnx.ModelProto:
    """Somebody's own int8: whole numbers, cast and scaled in the graph."""
    rng = np.random.default_rng(0)
    nodes, tensors = [], []
    for each in weights():
        name, shape = each.name, tuple(each.dims)
        tensors += [
            tensor(rng.integers(-127, 128, shape, np.int8), f"{name}_q"),
            tensor(np.float32(0.004), f"{name}_s"),
        ]
        nodes += [helper.make_node("Cast", [f"{name}_q"], [f"{name}_f"], to=F32),
                  helper.make_node("Mul", [f"{name}_f", f"{name}_s"], [name])]  # fmt: skip
    return model([*nodes, lstm(["x", "W", "R"])], tensors, [H])


def tiny() -> onnx.ModelProto:
    """One unit that reads one number: scales take more than int8 saves."""
    tensors = [tensor(np.ones((1, 4, 1), np.float32), "W"), tensor(np.ones((1, 4, 1), np.float32), "R"),
               tensor(normal(1, 1100), "k")]  # fmt: skip
    node = helper.make_node("LSTM", ["x", "W", "R"], ["", "h"], hidden_size=1)
    product = helper.make_node("MatMul", ["h", "k"], ["y"])
    return model([node, product], tensors, [typed("y", [1, "batch", 1100])], [typed("x", [TIME, "batch", 1])])


def empty_weight() -> onnx.ModelProto:
    """A matrix without rows beside one that counts."""
    nodes = [
        helper.make_node("MatMul", ["x", "k"], ["y"]),
        helper.make_node("MatMul", ["x", "none"], ["n"]),
    ]
    tensors = [tensor(normal(INPUTS, 60), "k"), tensor(np.zeros((INPUTS, 0), np.float32), "none")]
    return model(nodes, tensors, [typed("y", [TIME, "batch", 60]), typed("n", [TIME, "batch", 0])])


def dequantized_already() -> onnx.ModelProto:
    nodes = [helper.make_node("DequantizeLinear", ["q", "s"], ["k"]), helper.make_node("MatMul", ["x", "k"], ["y"])]
    tensors = [tensor(np.ones((INPUTS, 60), np.int8), "q"), tensor(np.float32(0.1), "s")]
    return model(nodes, tensors, [typed("y", [TIME, "batch", 60])])


def twice_the_same_name() -> onnx.ModelProto:
    return model([lstm(["x", "W", "R"])], [*weights(), *weights(seed=5)], [H])


def an_output_is_a_sequence() -> onnx.ModelProto:
    nodes = [lstm(["x", "W", "R"]), helper.make_node("SequenceConstruct", ["h", "h"], ["s"])]
    return model(nodes, weights(), [helper.make_tensor_sequence_value_info("s", F32, None)])


def custom_operator() -> onnx.ModelProto:
    nodes = [lstm(["x", "W", "R"]), helper.make_node("Polish", ["h"], ["y"], domain="theirs")]
    made = model(nodes, weights(), [typed("y", [1, "batch", HIDDEN])])
    made.opset_import.append(helper.make_opsetid("theirs", 1))
    return made


def of_opset(opset: int) -> onnx.ModelProto:
    """As ONNX's own helper writes it for that opset."""
    ir = min(
        helper.VERSION_TABLE[k][1] for k in range(len(helper.VERSION_TABLE)) if helper.VERSION_TABLE[k][2] == opset
    )
    tensors = weights()
    inputs = [typed("x", [TIME, "batch", INPUTS])]
    if ir < 4:
        inputs += [typed(each.name, list(each.dims)) for each in tensors]
    return model([lstm(["x", "W", "R"])], tensors, [H], inputs, opset, ir)
