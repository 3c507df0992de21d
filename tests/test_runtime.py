"""Model files: what is refused, what is read, and that nothing unchecked reaches ONNX Runtime."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import ConfigError, ModelFileError, ShapeError
from edgekit.evaluate import evaluate_model, predict_batches
from edgekit.runtime import (
    SCHEMES,
    BatchDependenceWarning,
    ModelMetadata,
    inspect_model,
    open_predictor,
    validate_input,
)

METADATA = ModelMetadata(
    class_names=("A", "ß", "日"),
    sequence_length=4,
    features=2,
    preprocessing="standard",
    parents=("ab" * 32,),
    version="0.1.0",
    parameters=9,
    macs=6,
    trained_on="three made-up signs",
)


def _flat_model(**extra: object) -> onnx.ModelProto:
    """landmarks (batch, 4, 2) to logits (batch, 3): Flatten, Gemm."""
    weight = np.arange(24, dtype=np.float32).reshape(8, 3) / 10
    nodes = [
        helper.make_node("Flatten", ["landmarks"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "weight"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["batch", 4, 2])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, **extra)
    helper.set_model_props(model, METADATA.to_props())
    return model


def _write(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _external(name: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    return tensor


def test_metadata_survives_the_way_there_and_back() -> None:
    assert ModelMetadata.from_props(METADATA.to_props()) == METADATA


def test_metadata_of_a_newer_edgekit_is_read() -> None:
    assert ModelMetadata.from_props({**METADATA.to_props(), "edgekit.colour": '"red"'}) == METADATA


def test_a_foreign_file_has_no_metadata() -> None:
    assert ModelMetadata.from_props({"author": "somebody"}) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("class_names", '["A", "A", "B"]'),
        ("class_names", "[1]"),
        ("class_names", "not json"),
        ("sequence_length", "0"),
        ("features", "true"),
        ("scheme", "7"),
    ],
)
def test_damaged_metadata_names_its_key(key: str, value: str) -> None:
    with pytest.raises(ModelFileError, match=f"edgekit.{key}"):
        ModelMetadata.from_props({**METADATA.to_props(), f"edgekit.{key}": value})


def test_inspection_reads_what_the_onnx_library_reads(tmp_path: Path) -> None:
    model = _flat_model(producer_name="someone")
    model.graph.input.append(helper.make_tensor_value_info("weight", TensorProto.FLOAT, [8, 3]))  # as old files do
    info = inspect_model(_write(tmp_path, model))
    assert (info.ir_version, info.opsets, info.producer) == (9, {"": 17}, "someone")
    assert [(t.name, t.dtype, t.shape) for t in info.inputs] == [("landmarks", "float32", ("batch", 4, 2))]
    assert [(t.name, t.dtype, t.shape) for t in info.outputs] == [("logits", "float32", ("batch", 3))]
    assert info.op_types == Counter(node.op_type for node in model.graph.node)
    assert info.size_bytes == model.ByteSize()
    assert info.metadata == METADATA


def test_the_digest_is_of_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path, _flat_model())
    before = inspect_model(path).sha256
    path.write_bytes(path.read_bytes() + b"\x32\x01x")  # a doc string: the same model, another file
    assert inspect_model(path).sha256 != before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"PK\x03\x04 a zip file", "not a whole ONNX file|not an ONNX model"),
        (b"\0" * 99, "not a whole ONNX file .*: its bytes are not laid out as those of an ONNX file; export or copy"),
        (b"<html>no model here</html>", "not a whole ONNX file|not an ONNX model"),
        (b"\x08\x09", "lacks a graph"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}", "not a whole ONNX file|not an ONNX model"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message):
        inspect_model(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        inspect_model(tmp_path / "none.onnx")
    with pytest.raises(ModelFileError, match="folder"):
        inspect_model(tmp_path)


def test_no_prefix_of_a_model_is_mistaken_for_all_of_it(tmp_path: Path) -> None:
    """A prefix may end between two fields and be a model of its own; it never yields another kind of error."""
    content = _flat_model().SerializeToString()
    path = tmp_path / "model.onnx"
    whole = 0
    for size in range(1, len(content)):
        path.write_bytes(content[:size])
        try:
            info = inspect_model(path)
        except ModelFileError:
            continue
        whole += 1
        assert info.metadata != METADATA or "" not in info.opsets
    assert whole < 20  # ends between two of the file's few top-level fields


def test_damaged_files_raise_no_other_kind_of_error(tmp_path: Path) -> None:
    content = _flat_model().SerializeToString()
    rng = np.random.default_rng(0)
    path = tmp_path / "model.onnx"
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for position in rng.integers(0, len(content), 6):
            damaged[position] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            inspect_model(path)
        except ModelFileError:
            refused += 1
    assert 0 < refused <= 300


def test_endless_nesting_is_refused(tmp_path: Path) -> None:
    """Written by hand: protobuf's own writer gives up at a hundred messages inside each other."""

    def message(field: int, content: bytes) -> bytes:
        size = len(content)
        varint = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14])
        return bytes([field << 3 | 2]) + varint + content

    graph = b""
    for _ in range(60):  # a graph in an attribute of a node of a graph
        graph = message(1, message(5, message(6, graph)))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x09" + message(7, graph))
    with pytest.raises(ModelFileError, match="inside each other"):
        inspect_model(path)


def _place_external(model: onnx.ModelProto, place: str) -> None:
    tensor = _external("stolen")
    inner = helper.make_graph([], "inner", [], [], [tensor])
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    if place == "initializer":
        model.graph.initializer.append(tensor)
    elif place == "attribute":
        model.graph.node.append(constant)
    elif place == "tensors attribute":
        model.graph.node.append(helper.make_node("Op", [], ["c"], values=[tensor]))
    elif place == "subgraph":
        model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=inner))
    elif place == "function":
        model.functions.append(helper.make_function("f", "F", [], ["c"], [constant], [helper.make_opsetid("", 17)]))
    elif place == "sparse":
        model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor, dims=[1]))
    elif place == "training":
        model.training_info.add().algorithm.CopyFrom(inner)


@pytest.mark.parametrize(
    "place",
    ["initializer", "attribute", "tensors attribute", "subgraph", "function", "sparse", "training"],
)
def test_tensors_in_other_files_are_refused_wherever_they_hide(tmp_path: Path, place: str) -> None:
    model = _flat_model()
    _place_external(model, place)
    path = _write(tmp_path, model)
    with pytest.raises(ModelFileError, match=r"other files.*'stolen'"):
        inspect_model(path)
    with pytest.raises(ModelFileError, match="other files"):
        open_predictor(path)


def test_a_location_alone_counts_as_external(tmp_path: Path) -> None:
    """A reader that goes by `external_data` must not be fooled by a `data_location` that says DEFAULT."""
    model = _flat_model()
    model.graph.initializer[0].external_data.add(key="location", value="elsewhere")
    with pytest.raises(ModelFileError, match="'weight'"):
        inspect_model(_write(tmp_path, model))


def test_a_predictor_computes_the_model(tmp_path: Path) -> None:
    model = _flat_model()
    predictor = open_predictor(_write(tmp_path, model))
    x = np.random.default_rng(0).standard_normal((5, 4, 2)).astype(np.float32)
    weight = numpy_helper.to_array(model.graph.initializer[0])
    np.testing.assert_allclose(predictor(x), x.reshape(5, 8) @ weight, atol=1e-6)
    assert (predictor.input_name, predictor.input_shape, predictor.classes) == ("landmarks", ("batch", 4, 2), 3)
    assert predictor.fixed_batch is None


def _dynamic_model(batch: int | str) -> onnx.ModelProto:
    """As `_flat_model`, with its input rounded to 8 bits, one scale for the whole batch: what others' tools write."""
    model = _flat_model()
    rounded = helper.make_node("DynamicQuantizeLinear", ["landmarks"], ["q", "scale", "zero"])
    back = helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["rounded"])
    nodes = [rounded, back, *model.graph.node]
    nodes[2].input[0] = "rounded"
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for value in (*model.graph.input, *model.graph.output):
        dim = value.type.tensor_type.shape.dim[0]
        dim.Clear()
        if isinstance(batch, int):
            dim.dim_value = batch
        else:
            dim.dim_param = batch
    return model


def test_takes_are_scored_alone_where_one_scale_serves_a_whole_batch(tmp_path: Path) -> None:
    predictor = open_predictor(_write(tmp_path, _dynamic_model("batch")))
    assert predictor.info.batch_dependent == ("DynamicQuantizeLinear",)
    assert predictor.scoring_batch == 1
    x = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)
    x[2] *= 100.0  # a loud neighbour, in whose scale the others drown
    alone = predict_batches(predictor, x)
    np.testing.assert_array_equal(alone[0], predictor(x[:1])[0])
    with pytest.warns(
        BatchDependenceWarning, match=r"model\.onnx: DynamicQuantizeLinear quantises all 3 takes.*one take"
    ):
        together = predictor(x)
    assert np.abs(together - alone)[:2].max() > 0.1


def test_a_batch_that_changes_nothing_is_large_and_silent(tmp_path: Path) -> None:
    predictor = open_predictor(_write(tmp_path, _flat_model()))
    assert predictor.info.batch_dependent == ()
    assert predictor.scoring_batch == 256
    predictor(np.zeros((5, 4, 2)))  # a warning would be an error here


@pytest.mark.parametrize("takes", [1, 4, 5, 8])
def test_models_of_one_batch_size_score_any_number_of_takes(tmp_path: Path, takes: int) -> None:
    model = _flat_model()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    predictor = open_predictor(_write(tmp_path, model))
    assert predictor.fixed_batch == predictor.scoring_batch == 4
    x = np.random.default_rng(0).standard_normal((takes, 4, 2)).astype(np.float32)
    logits = predict_batches(predictor, x)
    weight = numpy_helper.to_array(model.graph.initializer[0])
    np.testing.assert_allclose(logits, x.reshape(takes, 8) @ weight, atol=1e-6)
    metrics = evaluate_model(predictor, x, logits.argmax(axis=1), ("A", "B", "C"), ("A", "B", "C"))
    assert (metrics.accuracy, metrics.takes) == (1.0, takes)


def test_a_fixed_batch_that_matters_is_said_to(tmp_path: Path) -> None:
    predictor = open_predictor(_write(tmp_path, _dynamic_model(2)))
    with pytest.warns(BatchDependenceWarning, match="all 2 takes"):
        predict_batches(predictor, np.ones((1, 4, 2), np.float32))


def test_every_scheme_says_what_its_arithmetic_is() -> None:
    assert "fp32 arithmetic" in SCHEMES["int8-weights"]
    assert "int8 arithmetic inside the LSTM layers" in SCHEMES["int8-dynamic"]
    assert METADATA.scheme in SCHEMES


def test_a_model_that_onnx_runtime_refuses_is_named(tmp_path: Path) -> None:
    model = _flat_model()
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ModelFileError, match=r"model\.onnx: ONNX Runtime .* can't load it"):
        open_predictor(_write(tmp_path, model))


def test_an_output_without_a_shape_is_known_when_it_has_run(tmp_path: Path) -> None:
    model = _flat_model()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    predictor = open_predictor(_write(tmp_path, model))
    assert predictor(np.ones((2, 4, 2))).shape == (2, 3)
    model.graph.node[1].output[0] = "flat logits"
    model.graph.node.append(helper.make_node("ReduceSum", ["flat logits"], ["logits"], keepdims=0))
    predictor = open_predictor(_write(tmp_path, model))
    with pytest.raises(ModelFileError, match=r"gave shape \([01]?,?\) for a batch of 2; expected \(batch, classes\)"):
        predictor(np.ones((2, 4, 2)))


def test_a_model_of_two_inputs_is_refused(tmp_path: Path) -> None:
    model = _flat_model()
    model.graph.input.append(helper.make_tensor_value_info("state", TensorProto.FLOAT, [1]))
    model.graph.node.append(helper.make_node("Identity", ["state"], ["unused"]))
    with pytest.raises(ModelFileError, match="landmarks, state"):
        open_predictor(_write(tmp_path, model))


def test_class_names_that_do_not_match_the_outputs_are_refused(tmp_path: Path) -> None:
    model = _flat_model()
    helper.set_model_props(model, dataclasses.replace(METADATA, class_names=("A", "B")).to_props())
    with pytest.raises(ModelFileError, match="2 class names for 3 outputs"):
        open_predictor(_write(tmp_path, model))


def test_threads_must_be_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="threads: 0"):
        open_predictor(_write(tmp_path, _flat_model()), threads=0)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 4, 2)), "empty batch"),
        (np.zeros((1, 4)), r"shape \(1, 4\); expected \(batch, 4, 2\)"),
        (np.zeros((1, 5, 2)), r"shape \(1, 5, 2\)"),
        (np.full((1, 4, 2), np.nan), r"nan at \(0, 0, 0\)"),
        (np.array([[[0, 0], [0, 0], [0, np.inf], [0, 0]]]), r"inf at \(0, 2, 1\)"),
        (np.full((1, 4, 2), 1e39), "finite in float32"),
        (np.zeros((1, 4, 2), dtype=bool), "type bool"),
        (np.zeros((1, 4, 2), dtype=complex), "type complex"),
        (np.full((1, 4, 2), "a"), "type <U1"),
        ([[[0.0, 1.0], [0.0]]], "unequal length"),
        (None, "type object"),
    ],
)
def test_unfit_input_is_refused_before_it_runs(tmp_path: Path, x: object, message: str) -> None:
    """ONNX Runtime would abort the process on the first, and give finite logits for NaN."""
    predictor = open_predictor(_write(tmp_path, _flat_model()))
    with pytest.raises(ShapeError, match=message):
        predictor(x)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8"])
def test_numbers_of_any_real_type_become_contiguous_float32(dtype: str) -> None:
    x = np.arange(24).reshape(3, 2, 4).transpose(0, 2, 1).astype(dtype)
    values = validate_input(x, ("batch", 4, None))
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, x)


def test_runtime_loads_without_torch_onnx_and_onnxruntime() -> None:
    code = "import sys, edgekit.runtime, edgekit.evaluate; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "onnx", "onnxruntime", "sklearn"} & set(loaded)


def test_an_axis_of_size_zero_is_refused_even_where_the_model_states_it() -> None:
    with pytest.raises(ShapeError, match="empty batch"):
        validate_input(np.zeros((0, 4)), (0, 4))
