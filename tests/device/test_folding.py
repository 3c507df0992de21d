"""With the sizes known, index arithmetic and conditions are: a graph costs what its taken branch costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.device import UnknownWork, Work
from edgekit.device.graph import graph_work

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
ARRAYS = {
    "16000": np.array(16000), "axis": np.array([1]), "zero": np.array([0]), "two": np.array([2]),
    "wide": np.ones((4, 64), np.float32), "narrow": np.ones((4, 8), np.float32),
}  # fmt: skip
SaveGraph = Callable[[Sequence[onnx.NodeProto]], Path]


@pytest.fixture
def save_graph(tmp_path: Path) -> SaveGraph:
    """A file of x (batch, 4) and the single number rate, with ARRAYS, that gives y."""

    def save(nodes: Sequence[onnx.NodeProto]) -> Path:
        graph = helper.make_graph(
            list(nodes), "test",
            [helper.make_tensor_value_info("x", FLOAT, ["batch", 4]), helper.make_tensor_value_info("rate", INT64, [])],
            [helper.make_tensor_value_info("y", FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in ARRAYS.items()],
        )  # fmt: skip
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "model.onnx")
        return tmp_path / "model.onnx"

    return save


def branch(weights: str) -> onnx.GraphProto:
    """x times a matrix; the same names inside every branch."""
    nodes = [helper.make_node("MatMul", ["x", weights], ["product"]), helper.make_node("Relu", ["product"], ["out"])]
    return helper.make_graph(nodes, weights, [], [helper.make_tensor_value_info("out", FLOAT, None)])


def choose(condition: str, output: str = "y") -> onnx.NodeProto:
    """64 columns where it is true, 8 where not."""
    return helper.make_node(
        "If", [condition], [output], name="choice", then_branch=branch("wide"), else_branch=branch("narrow")
    )


def known(path: Path, batch: int = 1, rate: float | None = None) -> Work:
    """The work at these sizes."""
    work = graph_work(path, {"x": (batch, 4)}, {} if rate is None else {"rate": rate})
    assert isinstance(work, Work), work
    return work


def test_a_value_chooses_the_branch(save_graph: SaveGraph) -> None:
    path = save_graph([helper.make_node("Equal", ["rate", "16000"], ["fast"]), choose("fast")])
    assert known(path, rate=16000).macs == 4 * 64
    assert known(path, rate=8000).macs == 4 * 8


def test_a_size_chooses_the_branch(save_graph: SaveGraph) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Greater", ["batch", "two"], ["many"]),
        choose("many"),
    ]
    path = save_graph(nodes)
    assert known(path, batch=3).macs == 3 * 4 * 64
    assert known(path, batch=2).macs == 2 * 4 * 8


def test_a_branch_that_the_numbers_choose_is_unknown(save_graph: SaveGraph) -> None:
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["positive"], to=TensorProto.BOOL),
        choose("positive"),
    ]
    work = graph_work(save_graph(nodes), {"x": (1, 4)})
    assert isinstance(work, UnknownWork)
    assert "If 'choice'" in work.reason


def test_without_the_value_the_branch_is_unknown(save_graph: SaveGraph) -> None:
    path = save_graph([helper.make_node("Equal", ["rate", "16000"], ["fast"]), choose("fast")])
    assert isinstance(graph_work(path, {"x": (1, 4)}), UnknownWork)


def test_branches_may_use_the_same_names(save_graph: SaveGraph) -> None:
    """Each has a `product` of its own size."""
    nodes = [
        helper.make_node("Equal", ["rate", "16000"], ["fast"]),
        helper.make_node("Not", ["fast"], ["slow"]),
        choose("fast", "first"),
        choose("slow", "second"),
        helper.make_node("Concat", ["first", "second"], ["y"], axis=1),
    ]
    assert known(save_graph(nodes), rate=16000).macs == 4 * 64 + 4 * 8


def test_a_branch_inside_a_branch(save_graph: SaveGraph) -> None:
    inner = helper.make_graph([choose("fast", "deep")], "b", [], [helper.make_tensor_value_info("deep", FLOAT, None)])
    outer = helper.make_node("If", ["fast"], ["y"], then_branch=inner, else_branch=branch("narrow"))
    path = save_graph([helper.make_node("Equal", ["rate", "16000"], ["fast"]), outer])
    assert known(path, rate=16000).macs == 4 * 64
    assert known(path, rate=1).macs == 4 * 8


def test_sizes_behind_index_arithmetic_are_known_and_it_still_costs(save_graph: SaveGraph) -> None:
    """A session computes the pads in every run, so taking them out of the graph must not make it cheaper."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Concat", ["shape", "shape"], ["pads"], axis=0),
        helper.make_node("Pad", ["x", "pads"], ["y"]),
    ]
    work = known(save_graph(nodes), batch=3)
    padded = (3 + 3 + 3) * (4 + 4 + 4)
    assert work.nodes == len(nodes)
    assert work.elements >= padded


def test_what_follows_from_constants_alone_is_no_work(save_graph: SaveGraph) -> None:
    nodes = [
        helper.make_node("Concat", ["zero", "axis"], ["axes"], axis=0),
        helper.make_node("Neg", ["axes"], ["minus"]),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    assert known(save_graph(nodes)).nodes == 1


def test_large_tensors_are_never_made(save_graph: SaveGraph) -> None:
    """A shape of 10^18 numbers is no reason to allocate them: it is only counted."""
    nodes = [
        helper.make_node("Constant", [], ["huge"], value=numpy_helper.from_array(np.array([10**9, 10**9]))),
        helper.make_node("ConstantOfShape", ["huge"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["y"]),
    ]
    assert known(save_graph(nodes)).nodes == 1  # a session folds the rest, or dies of it in a process of its own


@pytest.mark.parametrize("kind", ["AveragePool", "MaxPool"])
def test_pooling_reads_a_window_for_each_output(save_onnx, kind: str) -> None:
    node = helper.make_node(kind, ["x"], ["logits"], kernel_shape=[2, 2], strides=[2, 2])
    work = graph_work(save_onnx([node], {"x": [1, 3, 8, 8]}), {})
    assert isinstance(work, Work)
    assert work.elements == 3 * 4 * 4 * (2 * 2 + 1)


def test_a_transposed_convolution_is_as_much_as_the_convolution_back(save_onnx) -> None:
    weights = np.ones((3, 5, 2, 2), np.float32)  # (in, out, height, width)
    node = helper.make_node("ConvTranspose", ["x", "w"], ["logits"], strides=[2, 2])
    work = graph_work(save_onnx([node], {"x": [1, 3, 4, 4]}, {"w": weights}), {})
    back = helper.make_node("Conv", ["x", "w"], ["logits"], strides=[2, 2])
    convolution = graph_work(save_onnx([back], {"x": [1, 5, 8, 8]}, {"w": weights}, name="back.onnx"), {})
    assert isinstance(work, Work)
    assert isinstance(convolution, Work)
    assert work.conv_macs == convolution.conv_macs == 3 * 4 * 4 * 5 * 2 * 2


@pytest.mark.parametrize(("mode", "known"), [("nearest", True), ("linear", True), ("cubic", False)])
def test_resizing_of_known_cost(save_onnx, mode: str, known: bool) -> None:
    arrays = {"scales": np.array([1, 1, 2, 2], np.float32)}
    node = helper.make_node("Resize", ["x", "", "scales"], ["logits"], mode=mode)
    assert isinstance(graph_work(save_onnx([node], {"x": [1, 3, 4, 4]}, arrays), {}), Work) == known
