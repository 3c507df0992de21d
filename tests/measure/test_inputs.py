"""How the worker feeds models that it knows nothing about: open sizes, several types, single numbers, states."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edgekit.errors import ShapeError
from edgekit.measure import FedInput, WorkerRequest, run_worker, worker

Tensor = tuple[str, int, Sequence[int | str | None]]
SaveGraph = Callable[..., Path]
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


@pytest.fixture
def save_graph(tmp_path: Path) -> SaveGraph:
    """(nodes, inputs, outputs): a file whose inputs and outputs are (name, type, shape)."""

    def save(nodes: Sequence[onnx.NodeProto], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Path:
        values = [[helper.make_tensor_value_info(*item) for item in items] for items in (inputs, outputs)]
        model = helper.make_model(
            helper.make_graph(list(nodes), "test", *values), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
        )
        onnx.save(model, tmp_path / "model.onnx")
        return tmp_path / "model.onnx"

    return save


def passing_on(*names: tuple[str, str]) -> list[onnx.NodeProto]:
    """Each output is its input."""
    return [helper.make_node("Identity", [first], [second]) for first, second in names]


def fed(path: Path, **request: Any) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The first feed of the worker, and the description of each input by its name."""
    feeds, described = worker.make_feeds(np, worker.open_session(onnxruntime, str(path), 1, 0), request)
    return feeds[0], {item["name"]: item for item in described}


def test_an_axis_follows_the_others_of_its_name(save_graph: SaveGraph) -> None:
    inputs = [("a", FLOAT, ["batch", "time", 4]), ("b", FLOAT, ["time", "batch"])]
    path = save_graph(passing_on(("a", "y"), ("b", "z")), inputs, [("y", FLOAT, None), ("z", FLOAT, None)])
    arrays, _ = fed(path, shapes={"a": [2, 7, 4]})
    assert {name: array.shape for name, array in arrays.items()} == {"a": (2, 7, 4), "b": (7, 2)}
    arrays, _ = fed(path, shapes={"b": [7, 2]})
    assert arrays["a"].shape == (2, 7, 4)


def test_an_open_batch_is_1_everywhere(save_graph: SaveGraph) -> None:
    inputs = [("b", FLOAT, [3, "batch"]), ("a", FLOAT, ["batch", 4])]
    path = save_graph(passing_on(("a", "y"), ("b", "z")), inputs, [("y", FLOAT, None), ("z", FLOAT, None)])
    assert fed(path)[0]["b"].shape == (3, 1)


def test_question_marks_are_no_name_of_an_axis(save_graph: SaveGraph) -> None:
    """An exporter writes "?" for every open size: a height says nothing about the width."""
    inputs = [("a", FLOAT, [1, "?", "?"]), ("b", FLOAT, [1, "?"])]
    path = save_graph(passing_on(("a", "y"), ("b", "z")), inputs, [("y", FLOAT, None), ("z", FLOAT, None)])
    with pytest.raises(worker.RequestError, match="give --shape b=1"):
        fed(path, shapes={"a": [1, 8, 8]})


@pytest.mark.parametrize(
    "kind",
    ["FLOAT", "DOUBLE", "FLOAT16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL"],
)
def test_every_type_of_number_is_fed(save_graph: SaveGraph, kind: str) -> None:
    number = getattr(TensorProto, kind)
    path = save_graph(passing_on(("x", "y")), [("x", number, [2, 3])], [("y", number, [2, 3])])
    array, described = fed(path)[0]["x"], fed(path)[1]["x"]
    assert array.dtype == helper.tensor_dtype_to_np_dtype(number)
    assert described["source"] == ("random" if "FLOAT" in kind or kind == "DOUBLE" else "ones")
    assert run_worker(WorkerRequest(path, "latency", repeats=1)).inputs[0].shape == (2, 3)


def test_text_is_refused_in_words(save_graph: SaveGraph) -> None:
    path = save_graph(passing_on(("x", "y")), [("x", TensorProto.STRING, [1])], [("y", TensorProto.STRING, [1])])
    with pytest.raises(ShapeError, match="input 'x' is text"):
        run_worker(WorkerRequest(path, "latency", repeats=1))


def test_a_single_number_is_asked_for(save_graph: SaveGraph) -> None:
    """It may choose a branch, as a sampling rate does: a guess would measure another model than is used."""
    path = save_graph(passing_on(("rate", "y")), [("rate", INT64, [])], [("y", INT64, [])])
    with pytest.raises(ShapeError, match=r"--value rate=\.\.\."):
        run_worker(WorkerRequest(path, "latency", repeats=1))
    found = run_worker(WorkerRequest(path, "latency", repeats=1, values={"rate": 16000}))
    assert found.inputs[0] == FedInput("rate", "tensor(int64)", (), "value")
    arrays, _ = fed(path, values={"rate": 16000})
    assert arrays["rate"] == 16000


def test_a_value_fills_an_input_of_any_shape(save_graph: SaveGraph) -> None:
    path = save_graph(passing_on(("lengths", "y")), [("lengths", INT64, ["batch"])], [("y", INT64, None)])
    arrays, _ = fed(path, values={"lengths": 30}, shapes={"lengths": [2]})
    assert arrays["lengths"].tolist() == [30, 30]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(INT64, 0.5), (TensorProto.INT8, 300), (TensorProto.BOOL, 2), (FLOAT, 1e39), (TensorProto.FLOAT16, -1e5)],
)
def test_a_value_that_the_type_cannot_hold_is_refused(save_graph: SaveGraph, kind: int, value: float) -> None:
    path = save_graph(passing_on(("x", "y")), [("x", kind, [2])], [("y", kind, [2])])
    with pytest.raises(ShapeError, match=re.escape(f"--value x={value}")):
        run_worker(WorkerRequest(path, "latency", repeats=1, values={"x": value}))


def test_a_value_for_no_input_is_refused(lstm_file) -> None:
    with pytest.raises(ShapeError, match="--value sr: no such input; the model has landmarks"):
        run_worker(WorkerRequest(lstm_file(), "latency", repeats=1, values={"sr": 1}))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("state", "stateN"), ("h", "hn"), ("h0", "hn"), ("h_0", "h_n"), ("c_in", "c_out"), ("h_prev", "h_next"),
        ("decoder.cell_state", "decoder.new_cell_state"), ("stateIn", "stateOut"),
    ],
)  # fmt: skip
def test_states_are_known_by_their_names(save_graph: SaveGraph, before: str, after: str) -> None:
    inputs, outputs = [("x", FLOAT, [1, 4]), (before, FLOAT, [1, 4])], [("y", FLOAT, [1, 4]), (after, FLOAT, [1, 4])]
    arrays, described = fed(save_graph(passing_on(("x", "y"), (before, after)), inputs, outputs))
    assert described["x"]["source"] == "random"
    assert described[before]["source"] == "state fed back"
    assert not arrays[before].any()


def test_numbered_states_are_not_exchanged(save_graph: SaveGraph) -> None:
    names = [("state0", "state1_out"), ("state1", "state0_out")]
    size = [2, 4]
    inputs = [(name, FLOAT, size) for name, _ in names]
    path = save_graph(passing_on(*names), inputs, [(name, FLOAT, size) for _, name in names])
    session = worker.open_session(onnxruntime, str(path), 1, 0)
    assert worker.find_states(session, {}) == {"state0": 1, "state1": 0}


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (["state_a", "state_b"], ["one", "two"]),  # which is whose?
        (["state"], ["first", "second"]),
    ],
)
def test_states_that_cannot_be_told_apart_stay_at_zeros(
    save_graph: SaveGraph, inputs: list[str], outputs: list[str]
) -> None:
    pairs = [(inputs[min(index, len(inputs) - 1)], name) for index, name in enumerate(outputs)]
    path = save_graph(
        passing_on(*pairs), [(name, FLOAT, [1, 4]) for name in inputs], [(name, FLOAT, [1, 4]) for name in outputs]
    )
    arrays, described = fed(path)
    assert {item["source"] for item in described.values()} == {"zeros"}
    assert not any(array.any() for array in arrays.values())


def test_an_input_without_an_output_like_it_is_no_state(save_graph: SaveGraph) -> None:
    inputs = [("hidden_size", FLOAT, [1, 4]), ("x", FLOAT, [1, 8])]
    path = save_graph(passing_on(("x", "y")), inputs, [("y", FLOAT, [1, 8])])
    assert fed(path)[1]["hidden_size"]["source"] == "random"


def counting(save_graph: SaveGraph, node: onnx.NodeProto, size: Sequence[int | str | None]) -> Path:
    """A model of x [1, 2] and a state that its one node turns into stateN."""
    state = [("x", FLOAT, [1, 2]), ("state", FLOAT, size)]
    return save_graph([node, *passing_on(("x", "y"))], state, [("y", FLOAT, [1, 2]), ("stateN", FLOAT, None)])


def carried(path: Path, runs: int) -> tuple[Any, dict[str, dict[str, Any]]]:
    """(what `stateN` is in the last of some runs, descriptions of the inputs)."""
    session = worker.open_session(onnxruntime, str(path), 1, 0)
    feeds, described = worker.make_feeds(np, session, {})
    (carrier,) = worker.carry_states([session], described, {})
    for _ in range(runs):
        found = carrier.run(None, feeds[0])[1]
    return found, {item["name"]: item for item in described}


def test_a_state_is_fed_back_run_by_run(save_graph: SaveGraph) -> None:
    """state + x: after n runs from zero it is n x."""
    path = counting(save_graph, helper.make_node("Add", ["state", "x"], ["stateN"]), [1, 2])
    x = fed(path)[0]["x"]
    np.testing.assert_allclose(carried(path, 5)[0], 5 * x, rtol=1e-6)


def test_a_state_that_grows_is_fed_as_zeros(save_graph: SaveGraph) -> None:
    """Declared sizes leave it open; the first run tells. Each run then sees what the first one saw."""
    node = helper.make_node("Concat", ["state", "x"], ["stateN"], axis=0)
    found, described = carried(counting(save_graph, node, ["rows", 2]), 4)
    assert found.shape == (2, 2)
    assert described["state"]["source"] == "zeros"


def test_the_only_open_size_of_a_state_is_its_batch(save_graph: SaveGraph) -> None:
    node = helper.make_node("Identity", ["state"], ["stateN"])
    path = counting(save_graph, node, [2, None, 8])
    assert run_worker(WorkerRequest(path, "latency", repeats=3)).inputs[1] == FedInput(
        "state", "tensor(float)", (2, 1, 8), "state fed back"
    )


def test_a_state_whose_value_is_asked_for_is_not_fed_back(save_graph: SaveGraph) -> None:
    path = counting(save_graph, helper.make_node("Add", ["state", "x"], ["stateN"]), [1, 2])
    assert fed(path, values={"state": 0})[1]["state"]["source"] == "value"


def test_takes_go_to_the_one_input_that_is_no_state(save_graph: SaveGraph) -> None:
    path = counting(save_graph, helper.make_node("Add", ["state", "x"], ["stateN"]), [1, 2])
    takes = np.ones((3, 2), np.float32)
    sources = [item.source for item in run_worker(WorkerRequest(path, "latency", takes=takes, repeats=3)).inputs]
    assert sources == ["takes", "state fed back"]


def test_models_that_are_compared_are_fed_alike(save_graph: SaveGraph, tmp_path: Path) -> None:
    """One has a state that could be carried on, the other has not: both start from zeros in every run."""
    first = counting(save_graph, helper.make_node("Add", ["state", "x"], ["stateN"]), [1, 2]).rename(
        tmp_path / "a.onnx"
    )
    second = save_graph(
        [helper.make_node("Add", ["state", "x"], ["y"])], [("x", FLOAT, [1, 2]), ("state", FLOAT, [1, 2])],
        [("y", FLOAT, [1, 2])],
    )  # fmt: skip
    found = run_worker(WorkerRequest(first, "compare", others=(second,), repeats=3))
    assert [item.source for item in found.inputs] == ["random", "zeros"]


def test_models_that_take_the_same_inputs_in_another_order_are_compared(save_graph: SaveGraph, tmp_path: Path) -> None:
    x, state, nodes = ("x", FLOAT, [1, 2]), ("state", FLOAT, [1, 2]), passing_on(("x", "y"), ("state", "stateN"))
    outputs = [("y", FLOAT, [1, 2]), ("stateN", FLOAT, [1, 2])]
    first = save_graph(nodes, [x, state], outputs).rename(tmp_path / "a.onnx")
    found = run_worker(WorkerRequest(first, "compare", others=(save_graph(nodes, [state, x], outputs),), repeats=3))
    assert [item.source for item in found.inputs] == ["random", "state fed back"]
