"""Model files that lie, through every command that reads one: exit 2 or 5, one message with the file's name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

Cli = Callable[..., Any]
Snapshot = Callable[[Path], Mapping[str, bytes | None]]
Change = Callable[[onnx.ModelProto], None]

COMMANDS = (
    "quantize bad.onnx -o new.onnx",
    "bench bad.onnx --repeats 5",
    "compare bad.onnx good.onnx",
    "evaluate bad.onnx --data good.npz --part all",
    "predict take.npy -m bad.onnx",
)


def _metadata(key: str, value: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        next(item for item in model.metadata_props if item.key == f"edgekit.{key}").value = value
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "time"

    return change


def _declared(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2**34


def _dims(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] += 1


def _relabelled(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.op_type == "MatMul").op_type = "LSTM"


def _rank(model: onnx.ModelProto) -> None:
    weight = next(item for item in model.graph.initializer if item.name == "W0")
    weight.dims[:] = [int(np.prod(weight.dims))]


BAD: dict[str, tuple[Change, tuple[str, ...]]] = {
    "length": (_metadata("sequence_length", "200000000"), ("edgekit.sequence_length", "200000000")),
    "nesting": (_metadata("class_names", "[" * 5000 + "]" * 5000), ("edgekit.class_names", "damaged")),
    "surrogates": (_metadata("trained_on", '"\\ud800"'), ("edgekit.trained_on", "damaged")),
    "declared": (_declared, ("input 'landmarks'", "1,082,331,758,592 numbers")),
    "dims": (_dims, ("tensor '", "takes", "and holds")),
    "relabelled": (_relabelled, ("LSTM",)),
    "rank": (_rank, ("LSTM",)),
}


@pytest.fixture
def place(chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a good file, recordings and a take."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.onnx").write_bytes(chain.int8.with_name("model.onnx").read_bytes())
    x = np.random.default_rng(0).uniform(0.2, 0.8, (4, 20, 63)).astype(np.float32)
    np.savez(tmp_path / "good.npz", sequences=x, labels=np.arange(4) % 2, class_names=np.array(["A", "B"]))
    np.save(tmp_path / "take.npy", x[0])
    return tmp_path


def spoil(place: Path, change: Change) -> None:
    """A bad file from the good one."""
    model = onnx.load(place / "good.onnx")
    change(model)
    (place / "bad.onnx").write_bytes(model.SerializeToString())


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line.split()[0])
@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_lies_about_its_sizes_is_refused_by_every_command(
    place: Path, cli: Cli, snapshot: Snapshot, kind: str, line: str
) -> None:
    change, words = BAD[kind]
    spoil(place, change)
    before = snapshot(place)
    answer = cli(*line.split())
    assert answer.code == 2, answer
    assert answer.out == ""
    assert "Traceback" not in answer.err
    assert answer.err.count("error:") == 1
    for word in ("bad.onnx", *words):
        assert word in answer.err
    assert snapshot(place) == before


# Weights that are no numbers.


def _spoilt(value: float, name: str = "R0") -> Change:
    def change(model: onnx.ModelProto) -> None:
        weight = next(item for item in model.graph.initializer if item.name == name)
        values = numpy_helper.to_array(weight).copy()
        values.flat[min(3, values.size - 1)] = value
        weight.CopyFrom(numpy_helper.from_array(values, name))

    return change


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_weight_that_is_no_number_is_refused_with_name_and_count(place: Path, cli: Cli, value: float) -> None:
    spoil(place, _spoilt(value))
    answer = cli("quantize", "bad.onnx", "-o", "new.onnx", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert "bad.onnx: 1 of the " in answer.err
    assert "numbers of 'R0' are NaN or infinite" in answer.err
    assert not (place / "new.onnx").exists()


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line.split()[0])
@pytest.mark.parametrize("name", ["R0", "W0", "floor"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_with_a_number_that_is_none_chooses_no_class(
    place: Path, cli: Cli, value: float, name: str, line: str
) -> None:
    """In the recurrent layer its answers would be finite, and look like any other."""
    spoil(place, _spoilt(value, name))
    answer = cli(*line.split(), "--json")
    assert (answer.code, answer.out) == (2, "")
    assert re.search(f"bad.onnx: (1 of the .* numbers of|the number) '{name}' (is|are) (NaN|infinite)", answer.err)
    assert not (place / "new.onnx").exists()


# Recurrent weights that would stay float.


def _computed(model: onnx.ModelProto) -> None:
    """What comes in has a say in W."""
    lstm = next(node for node in model.graph.node if node.op_type == "LSTM")
    largest = helper.make_node("ReduceMax", [model.graph.input[0].name], ["largest"], keepdims=0)
    model.graph.node.insert(0, helper.make_node("Add", [lstm.input[1], "largest"], ["computed"]))
    model.graph.node.insert(0, largest)
    next(node for node in model.graph.node if node.op_type == "LSTM").input[1] = "computed"


@pytest.mark.parametrize("scheme", ["int8-weights", "int8-dynamic"])
def test_a_recurrent_weight_that_would_stay_float_is_exit_5_by_name(place: Path, cli: Cli, scheme: str) -> None:
    spoil(place, _computed)
    answer = cli("quantize", "bad.onnx", "-o", "new.onnx", "--scheme", scheme)
    assert (answer.code, answer.out) == (5, "")
    assert "bad.onnx: a weight of a recurrent layer would stay float, so nothing was written:" in answer.err
    assert "W of LSTM 'outputs0' (W0): it is not in the file but comes from input 'landmarks' in each run" in answer.err
    assert not (place / "new.onnx").exists()


def test_what_else_stays_float_is_in_text_and_json(place: Path, cli: Cli) -> None:
    def change(model: onnx.ModelProto) -> None:
        table = np.ones((40, 50), np.float32)
        model.graph.initializer.append(numpy_helper.from_array(table, "table"))
        model.graph.node.append(helper.make_node("Identity", ["table"], ["unused"]))

    spoil(place, change)
    answer = cli("quantize", "bad.onnx", "-o", "new.onnx")
    assert answer.code == 0
    assert "Left float: 1 large tensor;" in answer.out
    assert "table" in answer.out
    assert "Opened and run by ONNX Runtime" in answer.out
    proof = json.loads(cli("quantize", "bad.onnx", "-o", "new.onnx", "--json").out)["proof"]
    assert proof["left_large"] == ["table"]
    assert proof["left_float"][0] == {
        "name": "table", "of": ["Identity"], "dtype": "float32", "shape": [40, 50], "bytes": 8000, "reason": "",
        "was_bytes": 0,
    }  # fmt: skip


def test_an_old_file_is_converted_and_that_is_said(place: Path, cli: Cli) -> None:
    x, y = (helper.make_tensor_value_info(n, 1, [1, k]) for n, k in (("x", 40), ("y", 50)))
    weight = numpy_helper.from_array(np.ones((40, 50), np.float32), "w")
    typed = helper.make_tensor_value_info("w", 1, [40, 50])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x, typed], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=3)
    (place / "old.onnx").write_bytes(model.SerializeToString())
    answer = cli("quantize", "old.onnx", "-o", "new.onnx")
    assert answer.code == 0, answer.err
    assert "Raised from opset 7, IR version 3 to opset 13, IR version 7; edgekit needs opset 13, IR ver" in answer.out
