"""A limit on outputs: the weights to blame stay in float16, the others are int8, and the limit holds in any session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import GateError
from edgekit.quantize import Proving, QuantizeConfig, QuantizeResult, quantize_onnx
from edgekit.report import quantized_text

WIDTH = 40


def coarse(spread: float, seed: int, shape: tuple[int, int] = (WIDTH, WIDTH)) -> np.ndarray:
    """A matrix in whose rows one number is `spread` times the others, so that int8 leaves little of those."""
    values = np.random.default_rng(seed).normal(0, 0.1, shape)
    values[0] *= spread
    return values.astype(np.float32)


def chain(folder: Path, **weights: np.ndarray) -> Path:
    """x (batch, 40), whose first number is small, times one matrix after another, with tanh between."""
    nodes, read = [helper.make_node("Mul", ["x", "small"], ["h0"])], "h0"
    for index, name in enumerate(weights):
        nodes.append(helper.make_node("MatMul", [read, name], [f"p{index}"]))
        nodes.append(helper.make_node("Tanh", [f"p{index}"], [f"h{index + 1}"]))
        read = f"h{index + 1}"
    small = np.where(np.arange(WIDTH) == 0, 0.0, 1.0).astype(np.float32)
    tensors = [numpy_helper.from_array(array, name) for name, array in {"small": small, **weights}.items()]
    typed = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [typed("x", TensorProto.FLOAT, ["batch", WIDTH])], [typed(read, TensorProto.FLOAT, None)], tensors
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def made(source: Path, limit: float | None, calibration: Path | None = None) -> QuantizeResult:
    return quantize_onnx(source, source.parent / "int8.onnx", proving=Proving(calibration, limit))


def off(result: QuantizeResult) -> float:
    assert result.outputs is not None
    assert result.outputs.max_abs_difference is not None
    return result.outputs.max_abs_difference


def test_the_weight_to_blame_is_kept_and_named_the_others_are_int8(tmp_path: Path) -> None:
    source = chain(tmp_path, bad=coarse(100, 1), fine=coarse(1, 0), fair=coarse(1, 2))
    free = made(source, None)
    assert free.proof.left_float == ()
    held = made(source, off(free) / 3)
    assert off(held) <= off(free) / 3
    (kept,) = held.proof.left_float
    assert (kept.name, kept.of, kept.dtype, kept.shape) == ("bad", ("MatMul",), "float16", (WIDTH, WIDTH))
    assert (kept.bytes, kept.was_bytes) == (2 * WIDTH**2, 4 * WIDTH**2)
    assert kept.reason.startswith(
        f"kept in float16, so that outputs differ by {off(free) / 3:g} at most: in int8 it alone"
    )
    assert {tensor.name for tensor in held.proof.tensors} == {"fine", "fair"}
    assert held.proof.covered_ratio == pytest.approx(2 / 3)
    assert free.size_bytes < held.size_bytes < 0.5 * held.source_size_bytes
    text = quantized_text(held)
    assert "bad" in text
    assert "kept in float16" in text


def test_what_float16_can_not_hold_is_kept_as_it_was(tmp_path: Path) -> None:
    """Numbers beyond 65,504."""
    bad = coarse(100, 1)
    bad[0, 0] = 1e6
    source = chain(tmp_path, bad=bad, fine=coarse(1, 0))
    held = made(source, off(made(source, None)) / 3)
    (kept,) = held.proof.left_float
    assert (kept.name, kept.dtype, kept.bytes) == ("bad", "float32", 4 * WIDTH**2)
    assert kept.reason.startswith("kept as it was")


def test_a_limit_holds_in_sessions_of_others_too(tmp_path: Path) -> None:
    """ONNX Runtime's own options make integers of what such products read, which no choice of one weight sees."""
    rng = np.random.default_rng(7)
    takes = rng.normal(0, [[30.0], [1.0], [1.0]], (3, WIDTH)).astype(np.float32)
    np.savez(tmp_path / "takes.npz", x=takes)
    source = chain(tmp_path, one=coarse(1, 0), two=coarse(1, 3), three=coarse(1, 4))
    limit = 0.6 * off(made(source, None, tmp_path / "takes.npz"))
    made(source, limit, tmp_path / "takes.npz")
    both = []
    for name in ("model.onnx", "int8.onnx"):
        session = onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"])
        both.append(np.stack([session.run(None, {"x": take[None]})[0] for take in takes]))
    assert np.abs(both[0] - both[1]).max() <= limit


def test_takes_decide_what_is_kept(tmp_path: Path) -> None:
    """Silent takes blame nothing: all outputs are 0 with any weights."""
    source = chain(tmp_path, bad=coarse(100, 1), fine=coarse(1, 0))
    np.savez(tmp_path / "takes.npz", x=np.zeros((3, WIDTH), np.float32))
    assert made(source, 1e-6, tmp_path / "takes.npz").proof.left_float == ()


def test_int4_weights_are_held_to_a_limit_too(tmp_path: Path) -> None:
    source, int4 = chain(tmp_path, bad=coarse(9, 1), fine=coarse(1, 0)), QuantizeConfig(scheme="int4-weights")
    limit = off(quantize_onnx(source, tmp_path / "int4.onnx", int4)) / 2
    held = quantize_onnx(source, tmp_path / "int4.onnx", int4, Proving(max_difference=limit))
    assert off(held) <= limit
    (kept,) = held.proof.left_float
    assert kept.name == "bad"
    assert kept.reason.startswith("kept in float16, ")
    assert "in int4 it alone moves them by" in kept.reason


def test_int8_dynamic_has_no_such_choice(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    typed = helper.make_tensor_value_info
    tensors = [numpy_helper.from_array(rng.normal(0, 0.3, (1, 96, 24)).astype(np.float32), name) for name in "WR"]
    graph = helper.make_graph(
        [helper.make_node("LSTM", ["x", "W", "R"], ["", "h"], hidden_size=24)], "g",
        [typed("x", TensorProto.FLOAT, [5, 1, 24])], [typed("h", TensorProto.FLOAT, [1, 1, 24])], tensors,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(GateError, match=r"outputs differ by \S+ at most, .*allowed 1e-06"):
        quantize_onnx(
            tmp_path / "model.onnx", tmp_path / "int8.onnx", QuantizeConfig(scheme="int8-dynamic"),
            Proving(max_difference=1e-6),
        )  # fmt: skip


def test_small_weights_that_stayed_float_are_named(tmp_path: Path) -> None:
    source = chain(tmp_path, big=coarse(1, 0), few=coarse(1, 2, (WIDTH, 20)))
    result = made(source, None)
    (left,) = result.proof.small_float
    assert (left.name, left.bytes, left.reason) == (
        "few",
        3200,
        "it has fewer than 1,024 numbers (quantize.min_elements)",
    )
    assert result.to_dict()["proof"]["small_float"][0]["name"] == "few"
    assert "Left float: 1 weight, 3.2 KB (few): it has fewer than 1,024 numbers" in quantized_text(result)
