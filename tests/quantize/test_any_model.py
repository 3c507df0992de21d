"""Weights become int8 wherever exporters leave them, and the result computes the same: a law for each kind of place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import DataError, GateError, InputError, WeakEvidenceError
from edgekit.quantize import Proving, quantize_onnx
from edgekit.quantize.coverage import recurrent_left_float
from edgekit.quantize.scopes import Scopes
from edgekit.report.quantized import quantized_text
from edgekit.runtime.child import session_options

MakeRecurrent = Callable[..., Path]
ROWS = np.random.default_rng(3).normal(0, 0.2, (40, 50)).astype(np.float32)


@pytest.mark.parametrize(
    ("cell", "step"), [("LSTM", 3), *(pytest.param(cell, 1, marks=pytest.mark.slow) for cell in ("LSTM", "GRU", "RNN"))]
)
def test_every_hiding_place_but_an_input_becomes_int8(
    tmp_path: Path, make_recurrent: MakeRecurrent, hiding_places: tuple[str, ...], cell: str, step: int
) -> None:
    """The same int8 numbers as where W and R are plain initializers; nothing of the old ones is left."""
    plain = quantize_onnx(make_recurrent("initializer", cell), tmp_path / "plain.onnx")
    expected = sorted(tensor.shape for tensor in plain.proof.tensors)
    for place in hiding_places[::step]:
        if place in ("input", "float16", "float64"):
            continue
        result = quantize_onnx(make_recurrent(place, cell), tmp_path / "int8.onnx")
        assert sorted(tensor.shape for tensor in result.proof.tensors) == expected, place
        assert result.proof.left_float == (), place
        assert result.proof.int8_bytes == plain.proof.int8_bytes, place
        assert result.size_bytes < plain.size_bytes + 1200, place
        model = onnx.load(result.target)
        assert recurrent_left_float(Scopes(model), 1) == [], place
        assert result.outputs is not None
        assert 0 < result.outputs.max_abs_difference < 0.05 * result.outputs.largest_output, place  # type: ignore[operator]


def _product(nodes: list[onnx.NodeProto], tensors: dict[str, np.ndarray], weight: str = "w") -> onnx.ModelProto:
    """x (batch, 40) times a weight (40, 50) that `nodes` make."""
    typed = helper.make_tensor_value_info
    graph = helper.make_graph(
        [*nodes, helper.make_node("MatMul", ["x", weight], ["y"])],
        "g",
        [typed("x", TensorProto.FLOAT, ["batch", 40])],
        [typed("y", TensorProto.FLOAT, ["batch", 50])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _quantised(folder: Path, model: onnx.ModelProto) -> tuple[onnx.ModelProto, float]:
    """(the int8 model, its largest output difference)."""
    onnx.save(model, folder / "model.onnx")
    result = quantize_onnx(folder / "model.onnx", folder / "int8.onnx")
    assert result.outputs is not None
    assert result.outputs.max_abs_difference is not None
    assert result.proof.left_float == ()
    assert result.size_bytes < result.source_size_bytes
    return onnx.load(folder / "int8.onnx"), result.outputs.max_abs_difference


def _node(op: str, inputs: list[str], output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], **attributes)


CHAINS: dict[str, tuple[list[onnx.NodeProto], dict[str, np.ndarray]]] = {
    "transpose": ([_node("Transpose", ["k"], "w")], {"k": ROWS.T.copy()}),
    "reshape": ([_node("Reshape", ["k", "s"], "w")], {"k": ROWS.ravel().copy(), "s": np.array([40, 50])}),
    "squeeze": ([_node("Squeeze", ["k", "s"], "w")], {"k": ROWS[None].copy(), "s": np.array([0])}),
    "cast": ([_node("Cast", ["k"], "w", to=TensorProto.FLOAT)], {"k": ROWS.astype(np.float16)}),
    "cast from double": ([_node("Cast", ["k"], "w", to=TensorProto.FLOAT)], {"k": ROWS.astype(np.float64)}),
    "concat": ([_node("Concat", ["k", "l"], "w", axis=1)], {"k": ROWS[:, :20].copy(), "l": ROWS[:, 20:].copy()}),
    "weight norm": ([_node("Mul", ["k", "g"], "w")], {"k": ROWS, "g": np.full((1, 50), 2, np.float32)}),
    "identity of identity": ([_node("Identity", ["k"], "i"), _node("Identity", ["i"], "w")], {"k": ROWS}),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_weight_behind_operators_becomes_int8_and_they_are_gone(tmp_path: Path, chain: str) -> None:
    model, difference = _quantised(tmp_path, _product(*CHAINS[chain]))
    assert [node.op_type for node in model.graph.node] == ["Cast", "Cast", "Mul", "MatMul"]
    assert {tensor.data_type for tensor in model.graph.initializer} == {TensorProto.INT8, TensorProto.FLOAT16}
    assert 0 < difference < 0.1


def test_a_matrix_that_something_else_reads_is_stored_once(tmp_path: Path) -> None:
    """As an embedding that is also the output layer: int8 itself, with a scale an output row, not a second copy."""
    nodes = [_node("Transpose", ["k"], "w"), _node("ReduceMean", ["k"], "mean", keepdims=0)]
    model = _product(nodes, {"k": ROWS.T.copy()})
    model.graph.output.append(helper.make_tensor_value_info("mean", TensorProto.FLOAT, []))
    made, _ = _quantised(tmp_path, model)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in made.graph.initializer}
    assert shapes == {"k_int8": (50, 40), "k_scale": (50, 1)}


def test_a_weight_that_is_chosen_at_run_time_is_int8_in_each_branch(tmp_path: Path) -> None:
    typed = helper.make_tensor_value_info
    branches = [
        helper.make_graph([], "b", [], [typed("w", TensorProto.FLOAT, [40, 50])], [numpy_helper.from_array(array, "w")])
        for array in (ROWS, 2 * ROWS)
    ]
    choice = helper.make_node("If", ["which"], ["w"], then_branch=branches[0], else_branch=branches[1])
    model = _product([choice], {})
    model.graph.input.append(typed("which", TensorProto.BOOL, []))
    made, _ = _quantised(tmp_path, model)
    assert sorted(tensor.data_type for tensor in made.graph.initializer) == [3, 3, 10, 10]
    x = np.random.default_rng(0).standard_normal((3, 40)).astype(np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "int8.onnx", providers=["CPUExecutionProvider"])
    for which, factor in ((True, 1), (False, 2)):
        (y,) = session.run(None, {"x": x, "which": np.array(which)})
        half = factor * np.abs(ROWS).max(axis=0) / 254  # of a step of each column; and float16 moves scales by 2**-11
        assert (np.abs(y - factor * x @ ROWS) <= np.abs(x).sum(axis=1, keepdims=True) * half * 1.001).all()


@pytest.mark.parametrize(("kind", "axis"), [("Conv", 0), ("ConvTranspose", 1)])
def test_a_convolution_has_a_scale_an_output_channel(tmp_path: Path, kind: str, axis: int) -> None:
    """Channels differ ten-thousandfold: one scale for all would leave nothing of the small ones."""
    sizes = np.logspace(-2, 2, 16).astype(np.float32)
    kernel = np.random.default_rng(0).normal(0, 1, (16, 16, 7)).astype(np.float32)
    kernel *= sizes.reshape((16, 1, 1) if axis == 0 else (1, 16, 1))
    typed = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", "k"], ["y"])],
        "g",
        [typed("x", TensorProto.FLOAT, ["batch", 16, 20])],
        [typed("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(kernel, "k")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "c.onnx")
    quantize_onnx(tmp_path / "c.onnx", tmp_path / "int8.onnx")
    x = np.random.default_rng(1).standard_normal((2, 16, 20)).astype(np.float32)
    before, after = (
        onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for name in ("c.onnx", "int8.onnx")
    )
    peak = np.abs(before).max(axis=(0, 2))
    assert (np.abs(before - after).max(axis=(0, 2)) < 0.03 * peak).all()


def test_a_weight_whose_int8_form_is_no_smaller_stays_and_is_named(tmp_path: Path) -> None:
    """One number a row and one scale a row."""
    typed = helper.make_tensor_value_info
    tensors = {"narrow": np.ones((1, 2000), np.float32), "w": np.ones((2000, 50), np.float32)}
    graph = helper.make_graph(
        [_node("MatMul", ["x", "narrow"], "h"), _node("MatMul", ["h", "w"], "y")],
        "g",
        [typed("x", TensorProto.FLOAT, ["batch", 1])],
        [typed("y", TensorProto.FLOAT, ["batch", 50])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "n.onnx")
    (left,) = quantize_onnx(tmp_path / "n.onnx", tmp_path / "int8.onnx").proof.left_float
    assert (left.name, left.reason) == ("narrow", "its int8 form, with a scale a row, would not be smaller")


def test_traces_of_the_exporter_are_gone_and_other_notes_are_kept(tmp_path: Path) -> None:
    model = _product([], {"w": ROWS})
    notes = {"pkg.torch.onnx.stack_trace": "File '/home/somebody/secret.py', line 3" * 9, "mine": "kept"}
    for key, value in notes.items():
        model.graph.node[0].metadata_props.add(key=key, value=value)
    made, _ = _quantised(tmp_path, model)
    (product,) = [node for node in made.graph.node if node.op_type == "MatMul"]
    assert {item.key: item.value for item in product.metadata_props} == {"mine": "kept"}
    assert b"somebody" not in (tmp_path / "int8.onnx").read_bytes()


# What it is proven on.


def _takes(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "takes.npz", **arrays)
    return folder / "takes.npz"


def _saved(folder: Path) -> Path:
    onnx.save(_product([], {"w": ROWS}), folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.parametrize("name", ["x", "sequences"])
def test_takes_of_the_user_are_compared_one_by_one(tmp_path: Path, name: str) -> None:
    takes = np.random.default_rng(5).standard_normal((7, 40)).astype(np.float32)
    path = _takes(tmp_path, **{name: takes})
    outputs = quantize_onnx(_saved(tmp_path), tmp_path / "int8.onnx", proving=Proving(path)).outputs
    assert outputs is not None
    assert (outputs.runs, outputs.labels, outputs.calibration) == (7, 7, str(path))
    expected, given = takes @ ROWS, []
    for options in (session_options(onnxruntime, 1), None):  # as edgekit opens a file, and as anybody does
        session = onnxruntime.InferenceSession(tmp_path / "int8.onnx", options, providers=["CPUExecutionProvider"])
        given.append(np.concatenate([session.run(None, {"x": take[None]})[0] for take in takes]))
    own, plain = (np.abs(y - expected) for y in given)
    np.testing.assert_allclose(plain, own, atol=1e-5)  # weights are constants: no option turns them into integers
    assert outputs.edgekit_max_abs_difference == pytest.approx(own.max(), rel=1e-2)
    assert outputs.plain_max_abs_difference == pytest.approx(plain.max(), rel=1e-2)
    assert outputs.max_abs_difference == max(outputs.plain_max_abs_difference, outputs.edgekit_max_abs_difference)
    assert outputs.mean_abs_difference == pytest.approx(max(own.mean(), plain.mean()), rel=1e-2)
    assert outputs.changed_labels == max((y.argmax(1) != expected.argmax(1)).sum() for y in given)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((7, 41), np.float32)}, r"shape \(7, 41\) do not fit the model's input 'x' \(any, 40\)"),
        ({"x": np.full((7, 40), np.nan, np.float32)}, "'x': 280 of its 280 numbers are NaN or infinite; leave such"),
        ({"x": np.full((7, 40), 1e300)}, "'x': 280 of its 280 numbers are beyond float32, the input's type; leave"),
        ({"x": np.zeros((7, 40), np.complex64)}, "'x' is complex64, the input float32; save it as such"),
        ({"z": np.zeros((7, 40), np.float32)}, r"no array 'x', as the model's input is called \(found: z\)"),
        ({"x": np.zeros((0, 40), np.float32)}, "do not fit"),
    ],
)
def test_takes_that_do_not_fit_are_refused_and_nothing_is_written(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: str
) -> None:
    proving = Proving(_takes(tmp_path, **arrays))
    with pytest.raises(DataError, match=words) as caught:
        quantize_onnx(_saved(tmp_path), tmp_path / "int8.onnx", proving=proving)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "int8.onnx").exists()


def test_a_limit_that_no_weight_in_int8_holds_is_a_gate(tmp_path: Path) -> None:
    source = _saved(tmp_path)
    words = (
        r"no weight can be int8 where outputs may differ by 1e-05 at most, of 4\.59: 'w' moves them least.*nothing was"
    )
    with pytest.raises(GateError, match=words):
        quantize_onnx(source, tmp_path / "int8.onnx", proving=Proving(max_difference=1e-5))
    assert not (tmp_path / "int8.onnx").exists()
    quantize_onnx(source, tmp_path / "int8.onnx", proving=Proving(max_difference=0.5))


def test_a_limit_that_can_not_be_held_against_anything_is_no_success(tmp_path: Path) -> None:
    model = _product([], {"w": ROWS})
    model.graph.input.append(helper.make_tensor_value_info("words", TensorProto.STRING, [1]))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(WeakEvidenceError, match=r"can't be told: input 'words'.*--calibration"):
        quantize_onnx(tmp_path / "model.onnx", tmp_path / "int8.onnx", proving=Proving(max_difference=1.0))
    assert not (tmp_path / "int8.onnx").exists()


@pytest.mark.parametrize(
    ("operator", "kind", "reason"),
    [
        ("ArgMax", TensorProto.INT64, "it has no float output"),
        ("Log", TensorProto.FLOAT, "none of its float outputs is a finite number"),
        ("RandomNormalLike", TensorProto.FLOAT, "its outputs are random"),
    ],
)
def test_takes_that_tell_nothing_hold_no_limit(tmp_path: Path, operator: str, kind: int, reason: str) -> None:
    """ "Differ by 0 at most" was said of takes on which there was nothing to compare."""
    model = _product([], {"w": ROWS})
    model.graph.node.extend([_node("Abs", ["y"], "a"), _node("Neg", ["a"], "n"), _node(operator, ["n"], "last")])
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("last", kind, None))
    onnx.save(model, tmp_path / "model.onnx")
    takes, target = _takes(tmp_path, x=np.ones((3, 40), np.float32)), tmp_path / "int8.onnx"
    with pytest.raises(WeakEvidenceError, match=f"can't be told: {reason}"):
        quantize_onnx(tmp_path / "model.onnx", target, proving=Proving(takes, 0.1))
    found = quantize_onnx(tmp_path / "model.onnx", target, proving=Proving(takes)).outputs
    assert found is not None
    assert found.max_abs_difference is None
    assert found.reason.startswith(reason)


def test_a_model_that_answers_with_labels_is_told_by_those_that_changed(tmp_path: Path) -> None:
    """Columns that differ by less than int8 can tell, so that some labels do change."""
    rng = np.random.default_rng(0)
    model = _product([], {"w": (1 + 1e-2 * rng.normal(size=ROWS.shape)).astype(np.float32)})
    model.graph.node.append(helper.make_node("ArgMax", ["y"], ["label"], axis=-1, keepdims=0, name="label"))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, None))
    onnx.save(model, tmp_path / "model.onnx")
    takes = _takes(tmp_path, x=rng.normal(size=(200, 40)).astype(np.float32))
    result = quantize_onnx(tmp_path / "model.onnx", tmp_path / "int8.onnx", proving=Proving(takes))
    found = result.outputs
    assert found is not None
    before, after = (
        np.concatenate([session.run(None, {"x": row[None]})[0] for row in np.load(takes)["x"]])
        for session in (
            onnxruntime.InferenceSession(tmp_path / name, session_options(onnxruntime, 1), ["CPUExecutionProvider"])
            for name in ("model.onnx", "int8.onnx")
        )
    )
    assert (found.labels, found.changed_labels) == (200, int((before != after).sum()))
    assert found.changed_labels > 0
    assert f"it has no float output; {found.changed_labels} of 200 whole numbers changed" in quantized_text(result)


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), 0.0, -1.0, "0.1"])
def test_a_limit_is_a_finite_number_above_zero(limit: float) -> None:
    with pytest.raises(InputError, match=r"max_difference is .*; expected a finite number above 0, or None"):
        Proving(max_difference=limit)


def test_arrays_that_no_input_reads_may_hold_anything(tmp_path: Path) -> None:
    takes = _takes(tmp_path, x=np.ones((2, 40), np.float32), aspect=np.array([np.nan]), names=np.array(["a", "b"]))
    found = quantize_onnx(_saved(tmp_path), tmp_path / "int8.onnx", proving=Proving(takes)).outputs
    assert found is not None
    assert found.runs == 2


def test_sums_in_another_order_are_no_other_model(tmp_path: Path) -> None:
    """Large numbers that cancel, and a sigmoid near 0: ONNX Runtime's fusions alone move such outputs by 0.3 %."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 1, (1, 64, 3)).astype(np.float32)
    tensors = {
        "k": rng.normal(0, 1, (1, 64, 8, 3)).astype(np.float32), "l": kernel - kernel.mean(), "axis": np.array([0]),
        "scale": np.full(64, 3, np.float32), "offset": np.full(64, 3e5, np.float32), "zero": np.zeros(64, np.float32),
        "one": np.ones(64, np.float32), "small": np.array(1e-2, np.float32), "nine": np.array(-9, np.float32),
    }  # fmt: skip
    nodes = [
        _node("Squeeze", ["k", "axis"], "w"), _node("Conv", ["x", "w"], "a"),
        _node("BatchNormalization", ["a", "scale", "offset", "zero", "one"], "b"), _node("Conv", ["b", "l"], "c"),
        _node("Mul", ["c", "small"], "d"), _node("Add", ["d", "nine"], "e"), _node("Sigmoid", ["e"], "y"),
    ]  # fmt: skip
    typed = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [typed("x", TensorProto.FLOAT, [1, 8, 32])], [typed("y", TensorProto.FLOAT, [1, 1, 28])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    result = quantize_onnx(tmp_path / "m.onnx", tmp_path / "int8.onnx")
    assert [tensor.op_type for tensor in result.proof.tensors] == ["Conv"]
