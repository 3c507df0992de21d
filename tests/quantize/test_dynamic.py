"""int8-dynamic: what is in the file, what the operator computes, how a batch matters, and what is refused."""

from __future__ import annotations

import json
import platform
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit.data import fit_normalisation
from edgekit.errors import ConfigError, GateError, InputError
from edgekit.evaluate import predict_batches
from edgekit.export import export_onnx
from edgekit.model import Architecture, RecurrentClassifier
from edgekit.quantize import QuantizeConfig, prove_quantization, quantize_onnx
from edgekit.runtime import BatchDependenceWarning, inspect_model, open_predictor
from edgekit.runtime.child import session_options
from edgekit.runtime.session import open_session

FRAMES = 30
NAMES = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
DYNAMIC = QuantizeConfig(scheme="int8-dynamic")
F32 = NDArray[np.float32]

SHAPES = [((24,), False), ((24,), True), ((24, 20, 16), True)]


def _takes(count: int, seed: int = 0) -> F32:
    return np.random.default_rng(seed).uniform(0.1, 0.9, (count, FRAMES, 63)).astype(np.float32)


def _exported(
    folder: Path, hidden_sizes: tuple[int, ...] = (24,), bidirectional: bool = False, cell: str = "lstm"
) -> Path:
    torch.manual_seed(0)
    architecture = Architecture(cell, 63, hidden_sizes, bidirectional, 64, len(NAMES))  # type: ignore[arg-type]
    model = RecurrentClassifier(architecture, fit_normalisation(_takes(20, 9), "hand", True)).eval()
    path = folder / "model.onnx"
    export_onnx(model, path, class_names=NAMES, sequence_length=FRAMES)
    return path


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    """One LSTM of 24 units, int8-dynamic."""
    return quantize_onnx(_exported(tmp_path), tmp_path / "model.int8.onnx", DYNAMIC).target


# What is in the file.


@pytest.mark.parametrize(("hidden_sizes", "bidirectional"), SHAPES)
def test_every_lstm_is_computed_in_int8_and_the_dense_layers_are_stored_in_it(
    tmp_path: Path, hidden_sizes: tuple[int, ...], bidirectional: bool
) -> None:
    source = _exported(tmp_path, hidden_sizes, bidirectional)
    result = quantize_onnx(source, tmp_path / "model.int8.onnx", DYNAMIC)
    was, now = inspect_model(source).op_types, inspect_model(result.target).op_types
    assert now == {
        **{name: number for name, number in was.items() if name != "LSTM"},
        "DynamicQuantizeLSTM": len(hidden_sizes),
        "Cast": 4,
        "Mul": was.get("Mul", 0) + 2,
    }
    names = {f"{part}{k}" for part in "WR" for k in range(len(hidden_sizes))} | {"dense_weight", "output_weight"}
    assert {tensor.name for tensor in result.proof.tensors} == names
    assert all(0 < tensor.max_error_scales <= 0.501 for tensor in result.proof.tensors)
    assert result.proof.left_large == ()
    assert result.metadata is not None
    assert result.metadata.scheme == "int8-dynamic"
    assert json.loads(json.dumps(result.to_dict()))["batch_dependent"] is True
    assert "int8 arithmetic inside the LSTM layers" in result.to_dict()["arithmetic"]


@pytest.mark.parametrize(("hidden_sizes", "bidirectional"), SHAPES)
def test_the_library_makes_the_same_integers_and_logits(
    tmp_path: Path, hidden_sizes: tuple[int, ...], bidirectional: bool
) -> None:
    """onnxruntime's quantize_dynamic, one scale a row, LSTM only, against ours with the dense layers left fp32."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source = _exported(tmp_path, hidden_sizes, bidirectional)
    theirs, ours = tmp_path / "theirs.onnx", tmp_path / "ours.onnx"
    quantize_dynamic(source, theirs, op_types_to_quantize=["LSTM"], per_channel=True, weight_type=QuantType.QInt8)
    quantize_onnx(source, ours, DYNAMIC.model_copy(update={"min_elements": 10**6}))
    found = [
        [
            numpy_helper.to_array(tensor)
            for node in model.graph.node
            if node.op_type == "DynamicQuantizeLSTM"
            for position in (1, 2, 8, 9, 10, 11)
            for tensor in model.graph.initializer
            if tensor.name == node.input[position]
        ]
        for model in (onnx.load(theirs), onnx.load(ours))
    ]
    assert len(found[0]) == len(found[1]) == 6 * len(hidden_sizes)
    for their, our in zip(*found, strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-6)  # integers equal, scales to float32's rounding
    x = _takes(1)
    np.testing.assert_allclose(open_predictor(ours)(x), open_predictor(theirs)(x), atol=1e-6)


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    source = _exported(tmp_path, (24, 20), True)
    first, second = (quantize_onnx(source, tmp_path / f"{k}.onnx", DYNAMIC).sha256 for k in "ab")
    assert first == second


def test_weights_of_wide_layers_are_all_that_counts_as_large(tmp_path: Path) -> None:
    """Biases and scales of 256 units in two directions have 4,096 and 2,048 numbers; they stay float32 by design."""
    source = _exported(tmp_path, (256,), True)
    for scheme in ("int8-weights", "int8-dynamic"):
        result = quantize_onnx(source, tmp_path / f"{scheme}.onnx", QuantizeConfig(scheme=scheme))  # type: ignore[arg-type]
        assert result.proof.left_large == ()


# What the operator computes; in every shape of model: test_parity_grid.py.


def _lstm(weight: F32, recurrent: F32, bias: F32) -> onnx.ModelProto:
    """x (time, 1, in) to all hidden states (time, 1, 1, hidden): one plain LSTM."""
    node = helper.make_node("LSTM", ["x", "W", "R", "B"], ["y"], name="lstm", hidden_size=recurrent.shape[2])
    arrays = {"W": weight, "R": recurrent, "B": bias}
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["time", "batch", weight.shape[2]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["time", 1, "batch", recurrent.shape[2]])],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _states(path: Path, x: F32) -> F32:
    """Hidden states (time, hidden) of x (time, in), in a session as edgekit opens it."""
    session = open_session(path.read_bytes(), path)
    states: F32 = session.run(None, {"x": x[:, None]})[0][:, 0, 0]
    return states


def test_sums_do_not_saturate_on_any_cpu(tmp_path: Path) -> None:
    """255 * 127 * 2 is beyond 16 bits, where x86 without VNNI adds up pairs of uint8 * int8 unless told otherwise.

    Every number here is exact in int8, so both files must agree; clipped pairs would move the gates by 1.
    """
    row = np.tile(np.array([1, 1, -1, 0, -1, 0, 0, 0], np.float32), 8)  # adds up to 0; a clipped pair of ones does not
    weight = np.tile(row, (1, 16, 1))
    recurrent, bias = np.zeros((1, 16, 4), np.float32), np.full((1, 32), 0.25, np.float32)
    (tmp_path / "lstm.onnx").write_bytes(_lstm(weight, recurrent, bias).SerializeToString())
    quantize_onnx(tmp_path / "lstm.onnx", tmp_path / "int8.onnx", DYNAMIC)
    x = np.ones((FRAMES, 64), np.float32)
    np.testing.assert_allclose(_states(tmp_path / "int8.onnx", x), _states(tmp_path / "lstm.onnx", x), atol=1e-5)


def _adds_exactly() -> bool:
    """Whether this CPU multiplies uint8 by int8 without saturation: Arm, or x86 with VNNI."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if platform.system() == "Linux" else ""
    return platform.machine() in ("aarch64", "arm64") or "avx512_vnni" in flags or "avx_vnni" in flags


def test_the_precision_option_changes_no_logit_where_sums_are_exact(quantized: Path) -> None:
    if not _adds_exactly():
        pytest.skip("this CPU saturates without the option")
    session = open_session(quantized.read_bytes(), quantized)
    chosen = session_options(onnxruntime, 1)
    assert chosen.get_session_config_entry("session.x64quantprecision") == "1"
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    plain = onnxruntime.InferenceSession(quantized, options, providers=["CPUExecutionProvider"])
    for take in _takes(5):
        feed = {"landmarks": take[None]}
        np.testing.assert_array_equal(session.run(None, feed)[0], plain.run(None, feed)[0])


# How a batch matters.


def test_a_take_is_scored_alone_and_so_its_neighbours_do_not_matter(quantized: Path) -> None:
    predictor = open_predictor(quantized)
    x = _takes(5)
    assert predictor.scoring_batch == 1
    np.testing.assert_array_equal(predict_batches(predictor, x)[:3], predict_batches(predictor, x[:3]))
    with pytest.warns(BatchDependenceWarning, match=r"DynamicQuantizeLSTM quantises all 5 takes.*one take at a time"):
        together = predictor(x)
    assert 0 < np.abs(together - predict_batches(predictor, x)).max() < 0.05


def test_one_take_at_a_time_does_not_warn(quantized: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits = open_predictor(quantized)(_takes(1))
    assert np.isfinite(logits).all()


# What is refused.


def test_a_gru_is_refused_with_the_reason_before_anything_is_written(tmp_path: Path) -> None:
    source = _exported(tmp_path, cell="gru")
    with pytest.raises(
        ConfigError, match=r"model\.onnx: a GRU can.t have scheme int8-dynamic.* use scheme int8-weights"
    ) as caught:
        quantize_onnx(source, tmp_path / "model.int8.onnx", DYNAMIC)
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_shared_weight_is_refused_with_advice_that_works(tmp_path: Path) -> None:
    source = _exported(tmp_path)
    model = onnx.load(source)
    lstm = next(node for node in model.graph.node if node.op_type == "LSTM")
    model.graph.node.append(helper.make_node("Identity", [lstm.input[2]], ["copy"]))
    source.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"model\.onnx: .*that other nodes read, too.*use scheme int8-weights"):
        quantize_onnx(source, tmp_path / "model.int8.onnx", DYNAMIC)
    assert not (tmp_path / "model.int8.onnx").exists()
    assert quantize_onnx(source, tmp_path / "model.int8.onnx").proof.left_float == ()


def test_a_weight_that_a_branch_reads_is_shared(tmp_path: Path) -> None:
    source = _exported(tmp_path)
    model = onnx.load(source)
    outer = helper.make_tensor_value_info("kept", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Identity", ["W0"], ["kept"])], "branch", [], [outer])
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(helper.make_node("If", ["yes"], ["copy"], then_branch=branch, else_branch=branch))
    source.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="that other nodes read, too"):
        quantize_onnx(source, tmp_path / "model.int8.onnx", DYNAMIC)


def test_a_file_without_an_lstm_is_refused_with_advice_that_works(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones((40, 50), np.float32), "w")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, k]) for n, k in (("x", 40), ("y", 50)))
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    source = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), source)
    with pytest.raises(InputError, match="it has no LSTM, which scheme int8-dynamic does not cover; use scheme int8-w"):
        quantize_onnx(source, tmp_path / "model.int8.onnx", DYNAMIC)
    quantize_onnx(source, tmp_path / "model.int8.onnx")


def test_int8_weights_is_not_advised_where_it_has_nothing_to_quantise_either(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones((40, 5), np.float32), "w")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, k]) for n, k in (("x", 40), ("y", 5)))
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    source = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), source)
    for config in (DYNAMIC, QuantizeConfig()):
        with pytest.raises(InputError, match="nothing to quantise") as caught:
            quantize_onnx(source, tmp_path / "model.int8.onnx", config)
        assert "int8-weights" not in str(caught.value)


def test_an_int8_dynamic_file_is_not_quantised_again(tmp_path: Path, quantized: Path) -> None:
    with pytest.raises(InputError, match="quantised already"):
        quantize_onnx(quantized, tmp_path / "twice.onnx")


# What the proof finds.


def _nudge(tensor_name: str, model: onnx.ModelProto) -> None:
    tensor = next(item for item in model.graph.initializer if item.name == tensor_name)
    values = numpy_helper.to_array(tensor).copy()
    values.flat[7] += 1 if values.flat[7] < 127 else -1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _drop_bias(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.op_type == "DynamicQuantizeLSTM").input[3] = ""


def _reverse(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "DynamicQuantizeLSTM")
    node.attribute.append(helper.make_attribute("direction", "reverse"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: _nudge("W0_int8", model), r"W0 is int8, off by [01]\.\d+ scales"),
        (lambda model: _nudge("R0_zero_point", model), "R0 has zero points other than 0"),
        (_drop_bias, "lost an input or attribute"),
        (_reverse, "lost an input or attribute"),
    ],
)
def test_the_proof_finds_a_wrong_number_and_a_changed_node(
    tmp_path: Path, quantized: Path, change: Any, message: str
) -> None:
    model = onnx.load(quantized)
    change(model)
    source = (tmp_path / "model.onnx").read_bytes()
    with pytest.raises(GateError, match=message):
        prove_quantization(source, model.SerializeToString(), DYNAMIC, "model.int8.onnx")


def test_the_proof_finds_an_lstm_that_stayed_fp32(tmp_path: Path) -> None:
    source = _exported(tmp_path)
    quantize_onnx(source, tmp_path / "weights.onnx")
    with pytest.raises(GateError, match="changed operators DynamicQuantizeLSTM, LSTM"):
        prove_quantization(source.read_bytes(), (tmp_path / "weights.onnx").read_bytes(), DYNAMIC, "m.onnx")
