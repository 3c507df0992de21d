"""Weights that are no numbers, and operators that are no such operators, are the file's fault: exit 2, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgekit.errors import GateError, InputError, ModelFileError
from edgekit.quantize import QuantizeConfig, prove_quantization, quantize_onnx, quantize_rows

MakeRecurrent = Callable[..., Path]
Change = Callable[[onnx.ModelProto], None]


def spoil(name: str, value: float, count: int = 1) -> Change:
    """Put `value` into `count` places of a tensor."""

    def change(model: onnx.ModelProto) -> None:
        tensor = next(item for item in model.graph.initializer if item.name == name)
        values = numpy_helper.to_array(tensor).copy()
        values.flat[5 : 5 + count] = value
        tensor.CopyFrom(numpy_helper.from_array(values, name))

    return change


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "elements"), [("W", "3,840"), ("R", "2,304"), ("dense", "1,200"), ("bias", "50")])
@pytest.mark.parametrize("scheme", ["int8-weights", "int8-dynamic"])
def test_a_weight_that_is_not_finite_is_refused_by_name_and_count(
    tmp_path: Path,
    make_recurrent: MakeRecurrent,
    name: str,
    elements: str,
    value: float,
    scheme: str,
) -> None:
    for count in (1, 3):
        source = make_recurrent(change=spoil(name, value, count))
        with pytest.raises(
            ModelFileError, match=f"{count} of the {elements} numbers of '{name}' are NaN or inf"
        ) as caught:
            quantize_onnx(source, tmp_path / "int8.onnx", QuantizeConfig(scheme=scheme))  # type: ignore[arg-type]
        assert caught.value.exit_code == 2
        assert not (tmp_path / "int8.onnx").exists()


def test_nan_is_found_wherever_it_is(tmp_path: Path, make_recurrent: MakeRecurrent) -> None:
    def change(model: onnx.ModelProto) -> None:
        spoiled = numpy_helper.from_array(np.array([1.0, np.nan], np.float16))
        model.graph.node.append(helper.make_node("Constant", [], ["extra"], value=spoiled))

    with pytest.raises(ModelFileError, match="1 of the 2 numbers of 'extra' are NaN or infinite"):
        quantize_onnx(make_recurrent(change=change), tmp_path / "int8.onnx")


@pytest.mark.parametrize("where", ["weight", "attribute"])
def test_a_tensor_in_segments_is_named(tmp_path: Path, make_recurrent: MakeRecurrent, where: str) -> None:
    """ONNX Runtime ignores segments; onnx can't read them, whatever the tensor is for."""

    def change(model: onnx.ModelProto) -> None:
        if where == "attribute":
            part = numpy_helper.from_array(np.array([1, 2], np.int64))
            model.graph.node.append(helper.make_node("Constant", [], ["extra"], value=part))
            model.graph.node[-1].attribute[0].t.segment.begin = 1
        else:
            model.graph.initializer[0].segment.begin = 1

    source = make_recurrent(change=change)
    with pytest.raises(ModelFileError, match=r"tensor '.+' can't be read .*segments.*; export the model again"):
        quantize_onnx(source, tmp_path / "int8.onnx")
    assert not (tmp_path / "int8.onnx").exists()


def test_infinity_that_nothing_multiplies_by_is_a_mask(tmp_path: Path, make_recurrent: MakeRecurrent) -> None:
    """As in attention: added to what a softmax reads."""

    def change(model: onnx.ModelProto) -> None:
        mask = np.zeros(50, np.float32)
        mask[7] = -np.inf
        model.graph.initializer.append(numpy_helper.from_array(mask, "mask"))
        model.graph.node[-1].output[0] = "logits"
        model.graph.node.append(helper.make_node("Add", ["logits", "mask"], ["masked"]))
        model.graph.node.append(helper.make_node("Softmax", ["masked"], ["y"]))

    result = quantize_onnx(make_recurrent(change=change), tmp_path / "int8.onnx")
    assert result.outputs.max_abs_difference is not None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_have_no_scale(value: float) -> None:
    values = np.ones((3, 4), np.float32)
    values[1, 2] = value
    with pytest.raises(InputError, match="1 of 12 are NaN or infinite"):
        quantize_rows(values, 0)


@pytest.mark.parametrize("part", ["W_scale", "dense_scale"])
def test_the_proof_fails_on_nan(tmp_path: Path, make_recurrent: MakeRecurrent, part: str) -> None:
    """A comparison with NaN is false, so the limit is what has to hold."""
    source = make_recurrent()
    quantize_onnx(source, tmp_path / "int8.onnx")
    model = onnx.load(tmp_path / "int8.onnx")
    spoil(part, np.nan)(model)
    with pytest.raises(GateError, match="off by nan scales; allowed int8 and "):
        prove_quantization(source.read_bytes(), model.SerializeToString(), QuantizeConfig(), "int8.onnx")


# Operators.


def _relabel(model: onnx.ModelProto) -> None:
    """A product that calls itself LSTM."""
    node = model.graph.node[-1]
    node.op_type = "LSTM"
    del node.input[2:]


def _flat_weight(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "LSTM")
    node.input[1] = "dense"


def _no_weight(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.op_type == "LSTM").input[2] = ""


def _other_hidden(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "LSTM")
    next(item for item in node.attribute if item.name == "hidden_size").i = 2**40


def _long_product(model: onnx.ModelProto) -> None:
    node = model.graph.node[-1]
    node.op_type = "MatMul"
    node.input[:] = ["flat", "dense", "dense"]


def _swapped(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "LSTM")
    node.input[1], node.input[2] = "R", "W"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_relabel, r"LSTM 'y_node' has 2 inputs, expected 3 to 8"),
        (_no_weight, r"LSTM 'layer' has 3 inputs, expected 3 to 8"),
        (_flat_weight, r"LSTM 'layer' has W of shape 24x50, expected 1x96x"),
        (_other_hidden, r"LSTM 'layer' has W of shape 1x96x40, expected 1x4398046511104x"),
        (_long_product, r"MatMul 'y_node' has 3 inputs, expected 2 to 2"),
        (_swapped, r"LSTM 'layer' has R of shape 1x96x40, expected 4 \* hidden rows"),
    ],
)
@pytest.mark.parametrize("scheme", ["int8-weights", "int8-dynamic"])
def test_an_operator_that_can_be_no_such_operator_is_named(
    tmp_path: Path, make_recurrent: MakeRecurrent, change: Change, message: str, scheme: str
) -> None:
    with pytest.raises(ModelFileError, match=message):
        quantize_onnx(make_recurrent(change=change), tmp_path / "int8.onnx", QuantizeConfig(scheme=scheme))  # type: ignore[arg-type]
    assert not (tmp_path / "int8.onnx").exists()


def test_integers_with_a_zero_point_are_quantised_already(tmp_path: Path) -> None:
    """uint8 numbers, less 128, times a scale: as tools write weights without DequantizeLinear."""
    numbers = np.random.default_rng(0).integers(0, 256, (40, 60)).astype(np.uint8)
    tensors = {"q": numbers, "zero": np.float32(128), "scale": np.full(60, 0.01, np.float32)}
    nodes = [
        helper.make_node("Cast", ["q"], ["f"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Sub", ["f", "zero"], ["s"]),
        helper.make_node("Mul", ["s", "scale"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", n]) for name, n in (("x", 40), ("y", 60))]
    held = [numpy_helper.from_array(np.asarray(each), name) for name, each in tensors.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"quantised already .integers times their scales make 'w'"):
        quantize_onnx(tmp_path / "m.onnx", tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()
