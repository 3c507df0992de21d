"""Graphs that nobody would expect give a correct, smaller file, or one message that says what is wrong."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import odd_graphs
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from edgekit.errors import EdgekitError, InputError, ModelFileError
from edgekit.quantize import Proving, quantize_onnx

#: What each is refused for.
REFUSED: dict[str, tuple[type[EdgekitError], str]] = {
    "batch_first": (ModelFileError, r"Batchwise recurrent operations \(layout == 1\) are not supported"),
    "custom_operator": (ModelFileError, r"model\.onnx: ONNX Runtime .*Load model from \S*model\.onnx.* theirs:Polish"),
    "dequantized_already": (InputError, "quantised already"),
    "stored_as_integers_already": (InputError, r"model\.onnx: quantised already \(integers .* make 'W', 'R'\)"),
    "tiny": (InputError, "nothing to quantise: its largest weight"),
    "twice_the_same_name": (ModelFileError, r"tensor 'W' is there 2 times; .*export it again"),
}
#: ONNX Runtime opens a layer in double precision and can't run it.
NOT_RUN = "double_layer"
GRAPHS: odd_graphs.Graphs = {
    name: make
    for name, make in inspect.getmembers(odd_graphs, inspect.isfunction)
    if make.__annotations__.get("return") == "onnx.ModelProto" and not make.__code__.co_argcount and name[0] != "_"
}


def outputs(content: Path, feeds: dict[str, Any]) -> list[Any]:
    """In a session as anybody opens it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    given = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]).run(None, feeds)
    return list(given)


def feeds_of(model: onnx.ModelProto) -> dict[str, np.ndarray[Any, Any]]:
    """Two takes of noise; the first branch; all frames of the first take and three of the second."""
    rng = np.random.default_rng(9)
    held = {each.name for each in model.graph.initializer}
    feeds: dict[str, np.ndarray[Any, Any]] = {}
    for item in model.graph.input:
        if item.name not in held:
            kind = item.type.tensor_type.elem_type
            shape = [size.dim_value or 2 for size in item.type.tensor_type.shape.dim]
            special = {TensorProto.BOOL: np.array(True), TensorProto.INT32: np.array([odd_graphs.TIME, 3], np.int32)}
            feeds[item.name] = special.get(kind, rng.standard_normal(shape).astype(np.float32))
    return feeds


def test_the_list_is_long_enough() -> None:
    assert len(GRAPHS) >= 25
    assert REFUSED.keys() < GRAPHS.keys()


@pytest.mark.parametrize("name", sorted(GRAPHS.keys() - REFUSED.keys() - {NOT_RUN}))
def test_a_graph_that_runs_becomes_a_smaller_one_that_computes_the_same(tmp_path: Path, name: str) -> None:
    model = GRAPHS[name]()
    source, target = tmp_path / "model.onnx", tmp_path / "int8.onnx"
    source.write_bytes(model.SerializeToString())
    result = quantize_onnx(source, target)
    assert result.size_bytes < 0.6 * result.source_size_bytes
    feeds = feeds_of(model)
    for one, other in zip(outputs(source, feeds), outputs(target, feeds), strict=True):
        if isinstance(one, list):  # a sequence
            one, other = np.concatenate(one), np.concatenate(other)
        assert np.abs(one - other).max(initial=0.0) < 0.03 * np.abs(one).max(initial=1e-3)


FAST_OPSETS = (7, 13, 24)


@pytest.mark.parametrize(
    "opset", [pytest.param(opset, marks=() if opset in FAST_OPSETS else pytest.mark.slow) for opset in range(7, 25)]
)
def test_every_opset_since_7_is_read(tmp_path: Path, opset: int) -> None:
    """Before 7, ONNX Runtime makes no promise."""
    (tmp_path / "model.onnx").write_bytes(odd_graphs.of_opset(opset).SerializeToString())
    result = quantize_onnx(tmp_path / "model.onnx", tmp_path / "int8.onnx")
    assert result.size_bytes < 0.35 * result.source_size_bytes
    assert (result.raised is not None) == (opset < 13)


@pytest.mark.parametrize("name", REFUSED)
def test_a_graph_that_can_not_be_smaller_or_run_has_one_message(apart: None, tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "model.onnx", tmp_path / "int8.onnx"
    source.write_bytes(GRAPHS[name]().SerializeToString())
    kind, words = REFUSED[name]
    with pytest.raises(kind, match=words) as caught:
        quantize_onnx(source, target)
    assert "please report" not in str(caught.value)
    assert not target.exists()


def test_what_can_not_be_run_is_not_called_the_same(apart: None, tmp_path: Path) -> None:
    source, target = tmp_path / "model.onnx", tmp_path / "int8.onnx"
    source.write_bytes(GRAPHS[NOT_RUN]().SerializeToString())
    found = quantize_onnx(source, target).outputs
    assert found is not None
    assert found.max_abs_difference is None
    assert "fails while it runs" in found.reason


def test_tensors_in_other_files_are_refused_with_the_way_to_one_file(tmp_path: Path) -> None:
    model = odd_graphs.shared_by_two_layers()
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(ModelFileError, match=r"kept in other files .*save_as_external_data=False"):
        quantize_onnx(tmp_path / "model.onnx", tmp_path / "int8.onnx")


@pytest.mark.parametrize("name", ["branches_hide_a_name", "loop_carries_a_weight", "weight_is_an_output", "odd_names"])
def test_a_limit_is_held_wherever_weights_are(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "model.onnx", tmp_path / "int8.onnx"
    source.write_bytes(GRAPHS[name]().SerializeToString())
    free = quantize_onnx(source, target)
    assert free.outputs is not None
    assert free.outputs.max_abs_difference is not None
    limit = free.outputs.max_abs_difference / 2
    held = quantize_onnx(source, target, proving=Proving(max_difference=limit))
    assert held.outputs is not None
    assert held.outputs.max_abs_difference <= limit  # type: ignore[operator]
    assert free.size_bytes < held.size_bytes < 0.55 * held.source_size_bytes
    assert {each.dtype for each in held.proof.left_float} == {"float16"}
