"""Numbers inside model files are checked before anything is done with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import ModelFileError
from edgekit.measure import WorkerRequest, run_worker
from edgekit.runtime import ModelMetadata, inspect_model, open_predictor
from edgekit.runtime.inspection import MAX_DECLARED
from edgekit.runtime.metadata import MAX_FRAMES, MAX_TAKE
from edgekit.runtime.tensors import DTYPES, Spoiled, check_tensor, spoiled_tensor
from edgekit.runtime.wire import WireError

METADATA = ModelMetadata(class_names=("A", "B"), sequence_length=4, features=2, preprocessing="standard")

Change = Callable[[onnx.ModelProto], None]


def _model(time: int | str = 4) -> onnx.ModelProto:
    """landmarks (batch, time, 2) to logits (batch, 2)."""
    nodes = [
        helper.make_node("ReduceMean", ["landmarks"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["batch", time, 2])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.eye(2, dtype=np.float32), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, METADATA.to_props())
    return model


def _refused(folder: Path, model: onnx.ModelProto, message: str) -> None:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=message) as caught:
        inspect_model(path)
    assert str(caught.value).startswith(f"{path}: ")


# NaN and infinity.


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("raw", [False, True])
def test_nan_among_the_numbers_is_refused_by_all_that_run_a_file(tmp_path: Path, dtype: type, raw: bool) -> None:
    """Gates of a recurrent layer turn it into finite answers, so that no answer tells."""
    values = np.array([[1, np.nan], [np.inf, 1]], dtype)
    model = _model()
    tensor = numpy_helper.from_array(values, "weight")
    if not raw:
        tensor = helper.make_tensor("weight", tensor.data_type, values.shape, values.ravel())
    model.graph.initializer[0].CopyFrom(tensor)
    _refused(tmp_path, model, "2 of the 4 numbers of 'weight' are NaN or infinite; it is damaged")
    for run in (open_predictor, lambda path: run_worker(WorkerRequest(path, "latency"))):
        with pytest.raises(ModelFileError, match="2 of the 4 numbers of 'weight' are NaN"):
            run(tmp_path / "model.onnx")


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_halves_that_stand_as_whole_numbers_are_looked_through(kind: int) -> None:
    """As varints of one to three bytes, together or one by one."""
    bits = {TensorProto.FLOAT16: (0x7C00, 0x7E01, 0xFC00), TensorProto.BFLOAT16: (0x7F80, 0x7FC1, 0xFF80)}[kind]
    fine = [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 0xBC00]
    tensor = TensorProto(name="t", data_type=kind, dims=[len(fine) + 3], int32_data=[*fine, *bits])
    found = spoiled_tensor(memoryview(tensor.SerializeToString()))
    assert found == Spoiled("t", len(fine) + 3, nan=1, infinite=2)
    alone = b"".join(TensorProto(int32_data=[each]).SerializeToString() for each in (*fine, *bits))
    tensor.ClearField("int32_data")
    assert spoiled_tensor(memoryview(tensor.SerializeToString() + alone)) == found
    assert spoiled_tensor(memoryview(TensorProto(data_type=kind, int32_data=fine).SerializeToString())) is None


def _if(node: onnx.NodeProto, output: str) -> onnx.NodeProto:
    """With the node, which makes z, in one of its branches."""
    result = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    branch, other = helper.make_graph([node], "t", [], [result]), helper.make_graph([], "e", [], [])
    return helper.make_node("If", ["c"], [output], then_branch=branch, else_branch=other)


FOREIGN_NODES: dict[str, tuple[list[onnx.NodeProto], str]] = {
    **{name: ([helper.make_node(name, ["x", "w", "w"], ["y"])], "w") for name in ("LSTM", "GRU", "RNN")},
    **{name: ([helper.make_node(name, ["x", "w"], ["y"])], "w") for name in ("Gemm", "MatMul", "Conv")},
    "scale": ([helper.make_node("DequantizeLinear", ["x", "w", "zero"], ["y"])], "w"),
    "product": (
        [
            helper.make_node("Cast", ["q"], ["a"], to=TensorProto.FLOAT), helper.make_node("Mul", ["a", "w"], ["b"]),
            helper.make_node("LSTM", ["x", "b", "r"], ["y"]),
        ],
        "w",
    ),
    "int8-dynamic": ([helper.make_node("DynamicQuantizeLSTM", ["x", "", "w"], ["y"], domain="com.microsoft")], "w"),
    "moved": (
        [
            helper.make_node("Unsqueeze", ["w", "axes"], ["a"]), helper.make_node("Concat", ["b", "a"], ["c"], axis=0),
            helper.make_node("LSTM", ["x", "c", "r"], ["y"]),
        ],
        "w",
    ),
    "branch": ([_if(helper.make_node("MatMul", ["x", "w"], ["z"]), "y")], "w"),
    "chosen": (
        [_if(helper.make_node("Identity", ["w"], ["z"]), "v"), helper.make_node("MatMul", ["x", "v"], ["y"])], "w",
    ),
    "function": ([helper.make_node("Layer", ["x", "w"], ["y"], domain="own")], "w"),
    "constant": (
        [
            helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.array([1, np.inf], np.float32))),
            helper.make_node("MatMul", ["x", "k"], ["y"]),
        ],
        "k",
    ),
}  # fmt: skip


def _foreign(nodes: list[onnx.NodeProto], weight: NDArray[np.float32]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    layer = helper.make_function(
        "own",
        "Layer",
        ["a", "b"],
        ["c"],
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        [helper.make_opsetid("", 17)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=[layer])


@pytest.mark.parametrize("where", FOREIGN_NODES)
@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("several", [True, False])
def test_infinity_that_an_operator_multiplies_by_is_refused(
    tmp_path: Path, where: str, value: float, several: bool
) -> None:
    """Wherever the operator and the number are; one of several, or a single one."""
    nodes, name = FOREIGN_NODES[where]
    weight = np.array([1, value] if several else [value], np.float32)
    words = f"1 of the 2 numbers of '{name}' are" if several or where == "constant" else f"the number '{name}' is"
    _refused(tmp_path, _foreign(nodes, weight), f"{words} infinite; it is damaged")


@pytest.mark.parametrize(
    ("nodes", "values"),
    [
        ([helper.make_node("Add", ["x", "w"], ["y"])], [0, -np.inf]),
        ([helper.make_node("Where", ["c", "x", "w"], ["y"])], [-np.inf]),
        ([helper.make_node("Where", ["c", "x", "w"], ["y"])], [np.nan]),
        ([helper.make_node("Add", ["x", "w"], ["a"]), helper.make_node("MatMul", ["a", "b"], ["y"])], [0, -np.inf]),
    ],
)
def test_in_the_files_of_others_one_number_may_be_nan_and_masks_are_infinite(
    tmp_path: Path, nodes: list[onnx.NodeProto], values: list[float]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_foreign(nodes, np.array(values, np.float32)).SerializeToString())
    assert inspect_model(path).spoiled == ()


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_in_edgekits_own_files_every_number_is_finite(tmp_path: Path, value: float, word: str) -> None:
    """Single ones and those that nothing multiplies by: the mean that is taken off, the least spread, an attribute."""
    for numbers, words in (
        (np.float32(value), "the number 'mean' is"),
        (np.array([value, 1], np.float32), "1 of the 2"),
    ):
        model = _model()
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(numbers), "mean"))
        _refused(tmp_path, model, f"{words}.* {word}; it is damaged")
    model = _model()
    model.graph.node[1].attribute.append(helper.make_attribute("alpha", value))
    _refused(tmp_path, model, f"the number '.*/alpha' is {word}; it is damaged")


# Tensors.


@pytest.mark.parametrize("kind", [kind for kind in DTYPES if kind != TensorProto.STRING])
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("dims", [(), (0,), (3,), (2, 5)])
def test_every_type_and_way_to_keep_numbers_is_accepted_and_one_number_less_is_not(
    kind: int, raw: bool, dims: tuple[int, ...]
) -> None:
    """Of any dimensions; numbers of less than a byte only where that changes the bytes."""
    values = np.zeros(dims, helper.tensor_dtype_to_np_dtype(kind))
    tensor = numpy_helper.from_array(values, "t") if raw else _typed(kind, dims)
    check_tensor(memoryview(tensor.SerializeToString()))
    if dims and dims[0]:
        tensor.dims[0] += 8
        with pytest.raises(WireError, match=r"tensor 't' \(\d+(x5)? .+\) takes \d+ (bytes|numbers), and holds \d+"):
            check_tensor(memoryview(tensor.SerializeToString()))


def _typed(kind: int, dims: tuple[int, ...]) -> TensorProto:
    """Zeros as the type's own field keeps them, by onnx's own writer."""
    count = int(np.prod(dims))
    if kind in (TensorProto.COMPLEX64, TensorProto.COMPLEX128):
        return helper.make_tensor("t", kind, dims, [0j] * count)
    return helper.make_tensor("t", kind, dims, [0] * count)


def test_text_counts_by_strings() -> None:
    tensor = helper.make_tensor("t", TensorProto.STRING, [2], ["a", "b"])
    check_tensor(memoryview(tensor.SerializeToString()))
    tensor.dims[0] = 3
    with pytest.raises(WireError, match="takes 3 numbers, and holds 2"):
        check_tensor(memoryview(tensor.SerializeToString()))


def test_large_and_negative_numbers_count_once_each() -> None:
    tensor = helper.make_tensor("t", TensorProto.INT64, [3], [-1, 2**62, 300])
    check_tensor(memoryview(tensor.SerializeToString()))


def _huge(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [10**9, 10**9]


def _negative(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [-2, -2]


def _many(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [1] * 100 + [4]


def _empty(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].ClearField("raw_data")


def _in_a_constant(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("kept", 1, [2], [0.0, 0.0]))
    node.attribute[0].t.dims[0] = 2**40
    model.graph.node.append(node)


def _in_a_branch(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "kept")
    tensor.dims[0] = 5
    inner = helper.make_graph([], "inner", [], [], [tensor])
    model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=inner, else_branch=inner))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_huge, r"tensor 'weight' \(1000000000x1000000000 float32\) takes 4000000000000000000 bytes, and holds 16"),
        (_negative, "tensor 'weight' has 2 dimensions, or a negative one"),
        (_many, "tensor 'weight' has 101 dimensions"),
        (_empty, r"tensor 'weight' \(2x2 float32\) takes 4 numbers, and holds 0"),
        (_in_a_constant, "tensor 'kept' .* takes 1099511627776 numbers, and holds 2"),
        (_in_a_branch, "tensor 'kept' .* takes 20 bytes, and holds 12"),
    ],
)
def test_dimensions_that_contradict_the_numbers_are_refused_wherever_they_are(
    tmp_path: Path, change: Change, message: str
) -> None:
    model = _model()
    change(model)
    _refused(tmp_path, model, message)


# What is declared.


@pytest.mark.parametrize("size", [2**34, 2**62])
@pytest.mark.parametrize("field", ["input", "output"])
def test_a_declared_size_beyond_any_memory_is_refused(tmp_path: Path, field: str, size: int) -> None:
    model = _model("time")
    value = getattr(model.graph, field)[0]
    value.type.tensor_type.shape.dim[1].dim_value = size
    _refused(tmp_path, model, f"{field} '{value.name}' is declared with [0-9,]+ numbers, allowed {MAX_DECLARED:,}")


def test_metadata_of_another_input_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path, _model(5), r"metadata says 4 frames of 2 numbers, its input is \('batch', 5, 2\)")


# Metadata.


def _with(key: str, value: str) -> onnx.ModelProto:
    model = _model("time")
    helper.set_model_props(model, {**METADATA.to_props(), f"edgekit.{key}": value})
    return model


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sequence_length", "200000000"),
        ("sequence_length", str(MAX_FRAMES + 1)),
        ("sequence_length", "-1"),
        ("sequence_length", "4.0"),
        ("features", str(10**400)),
        ("features", "9" * 5000),
        ("macs", str(2**63)),
        ("parameters", "-1"),
        ("class_names", '["\\ud800", "B"]'),
        ("class_names", "[" * 5000 + "]" * 5000),
        ("class_names", '{"a":' * 5000 + "1" + "}" * 5000),
        ("trained_on", "[" * 200_000),
        ("trained_on", '"\\udfff"'),
    ],
)
def test_metadata_out_of_range_or_endlessly_nested_is_the_files_fault(tmp_path: Path, key: str, value: str) -> None:
    _refused(tmp_path, _with(key, value), f"metadata edgekit.{key} is damaged: .*export the model again")


def test_a_take_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    model = _with("sequence_length", str(MAX_FRAMES))
    next(item for item in model.metadata_props if item.key == "edgekit.features").value = "100000"
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "features"
    _refused(tmp_path, model, f"100000 times edgekit.features 100000 is more than the {MAX_TAKE:,}")


def test_the_longest_take_of_the_settings_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_with("sequence_length", json.dumps(10_000)).SerializeToString())
    found = inspect_model(path).metadata
    assert found is not None
    assert found.sequence_length == 10_000
