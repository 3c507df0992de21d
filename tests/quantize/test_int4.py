"""int4-weights: what is in the file, that plain ONNX Runtime computes the rounded floats, and that it is proven."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from edgekit.data import Normalisation
from edgekit.device import Work, model_work
from edgekit.errors import GateError
from edgekit.export import export_onnx
from edgekit.model import ModelConfig, build_model
from edgekit.quantize import QuantizeConfig, QuantizeResult, prove_quantization, quantize_onnx
from edgekit.quantize.integers import pack_integers, quantize_rows, unpack_integers
from edgekit.quantize.versions import INT4_OPSET, raise_version
from edgekit.runtime import inspect_model, open_predictor

INT4 = QuantizeConfig(scheme="int4-weights", min_elements=200)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bidirectional GRU of edgekit's own, opset 17: 7 units, so that a row of a gate has an odd number of weights."""
    path = tmp_path_factory.mktemp("int4") / "fp32.onnx"
    settings = {"type": "gru", "hidden_size": 7, "num_layers": 1, "bidirectional": True, "dense": 30}
    ones = np.ones(63, np.float32)
    model = build_model(ModelConfig.model_validate(settings), Normalisation("hand", True, 0 * ones, ones), 3)
    export_onnx(model, path, class_names=("A", "B", "C"), sequence_length=30)
    return path


@pytest.fixture(scope="module")
def int4(exported: Path) -> QuantizeResult:
    """Its int4 form."""
    return quantize_onnx(exported, exported.with_name("int4.onnx"), INT4)


@pytest.mark.parametrize("shape", [(3, 5), (2, 4), (1, 1), (1, 3, 7)])
def test_packed_numbers_come_back_and_take_half_a_byte(shape: tuple[int, ...]) -> None:
    q = np.random.default_rng(0).integers(-7, 8, shape).astype(np.int8)
    tensor = pack_integers(q, 4, "q")
    assert (tensor.data_type, len(tensor.raw_data)) == (TensorProto.INT4, -(-q.size // 2))
    np.testing.assert_array_equal(unpack_integers(tensor), q)


def test_four_bits_are_fifteen_steps_and_half_a_step_of_error() -> None:
    values = np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32)
    q, scale = quantize_rows(values, 0, bits=4)
    assert (q.min(), q.max()) == (-7, 7)
    np.testing.assert_allclose(scale, np.abs(values).max(axis=1) / 7, rtol=2**-11)  # as float16 holds it
    assert np.abs(q * scale[:, None] - values).max() <= scale.max() / 2 + 1e-6


def test_the_file_is_standard_onnx_and_much_smaller_than_int8(exported: Path, int4: QuantizeResult) -> None:
    """An eighth of the weights' bytes, before scales."""
    result = int4
    int8 = quantize_onnx(exported, exported.with_name("int8.onnx"), QuantizeConfig(min_elements=200))
    model = onnx.load(result.target)
    onnx.checker.check_model(model, full_check=True)
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 21)]
    assert model.ir_version == 10
    assert result.raised is not None
    assert result.raised.opset == (17, 21)
    assert result.metadata is not None
    assert (result.metadata.scheme, result.arithmetic) == ("int4-weights", "int4 storage, fp32 arithmetic")
    for four, eight in zip(result.proof.tensors, int8.proof.tensors, strict=True):
        scales = eight.bytes_after - eight.bytes_before // 4
        assert four.bytes_after == -(-eight.bytes_before // 8) + scales
        assert four.max_error_scales <= 0.501
    assert result.proof.int8_bytes == -(-int8.proof.int8_bytes // 2)
    assert result.size_bytes < int8.size_bytes


def test_plain_onnx_runtime_computes_the_rounded_floats(exported: Path, int4: QuantizeResult) -> None:
    """Whatever it does with DequantizeLinear by itself; and not what fp32 computes."""
    x = np.random.default_rng(0).uniform(0.2, 0.8, (5, 30, 63)).astype(np.float32)
    plain = onnxruntime.InferenceSession(int4.target, providers=["CPUExecutionProvider"])
    logits = plain.run(None, {"landmarks": x})[0]
    np.testing.assert_allclose(open_predictor(int4.target)(x), logits, atol=1e-5)
    difference = np.abs(open_predictor(exported)(x) - logits).max()
    assert difference > 1e-3
    assert int4.outputs is not None
    assert int4.outputs.max_abs_difference is not None


def test_its_work_is_known_without_the_onnx_package(
    exported: Path, int4: QuantizeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.device.sources.find_spec", lambda name: None)
    fp32, rounded = model_work(inspect_model(exported)), model_work(inspect_model(int4.target))
    assert isinstance(fp32, Work)
    assert isinstance(rounded, Work)
    assert (rounded.matrix_macs, rounded.steps) == (fp32.matrix_macs, fp32.steps)


def test_an_int8_tensor_in_its_place_is_no_int4_file(exported: Path, int4: QuantizeResult) -> None:
    source, _ = raise_version(onnx.load(exported), "m.onnx", INT4_OPSET)
    model = onnx.load(int4.target)
    proof = prove_quantization(source.SerializeToString(), model.SerializeToString(), INT4, "m.onnx")
    assert len(proof.tensors) == 3
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.INT4:
            tensor.CopyFrom(numpy_helper.from_array(unpack_integers(tensor), tensor.name))
            break
    with pytest.raises(GateError, match="is int8, not int4"):
        prove_quantization(source.SerializeToString(), model.SerializeToString(), INT4, "m.onnx")


def test_a_file_of_somebody_else_is_raised_and_rounded(lstm_file: Callable[..., Path]) -> None:
    source = lstm_file()
    result = quantize_onnx(source, source.with_name("int4.onnx"), INT4)
    assert result.raised is not None
    assert [tensor.name for tensor in result.proof.tensors] == ["W", "R"]
    assert result.outputs is not None
    assert result.outputs.max_abs_difference is not None
