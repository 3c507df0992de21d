"""ONNX fp32 to ONNX int8: what is in the file, what it computes, and what is refused."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from edgekit.data import fit_normalisation
from edgekit.errors import GateError, InputError, ModelFileError
from edgekit.export import export_onnx
from edgekit.model import Architecture, RecurrentClassifier
from edgekit.quantize import QuantizeConfig, prove_quantization, quantize_onnx
from edgekit.runtime import inspect_model, open_predictor

FRAMES = 30
NAMES = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _takes(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 0.9, (count, FRAMES, 63)).astype(np.float32)


def _exported(
    folder: Path,
    cell: str = "lstm",
    hidden_sizes: tuple[int, ...] = (24,),
    bidirectional: bool = False,
    dense: int = 64,
) -> Path:
    torch.manual_seed(0)
    architecture = Architecture(cell, 63, hidden_sizes, bidirectional, dense, len(NAMES))  # type: ignore[arg-type]
    model = RecurrentClassifier(architecture, fit_normalisation(_takes(20, 9), "hand", True)).eval()
    path = folder / "model.onnx"
    export_onnx(model, path, class_names=NAMES, sequence_length=FRAMES, parents=("ab" * 32,))
    return path


GRID = list(itertools.product(("lstm", "gru"), ((24,), (24, 20, 16)), (False, True)))


@pytest.mark.parametrize(("cell", "hidden_sizes", "bidirectional"), GRID)
def test_int8_weights_keep_the_logits_close(
    tmp_path: Path, cell: str, hidden_sizes: tuple[int, ...], bidirectional: bool
) -> None:
    """0.02: half a step of 1/127 in each of a few dozen weights, of logits of about 1; ten times what is seen."""
    source = _exported(tmp_path, cell, hidden_sizes, bidirectional)
    quantize_onnx(source, tmp_path / "model.int8.onnx")
    x = _takes(16)
    difference = open_predictor(tmp_path / "model.int8.onnx")(x) - open_predictor(source)(x)
    assert 0 < np.abs(difference).max() <= 0.02


@pytest.mark.parametrize(("cell", "hidden_sizes", "bidirectional"), GRID)
def test_the_proof_says_what_is_in_the_file(
    tmp_path: Path, cell: str, hidden_sizes: tuple[int, ...], bidirectional: bool
) -> None:
    source, target = _exported(tmp_path, cell, hidden_sizes, bidirectional), tmp_path / "model.int8.onnx"
    result = quantize_onnx(source, target)
    proof = result.proof
    layers = len(hidden_sizes)
    names = {f"{part}{k}" for part in "WR" for k in range(layers)} | {"dense_weight", "output_weight"}
    recurrent = {name for name in names if name[0] in "WR"}  # whatever their size
    assert {tensor.name for tensor in proof.tensors} == recurrent | (names & _large(source))
    assert proof.op_types[cell.upper()] == layers
    assert not _large(target)
    assert proof.left_large == ()
    assert proof.int8_bytes == sum(int(np.prod(tensor.shape)) for tensor in proof.tensors)
    assert all(0 < tensor.max_error_scales <= 0.501 for tensor in proof.tensors)
    # a row of n float32 becomes n bytes and one scale of two: 1 - (n + 2) / 4n, with n from 16 to 64
    assert 1 - 18 / 64 <= proof.weight_reduction_ratio <= 1 - 66 / 256
    assert proof.size_bytes == target.stat().st_size == result.size_bytes
    assert proof.source_size_bytes == source.stat().st_size


def _large(path: Path) -> set[str]:
    tensors = onnx.load(path).graph.initializer
    return {
        tensor.name
        for tensor in tensors
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1 and np.prod(tensor.dims) >= 1024
    }


def test_each_direction_has_scales_of_its_own(tmp_path: Path) -> None:
    """A backward direction a thousand times smaller must keep its precision."""
    source = _exported(tmp_path, bidirectional=True)
    model = onnx.load(source)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "W0")
    values = numpy_helper.to_array(weight).copy()
    values[1] /= 1000
    weight.CopyFrom(numpy_helper.from_array(values, "W0"))
    source.write_bytes(model.SerializeToString())
    quantize_onnx(source, tmp_path / "model.int8.onnx")
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(tmp_path / "model.int8.onnx").graph.initializer}
    restored = tensors["W0_int8"] * tensors["W0_scale"].astype(np.float32)
    peak = np.abs(values).max(axis=2, keepdims=True)
    assert (np.abs(restored - values) <= peak / 254 * 1.001).all()


def test_the_batch_does_not_matter(tmp_path: Path) -> None:
    """Weights carry the only scales: unlike dynamic quantisation, a take's logits ignore its neighbours."""
    quantize_onnx(_exported(tmp_path), tmp_path / "model.int8.onnx")
    predictor = open_predictor(tmp_path / "model.int8.onnx")
    x = _takes(6)
    x[3] *= 100.0
    single = np.concatenate([predictor(x[k : k + 1]) for k in range(6)])
    np.testing.assert_allclose(single, predictor(x), atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_folding_the_weights_at_load_changes_no_logits(tmp_path: Path, cell: str) -> None:
    """With and without `session.disable_quant_qdq`; 1e-5 for float32 sums in another order."""
    quantize_onnx(_exported(tmp_path, cell, bidirectional=True), tmp_path / "model.int8.onnx")
    x = _takes(8)
    plain = onnxruntime.InferenceSession(tmp_path / "model.int8.onnx", providers=["CPUExecutionProvider"])
    (logits,) = plain.run(None, {"landmarks": x})
    np.testing.assert_allclose(open_predictor(tmp_path / "model.int8.onnx")(x), logits, atol=1e-5)


@pytest.mark.parametrize(("hidden", "dense"), [(33, 256), (36, 256), (40, 164)])
def test_the_pruned_student_fits_in_40_kilobytes(tmp_path: Path, hidden: int, dense: int) -> None:
    source = _exported(tmp_path, hidden_sizes=(hidden,), dense=dense)
    result = quantize_onnx(source, tmp_path / "model.int8.onnx")
    assert result.size_bytes <= 40_000
    assert result.proof.file_reduction_ratio >= 0.65


def test_the_edge_student_shrinks_to_less_than_a_third(tmp_path: Path) -> None:
    result = quantize_onnx(_exported(tmp_path, hidden_sizes=(64,), dense=256), tmp_path / "model.int8.onnx")
    assert result.proof.file_reduction_ratio >= 0.70
    assert result.proof.weight_reduction_ratio >= 0.73


def test_the_file_knows_its_scheme_and_parents(tmp_path: Path) -> None:
    source = _exported(tmp_path)
    before = source.read_bytes()
    result = quantize_onnx(source, tmp_path / "model.int8.onnx")
    parent, child = inspect_model(source), inspect_model(tmp_path / "model.int8.onnx")
    assert parent.metadata is not None
    assert child.metadata == replace(
        parent.metadata, scheme="int8-weights", parents=(parent.sha256, "ab" * 32), version=child.metadata.version
    )
    assert (result.sha256, result.source_sha256) == (child.sha256, parent.sha256)
    assert source.read_bytes() == before
    assert json.loads(json.dumps(result.to_dict()))["proof"]["int8_bytes"] == result.proof.int8_bytes


def _foreign(path: Path, kind: str, opset: int = 17) -> np.ndarray:
    """A file of someone else's: x (batch, 40) times a (40, 50) weight. Returns the weight with outputs in rows."""
    weight = np.random.default_rng(1).standard_normal((40, 50)).astype(np.float32) * np.logspace(-2, 2, 50)
    weight = weight.astype(np.float32)
    stored, node = {
        "MatMul": (weight, helper.make_node("MatMul", ["x", "w"], ["y"])),
        "Gemm": (weight, helper.make_node("Gemm", ["x", "w"], ["y"])),
        "Gemm transB": (weight.T.copy(), helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)),
    }[kind]
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 40])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 50])],
        [numpy_helper.from_array(stored, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, {"author": "someone"})
    path.write_bytes(model.SerializeToString())
    return weight.T


@pytest.mark.parametrize("kind", ["MatMul", "Gemm", "Gemm transB"])
def test_foreign_files_get_a_scale_an_output(tmp_path: Path, kind: str) -> None:
    """Outputs differ ten-thousandfold in size: only one scale each keeps every one of them to a percent."""
    weight = _foreign(tmp_path / "a.onnx", kind)
    result = quantize_onnx(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert result.metadata is None
    assert {p.key: p.value for p in onnx.load(tmp_path / "b.onnx").metadata_props} == {"author": "someone"}
    x = np.random.default_rng(2).standard_normal((8, 40)).astype(np.float32)
    bound = np.abs(x).sum(axis=1)[:, None] * np.abs(weight).max(axis=1) / 254
    assert (np.abs(open_predictor(tmp_path / "b.onnx")(x) - x @ weight.T) <= bound * 1.01).all()


def test_files_that_can_not_be_quantised_are_refused(tmp_path: Path) -> None:
    source, target = _exported(tmp_path), tmp_path / "model.int8.onnx"
    with pytest.raises(InputError, match="nothing to quantise"):
        quantize_onnx(source, target, QuantizeConfig(min_elements=10**6))
    with pytest.raises(InputError, match="same file"):
        quantize_onnx(source, tmp_path / "." / "model.onnx")
    with pytest.raises(ModelFileError, match="no such file"):
        quantize_onnx(tmp_path / "none.onnx", target)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_an_int8_file_is_not_quantised_again(tmp_path: Path) -> None:
    quantize_onnx(_exported(tmp_path), tmp_path / "model.int8.onnx")
    with pytest.raises(InputError, match="quantised already"):
        quantize_onnx(tmp_path / "model.int8.onnx", tmp_path / "twice.onnx")
    assert not (tmp_path / "twice.onnx").exists()


def test_the_proof_finds_a_weight_that_was_skipped(tmp_path: Path) -> None:
    source = _exported(tmp_path).read_bytes()
    with pytest.raises(
        GateError, match=r"2 weights of recurrent layers would stay float(?s:.*)R of LSTM 'outputs0' .R0."
    ):
        prove_quantization(source, source, QuantizeConfig(), "model.int8.onnx")
    _foreign(tmp_path / "dense.onnx", "MatMul")
    source = (tmp_path / "dense.onnx").read_bytes()
    with pytest.raises(GateError, match="still float32 after quantisation: w"):
        prove_quantization(source, source, QuantizeConfig(), "model.int8.onnx")


def test_the_proof_finds_a_wrong_number(tmp_path: Path) -> None:
    source, target = _exported(tmp_path), tmp_path / "model.int8.onnx"
    quantize_onnx(source, target)
    model = onnx.load(target)
    tensor = next(t for t in model.graph.initializer if t.name == "R0_int8")
    values = numpy_helper.to_array(tensor).copy()
    values[0, 5, 7] += 1 if values[0, 5, 7] < 127 else -1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(GateError, match=r"R0 is int8, off by [01]\.\d+ scales"):
        prove_quantization(source.read_bytes(), model.SerializeToString(), QuantizeConfig(), "model.int8.onnx")


def test_the_proof_finds_a_lost_operator(tmp_path: Path) -> None:
    source, target = _exported(tmp_path), tmp_path / "model.int8.onnx"
    quantize_onnx(source, target)
    model = onnx.load(target)
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type = "Identity"
    with pytest.raises(GateError, match="changed operators Identity, Relu"):
        prove_quantization(source.read_bytes(), model.SerializeToString(), QuantizeConfig(), "model.int8.onnx")
