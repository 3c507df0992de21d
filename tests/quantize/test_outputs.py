"""What was made is opened and run, in processes with limits, before it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import GateError, ModelFileError
from edgekit.quantize import quantize_onnx
from edgekit.quantize.outputs import EXPECTED, PREPARED, RESULT, SOURCE, OutputCheck, check_outputs
from edgekit.runtime.session import open_session

MakeRecurrent = Callable[..., Path]
Change = Callable[[onnx.ModelProto], None]


def product(scale: float = 1.0, change: Change | None = None) -> bytes:
    """x (batch, 3) times a matrix."""
    typed = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [typed("x", TensorProto.FLOAT, ["batch", 3])],
        [typed("y", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(np.full((3, 4), scale, np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if change is not None:
        change(model)
    content: bytes = model.SerializeToString()
    return content


def check(files: Mapping[str, bytes]) -> OutputCheck:
    return check_outputs(files, Path("model.onnx"), Path("int8.onnx"))


def test_outputs_are_compared_with_the_source_and_with_the_dequantised_floats(apart: None) -> None:
    found = check({SOURCE: product(), EXPECTED: product(1.01), RESULT: product(1.01)})
    assert found.sizes == {"x": (4, 3)}
    assert found.largest_output is not None
    assert found.max_abs_difference == pytest.approx(0.01 * found.largest_output, rel=1e-3)
    assert found.reason == ""


def test_a_result_that_computes_something_else_is_not_written() -> None:
    with pytest.raises(GateError, match=r"int8\.onnx: the int8 file computes something else than the source"):
        check({SOURCE: product(), EXPECTED: product(), RESULT: product(1.01)})
    with pytest.raises(GateError, match="inlined functions, a newer opset or folded weights computes something else"):
        check({SOURCE: product(), PREPARED: product(2.0), EXPECTED: product(), RESULT: product()})


@pytest.mark.parametrize("name", [EXPECTED, RESULT])
def test_outputs_that_are_not_finite_pass_no_comparison(name: str) -> None:
    files = {SOURCE: product(), EXPECTED: product(), RESULT: product(), name: product(np.nan)}
    with pytest.raises(GateError, match="nothing was written"):
        check(files)
    with pytest.raises(GateError, match="not finite"):
        check({SOURCE: product(), RESULT: product(np.inf)})


def _no_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "NoSuchOperator"


def test_a_file_that_can_not_be_opened_is_named(apart: None) -> None:
    with pytest.raises(ModelFileError, match=r"model\.onnx: ONNX Runtime [0-9.]+ can't load it: .*NoSuchOperator"):
        check({SOURCE: product(1.0, _no_operator), RESULT: product()})
    with pytest.raises(GateError, match=r"int8\.onnx: .*NoSuchOperator.* the source has no such problem"):
        check({SOURCE: product(), RESULT: product(1.0, _no_operator)})


def test_an_old_source_that_can_not_be_opened_is_compared_by_what_it_was_raised_to() -> None:
    good = {PREPARED: product(), EXPECTED: product(1.01), RESULT: product(1.01)}
    found = check({SOURCE: product(1.0, _no_operator), **good})
    assert found.max_abs_difference is not None
    assert "so the outputs of what was prepared from it were compared" in found.reason
    with pytest.raises(ModelFileError, match="NoSuchOperator"):
        check({SOURCE: product(1.0, _no_operator), PREPARED: product(1.0, _no_operator), RESULT: product()})


def test_a_result_that_fails_where_the_source_runs_is_named() -> None:
    def narrow(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 7

    with pytest.raises(GateError, match=r"int8\.onnx: fails while it runs: .*no such problem, so nothing was written"):
        check({SOURCE: product(), RESULT: product(1.0, narrow)})


def _text_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("words", TensorProto.STRING, [1]))


def _needs_its_batch(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([9, 4]), "size"))
    model.graph.node[0].output[0] = "p"
    model.graph.node.append(helper.make_node("Reshape", ["p", "size"], ["y"]))


def _random(model: onnx.ModelProto) -> None:
    model.graph.node[0].output[0] = "p"
    model.graph.node.append(helper.make_node("RandomNormalLike", ["p"], ["noise"]))
    model.graph.node.append(helper.make_node("Add", ["p", "noise"], ["y"]))


def _wide(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2**25


def _long(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**19, 4]), "size"))
    model.graph.node[0].output[0] = "p"
    model.graph.node.append(helper.make_node("Tile", ["p", "size"], ["y"]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_text_input, "input 'words' is tensor"),
        (_needs_its_batch, "Reshape"),
        (_random, "differ from run to run"),
        (_wide, "input 'x' is too large to be made up"),
        (_long, "its outputs are too large"),
    ],
)
def test_where_nothing_can_be_compared_that_is_said(change: Change, reason: str) -> None:
    content = product(1.0, change)
    found = check({SOURCE: content, EXPECTED: content, RESULT: content})
    assert (found.sizes, found.max_abs_difference, found.largest_output) == (None, None, None)
    assert reason in found.reason


def _hungry(model: onnx.ModelProto) -> None:
    """Two gigabytes from a few bytes."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**29]), "size"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["size"], ["zeros"]))
    model.graph.node.append(helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0))
    model.graph.node[0].output[0] = "p"
    model.graph.node.append(helper.make_node("Add", ["p", "sum"], ["y"]))


def test_a_source_that_is_stopped_at_a_limit_is_not_compared_and_the_limit_has_a_name(
    apart: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_MAX_MODEL_MB", "256")
    found = check({SOURCE: product(1.0, _hungry), RESULT: product(1.0, _hungry)})
    assert found.max_abs_difference is None
    assert "EDGEKIT_MAX_MODEL_MB=" in found.reason


def test_nothing_is_written_before_the_outputs_are_right(
    tmp_path: Path, make_recurrent: MakeRecurrent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(content: bytes, path: Path, **options: Any) -> Any:
        session = open_session(content, path, **options)
        run = session.run
        if path.name == "int8.onnx":
            session.run = lambda names, feeds: [np.nan * array for array in run(names, feeds)]  # type: ignore[method-assign]
        return session

    monkeypatch.setattr("edgekit.quantize.outputs.open_session", opened)
    with pytest.raises(GateError, match="nothing was written"):
        quantize_onnx(make_recurrent(), tmp_path / "int8.onnx")
    assert not (tmp_path / "int8.onnx").exists()


def test_what_came_of_it_is_in_the_result(apart: None, tmp_path: Path, make_recurrent: MakeRecurrent) -> None:
    result = quantize_onnx(make_recurrent(), tmp_path / "int8.onnx")
    assert result.outputs.sizes == {"x": (4, 4, 40)}
    assert result.outputs.max_abs_difference is not None
    assert result.outputs.largest_output is not None
    assert 0 < result.outputs.max_abs_difference < 0.05 * result.outputs.largest_output
    assert result.to_dict()["outputs"]["sizes"] == {"x": (4, 4, 40)}


def test_outputs_that_are_never_numbers_compare_with_nothing() -> None:
    """NaN equals NaN no more than anything else."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].output[0] = "z"
        model.graph.node.append(helper.make_node("Sub", ["z", "z"], ["none"]))
        model.graph.node.append(helper.make_node("Div", ["none", "none"], ["y"]))

    spoiled = product(change=change)
    found = check({SOURCE: spoiled, EXPECTED: spoiled, RESULT: spoiled})
    assert (found.max_abs_difference, found.reason) == (None, "none of its float outputs is a finite number")


def test_the_result_opens_in_a_plain_session_whatever_versions_the_source_imports(
    tmp_path: Path, make_recurrent: MakeRecurrent
) -> None:
    """A version 0 is no version: ONNX Runtime fuses what it reads into operators that it then does not find."""
    import onnxruntime

    source = make_recurrent(change=lambda model: model.opset_import.append(helper.make_opsetid("com.microsoft", 0)))
    quantize_onnx(source, tmp_path / "int8.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "int8.onnx", providers=["CPUExecutionProvider"])
    assert session.get_outputs()
