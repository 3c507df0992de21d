"""What was made is opened and run, in a process with limits, before it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import GateError, ModelFileError
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.quantize.outputs import EXPECTED, RESULT, SOURCE, check_outputs, run_in_child

MakeRecurrent = Callable[..., Path]
RunHere = Callable[..., Any]
Change = Callable[[onnx.ModelProto], None]

CONFIG = QuantizeConfig()
TARGET = Path("int8.onnx")


def product(scale: float = 1.0, change: Change | None = None) -> bytes:
    """x (batch, 3) times a matrix."""
    weight = np.full((3, 4), scale, np.float32)
    typed = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [typed("x", TensorProto.FLOAT, ["batch", 3])],
        [typed("y", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if change is not None:
        change(model)
    content: bytes = model.SerializeToString()
    return content


def check(files: Mapping[str, bytes], run: Any = run_in_child, **settings: Any) -> Any:
    return check_outputs(files, QuantizeConfig(**settings), Path("model.onnx"), TARGET, run)


def test_outputs_are_compared_with_the_source_and_with_the_dequantised_floats() -> None:
    found = check({SOURCE: product(), EXPECTED: product(1.01), RESULT: product(1.01)})
    assert found.sizes == {"x": [4, 3]}
    assert found.max_abs_difference == pytest.approx(0.01 * found.largest_output, rel=1e-3)
    assert found.reason == ""


def test_a_result_that_computes_something_else_is_not_written(run_here: RunHere) -> None:
    with pytest.raises(GateError, match=r"int8\.onnx: the int8 file computes something else than the source"):
        check({SOURCE: product(), EXPECTED: product(), RESULT: product(1.01)}, run_here)


@pytest.mark.parametrize("name", [EXPECTED, RESULT])
def test_outputs_that_are_not_finite_pass_no_comparison(run_here: RunHere, name: str) -> None:
    files = {SOURCE: product(), EXPECTED: product(), RESULT: product(), name: product(np.nan)}
    with pytest.raises(GateError, match="nothing was written"):
        check(files, run_here)
    with pytest.raises(GateError, match="not finite"):
        check({SOURCE: product(), RESULT: product(np.inf)}, run_here)


def test_a_file_that_can_not_be_opened_is_named() -> None:
    def damage(model: onnx.ModelProto) -> None:
        model.graph.node[0].op_type = "NoSuchOperator"

    with pytest.raises(ModelFileError, match=r"model\.onnx: ONNX Runtime [0-9.]+ can't load it: .*NoSuchOperator"):
        check({SOURCE: product(1.0, damage), RESULT: product()})
    with pytest.raises(
        GateError, match=r"int8\.onnx: ONNX Runtime [0-9.]+ can't load the int8 file, and the source it"
    ):
        check({SOURCE: product(), RESULT: product(1.0, damage)})


def test_a_result_that_fails_where_the_source_runs_is_named(run_here: RunHere) -> None:
    def narrow(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 7

    with pytest.raises(GateError, match="can't run the int8 file, and the source it can"):
        check({SOURCE: product(), RESULT: product(1.0, narrow)}, run_here)


def _text_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("words", TensorProto.STRING, [1]))


def _needs_its_batch(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([9, 4]), "size"))
    model.graph.node[0].output[0] = "p"
    model.graph.node.append(helper.make_node("Reshape", ["p", "size"], ["y"]))


@pytest.mark.parametrize(
    ("change", "reason"), [(_text_input, "input 'words' is tensor"), (_needs_its_batch, "Reshape")]
)
def test_where_no_input_can_be_made_up_that_is_said(run_here: RunHere, change: Change, reason: str) -> None:
    found = check(
        {SOURCE: product(1.0, change), EXPECTED: product(1.0, change), RESULT: product(1.0, change)}, run_here
    )
    assert (found.sizes, found.max_abs_difference, found.largest_output) == (None, None, None)
    assert reason in found.reason


# Limits.


def _hungry(model: onnx.ModelProto) -> None:
    """Two gigabytes from a few bytes."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**29]), "size"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["size"], ["zeros"]))
    model.graph.node.append(helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0))
    model.graph.node[0].output[0] = "p"
    model.graph.node.append(helper.make_node("Add", ["p", "sum"], ["y"]))


def test_a_hungry_file_is_stopped_and_not_compared() -> None:
    """At the default limit it runs."""
    files = {SOURCE: product(1.0, _hungry), RESULT: product(1.0, _hungry)}
    found = check(files, memory_limit_mb=256)
    assert found.max_abs_difference is None
    assert "raise quantize.memory_limit_mb" in found.reason


def test_a_file_that_takes_too_much_to_open_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "dies.py"
    script.write_text("import sys\nprint('opening source')\nsys.exit('terminate called: std::bad_alloc')\n")
    monkeypatch.setattr("edgekit.quantize.outputs.trial.__file__", str(script))
    with pytest.raises(ModelFileError, match=r"more memory than the limit; raise quantize\.memory_limit_mb"):
        check({SOURCE: product(), RESULT: product()})


def _endless(model: onnx.ModelProto) -> None:
    typed = helper.make_tensor_value_info
    flags = [typed("i", TensorProto.INT64, []), typed("go", TensorProto.BOOL, []), typed("go_on", TensorProto.BOOL, [])]
    state, left = (typed(name, TensorProto.FLOAT, ["batch", 4]) for name in ("s", "s_out"))
    steps = [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Tanh", ["s"], ["s_out"])]
    body = helper.make_graph(steps, "body", [*flags[:2], state], [flags[2], left])
    model.graph.initializer.append(numpy_helper.from_array(np.array(2**40), "rounds"))
    model.graph.node[0].output[0] = "p"
    model.graph.node.append(helper.make_node("Loop", ["rounds", "", "p"], ["y"], body=body))


def test_a_file_that_does_not_end_is_stopped_and_not_compared() -> None:
    found = check({SOURCE: product(1.0, _endless), RESULT: product(1.0, _endless)}, time_limit_s=2.0)
    assert found.max_abs_difference is None
    assert "takes more than 2 s; raise quantize.time_limit_s" in found.reason


@pytest.mark.parametrize(
    ("program", "error", "words"),
    [
        ("print('opening source')", ModelFileError, "can't load it: it ends the process with SIGABRT"),
        ("print('opening source\\nopening result')", GateError, "can't load the int8 file"),
        ("print('opening source\\nopening result\\nrunning source\\nrunning result')", GateError, "can't run the int8"),
    ],
)
def test_a_file_that_brings_the_process_down_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, error: type[Exception], words: str
) -> None:
    script = tmp_path / "dies.py"
    script.write_text(f"import os, sys\n{program}\nsys.stdout.flush()\nos.abort()\n")
    monkeypatch.setattr("edgekit.quantize.outputs.trial.__file__", str(script))
    with pytest.raises(error, match=words):
        check({SOURCE: product(), RESULT: product()})


def test_a_source_that_dies_on_made_up_input_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "dies.py"
    script.write_text(
        "import os, sys\nprint('opening source\\nopening result\\nrunning source')\nsys.stdout.flush()\nos.abort()\n"
    )
    monkeypatch.setattr("edgekit.quantize.outputs.trial.__file__", str(script))
    assert "SIGABRT" in check({SOURCE: product(), RESULT: product()}).reason


def test_the_process_has_no_telemetry_and_finds_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "looks.py"
    script.write_text(
        "import os, json\nprint(json.dumps({'opened': [], 'version': '', 'error': None, 'failed': None, 'sizes': None,"
        " 'differences': [], 'reason': os.environ['ORT_DISABLE_TELEMETRY'] + ' ' + ' '.join(sorted(os.listdir()))}))\n"
    )
    monkeypatch.setattr("edgekit.quantize.outputs.trial.__file__", str(script))
    assert check({SOURCE: product(), RESULT: product()}).reason == "1 .held result.onnx source.onnx"


def test_nothing_is_written_before_the_outputs_are_right(
    tmp_path: Path, make_recurrent: MakeRecurrent, run_here: RunHere
) -> None:
    def wrong(request: Mapping[str, Any], time_limit_s: float) -> Mapping[str, Any]:
        answer = run_here(request, time_limit_s)
        return {**answer, "differences": [{"max": float("nan"), "largest": 1.0}] * len(answer["differences"])}

    with pytest.raises(GateError, match="computes something else"):
        quantize_onnx(make_recurrent(), tmp_path / "int8.onnx", run=wrong)
    assert not (tmp_path / "int8.onnx").exists()


def test_what_came_of_it_is_in_the_result(tmp_path: Path, make_recurrent: MakeRecurrent) -> None:
    """Through the real process."""
    result = quantize_onnx(make_recurrent(), tmp_path / "int8.onnx")
    assert result.outputs.sizes == {"x": [4, 4, 40]}
    assert result.outputs.max_abs_difference is not None
    assert result.outputs.largest_output is not None
    assert 0 < result.outputs.max_abs_difference < 0.05 * result.outputs.largest_output
    assert result.to_dict()["outputs"]["sizes"] == {"x": [4, 4, 40]}
