"""What a graph of few bytes can ask of whoever opens it: memory, time, depth."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def growth(rng: Random, model: onnx.ModelProto) -> str:
    """Few bytes that ask for much: in the folding of sizes, in a run, in nesting."""
    graph = model.graph
    if not graph.input or not graph.output:
        return "growth: no place for it"
    source, result = graph.input[0].name, graph.output[0].name
    kind = rng.choice(("shapes", "shapes", "filled", "expand", "tile", "loop", "range", "nested", "wide"))
    made = _GROWTHS[kind](rng, source)
    if made:
        graph.node.extend(made)
        last = made[-1].output[0]
        if rng.random() < 0.5:  # what grew reaches the result
            graph.node.append(helper.make_node("Size", [last], ["grown_size"]))
            graph.node.append(helper.make_node("Cast", ["grown_size"], ["grown_float"], to=1))
            graph.output.append(helper.make_tensor_value_info("grown_float", TensorProto.FLOAT, []))
        else:
            graph.output.append(helper.make_tensor_value_info(last, TensorProto.INT64, None))
    return f"growth: {kind} from {source!r:.30} beside {result!r:.30}"


def _shapes(rng: Random, source: str) -> list[onnx.NodeProto]:
    names = [f"grown{k}" for k in range(rng.choice((10, 24, 40)))]
    doubling = [helper.make_node("Concat", [a, a], [b], axis=0) for a, b in pairwise(names)]
    return [helper.make_node("Shape", [source], [names[0]]), *doubling]


def _constant(name: str, values: list[int]) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(values, np.int64)))


def _filled(rng: Random, source: str) -> list[onnx.NodeProto]:
    sizes = rng.choice(([2**30], [2**34], [10**9, 4], [-1], [2**62, 2], [50_000, 20_000]))
    return [_constant("grown_sizes", sizes), helper.make_node("ConstantOfShape", ["grown_sizes"], ["grown"])]


def _expand(rng: Random, source: str) -> list[onnx.NodeProto]:
    made = [_constant("grown_sizes", rng.choice(([400, 1, 1, 1, 1], [10**6, 1, 1, 1], [2**40, 1, 1, 1])))]
    return [*made, helper.make_node("Expand", [source, "grown_sizes"], ["grown"])]


def _tile(rng: Random, source: str) -> list[onnx.NodeProto]:
    return [
        _constant("grown_sizes", rng.choice(([1, 1, 500_000], [1, 10**6, 1], [3] * 3, [2**33, 1, 1]))),
        helper.make_node("Tile", [source, "grown_sizes"], ["grown"]),
    ]


def _scalar(name: str, value: int | bool) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value)))


def _range(rng: Random, source: str) -> list[onnx.NodeProto]:
    limit = rng.choice((10**9, 2**40, 2**62))
    ends = [_scalar("r0", 0), _scalar("r1", limit), _scalar("r2", 1)]
    return [*ends, helper.make_node("Range", ["r0", "r1", "r2"], ["grown"])]


def _loop(rng: Random, source: str) -> list[onnx.NodeProto]:
    info, whole = helper.make_tensor_value_info, TensorProto.INT64
    nodes = [
        helper.make_node("Identity", ["condition"], ["go"]),
        helper.make_node("Concat", ["carried", "carried"], ["longer"], axis=0),
    ]
    if rng.random() < 0.5:
        nodes[1] = helper.make_node("Identity", ["carried"], ["longer"])
    body = helper.make_graph(
        nodes,
        "body",
        [info("turn", whole, []), info("condition", TensorProto.BOOL, []), info("carried", whole, None)],
        [info("go", TensorProto.BOOL, []), info("longer", whole, None)],
    )
    trips, true = _scalar("trips", rng.choice((30, 10**6, 2**62))), _scalar("true", True)
    return [
        trips,
        true,
        helper.make_node("Shape", [source], ["begin"]),
        helper.make_node("Loop", ["trips", "true", "begin"], ["grown"], body=body),
    ]


def _nested(rng: Random, source: str) -> list[onnx.NodeProto]:
    """If inside If inside If."""
    yes = _scalar("yes", True)
    info = helper.make_tensor_value_info("inner", TensorProto.INT64, None)
    leaf = helper.make_graph([helper.make_node("Shape", [source], ["inner"])], "leaf", [], [info])
    graph = leaf
    for _ in range(rng.choice((5, 20, 30))):
        node = helper.make_node("If", ["yes"], ["inner"], then_branch=graph, else_branch=leaf)
        graph = helper.make_graph([yes, node], "level", [], [info])
    return [yes, helper.make_node("If", ["yes"], ["grown"], then_branch=graph, else_branch=leaf)]


def _wide(rng: Random, source: str) -> list[onnx.NodeProto]:
    count = rng.choice((200, 3000))
    return [helper.make_node("Shape", [source], ["w0"])] + [
        helper.make_node("Identity", [f"w{k}"], [f"w{k + 1}"]) for k in range(count)
    ]


_GROWTHS = {
    "shapes": _shapes,
    "filled": _filled,
    "expand": _expand,
    "tile": _tile,
    "loop": _loop,
    "range": _range,
    "nested": _nested,
    "wide": _wide,
}
