"""No file is called int8 while weights of a recurrent layer are float, wherever an exporter has left them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import GateError, InputError
from edgekit.quantize import QuantizeConfig, prove_quantization, quantize_onnx
from edgekit.quantize.coverage import left_float, recurrent_left_float
from edgekit.quantize.scopes import Scopes

MakeRecurrent = Callable[..., Path]

#: What is said of the hiding places of `make_recurrent` whose weights can't be int8.
FLOAT = {"input": "not in the file but comes from input 'W'"}


def test_a_recurrent_weight_that_would_stay_float_is_named_and_nothing_is_written(
    tmp_path: Path, make_recurrent: MakeRecurrent
) -> None:
    """With every scheme: int8-dynamic does not advise int8-weights, which would refuse."""
    for (place, reason), scheme in itertools.product(FLOAT.items(), ("int8-weights", "int8-dynamic")):
        source = make_recurrent(place)
        with pytest.raises(GateError) as caught:
            quantize_onnx(source, tmp_path / "int8.onnx", QuantizeConfig(scheme=scheme))  # type: ignore[arg-type]
        lines = str(caught.value).splitlines()
        assert caught.value.exit_code == 5
        assert lines[0].startswith(f"{source}: ")
        assert "weights of recurrent layers would stay float, so nothing was written" in lines[0]
        assert {"  W of LSTM 'layer'", "  R of LSTM 'layer'"} == {
            line[:19] for line in lines if line.startswith(("  W of LSTM", "  R of LSTM"))
        }
        assert reason in str(caught.value)
        assert "int8-weights" not in str(caught.value)
        assert not (tmp_path / "int8.onnx").exists()


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
def test_every_cell_counts(tmp_path: Path, make_recurrent: MakeRecurrent, cell: str) -> None:
    with pytest.raises(GateError, match=rf"R of {cell} 'layer'"):
        quantize_onnx(make_recurrent("input", cell), tmp_path / "int8.onnx")
    result = quantize_onnx(make_recurrent("initializer", cell), tmp_path / "int8.onnx")
    assert [tensor.name for tensor in result.proof.tensors] == ["W", "R", "dense"]


def test_small_recurrent_weights_become_int8_with_the_others(tmp_path: Path, make_recurrent: MakeRecurrent) -> None:
    """R of the RNN has 576 numbers, W 960 and the dense layer 1,200."""
    result = quantize_onnx(make_recurrent("initializer", "RNN"), tmp_path / "int8.onnx")
    assert {tensor.name: tensor.bytes_before for tensor in result.proof.tensors} == {
        "W": 3840,
        "R": 2304,
        "dense": 4800,
    }


def test_one_float_weight_among_int8_ones_is_enough(tmp_path: Path, make_recurrent: MakeRecurrent) -> None:
    """R alone comes with the input."""

    def change(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == "LSTM")
        node.input[2] = "R_again"
        model.graph.node.insert(0, helper.make_node("Mul", ["R", "factor"], ["R_again"]))
        model.graph.input.append(helper.make_tensor_value_info("factor", TensorProto.FLOAT, [1]))

    with pytest.raises(GateError) as caught:
        quantize_onnx(make_recurrent(change=change), tmp_path / "int8.onnx")
    assert "\n  R of LSTM 'layer' (R): " in str(caught.value)
    assert "W of LSTM" not in str(caught.value)


def test_biases_states_and_peepholes_stay_float_by_design(tmp_path: Path, make_recurrent: MakeRecurrent) -> None:
    """Also where they are large, computed or constants: they are no weights."""

    def change(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == "LSTM")
        bias, state = np.zeros(192, np.float32), np.zeros((1, 64, 24), np.float32)
        model.graph.initializer.append(numpy_helper.from_array(bias, "B_kept"))
        model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "B_axis"))
        model.graph.node.insert(0, helper.make_node("Unsqueeze", ["B_kept", "B_axis"], ["B"]))
        model.graph.node.insert(0, helper.make_node("Constant", [], ["h"], value=numpy_helper.from_array(state)))
        node.input.extend(["B", "", "h"])
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 64

    result = quantize_onnx(make_recurrent(change=change), tmp_path / "int8.onnx")
    assert result.proof.left_float == ()
    assert result.proof.covered_ratio == 1.0


# Recurrent layers written by hand.


def _by_hand(way: str) -> onnx.ModelProto:
    """h = tanh(h R) over the steps of x, in a Loop, a Scan, or unrolled; R behind a Transpose."""
    recurrent = numpy_helper.from_array(np.random.default_rng(0).normal(0, 0.1, (40, 40)).astype(np.float32), "R")
    dense = numpy_helper.from_array(np.random.default_rng(1).normal(0, 0.1, (40, 50)).astype(np.float32), "dense")
    turned = helper.make_node("Transpose", ["R"], ["turned"], perm=[1, 0])
    typed = helper.make_tensor_value_info
    tensors = [recurrent, dense]
    if way == "unrolled":
        nodes, state = [turned], "x"
        for step in range(4):
            nodes += [
                helper.make_node("MatMul", [state, "turned"], [f"p{step}"]),
                helper.make_node("Tanh", [f"p{step}"], [f"h{step}"]),
            ]
            state = f"h{step}"
    else:
        step = [helper.make_node("MatMul", ["h_in", "turned"], ["p"]), helper.make_node("Tanh", ["p"], ["h_out"])]
        h_in, h_out = (typed(name, TensorProto.FLOAT, ["batch", 40]) for name in ("h_in", "h_out"))
        if way == "loop":
            flags = [
                typed("i", TensorProto.INT64, []),
                typed("go", TensorProto.BOOL, []),
                typed("go_on", TensorProto.BOOL, []),
            ]
            copied = helper.make_node("Identity", ["go"], ["go_on"])
            body = helper.make_graph([copied, *step], "body", [*flags[:2], h_in], [flags[2], h_out])
            tensors.append(numpy_helper.from_array(np.array(4), "rounds"))
            around = helper.make_node("Loop", ["rounds", "", "x"], ["last"], name="around", body=body)
        else:
            unused = typed("unused", TensorProto.FLOAT, [])
            body = helper.make_graph(step, "body", [h_in, unused], [h_out])
            tensors.append(numpy_helper.from_array(np.zeros(4, np.float32), "ticks"))
            around = helper.make_node("Scan", ["x", "ticks"], ["last"], name="around", body=body, num_scan_inputs=1)
        nodes, state = [turned, around], "last"
    nodes.append(helper.make_node("MatMul", [state, "dense"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "g",
        [typed("x", TensorProto.FLOAT, ["batch", 40])],
        [typed("y", TensorProto.FLOAT, ["batch", 50])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


WAYS = {
    "loop": "which multiplies a loop's state as recurrent layers do",
    "scan": "which multiplies a loop's state as recurrent layers do",
    "unrolled": "4 products, each with what the one before gave, as recurrent layers do",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_recurrent_layer_written_by_hand_is_one(tmp_path: Path, way: str) -> None:
    """Its R becomes int8, and where it would not, that is named: here because an input says what shape it has."""
    source, model = tmp_path / "model.onnx", _by_hand(way)
    onnx.save(model, source)
    proof = quantize_onnx(source, tmp_path / "int8.onnx").proof
    assert [tensor.name for tensor in proof.tensors] == ["dense", "turned"]
    model.graph.node[0].CopyFrom(helper.make_node("Reshape", ["R", "shape"], ["turned"]))
    model.graph.input.append(helper.make_tensor_value_info("shape", TensorProto.INT64, [2]))
    onnx.save(model, source)
    with pytest.raises(GateError) as caught:
        quantize_onnx(source, tmp_path / "other.onnx")
    assert WAYS[way] in str(caught.value)
    assert "(R): " in str(caught.value)
    assert not (tmp_path / "other.onnx").exists()


def test_a_product_in_a_loop_with_what_does_not_go_round_is_no_recurrent_layer() -> None:
    model = _by_hand("loop")
    body = model.graph.node[1].attribute[0].g
    body.node[1].input[0] = "x"
    assert recurrent_left_float(Scopes(model), 1024) == []
    assert {left.name for left in left_float(Scopes(model), 1024)} == {"R", "dense"}


# Everything else that is large.


def _embedding(kind: str) -> onnx.ModelProto:
    """Whole numbers through an embedding, then a Gemm that is covered, and its bias, which is large."""
    rng = np.random.default_rng(0)
    table = rng.normal(0, 0.1, (60, 100)).astype(np.float16 if kind == "half" else np.float32)
    dense, bias = rng.normal(0, 0.1, (100, 1030)).astype(np.float32), np.zeros(1030, np.float32)
    kept = [numpy_helper.from_array(dense, "dense"), numpy_helper.from_array(bias, "bias")]
    nodes = [helper.make_node("Gather", ["table", "x"], ["found"])]
    if kind == "constant":
        nodes.insert(0, helper.make_node("Constant", [], ["table"], value=numpy_helper.from_array(table)))
    else:
        kept.append(numpy_helper.from_array(table, "table"))
    nodes.append(helper.make_node("Cast", ["found"], ["h"], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("Gemm", ["h", "dense", "bias"], ["y"]))
    typed = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [typed("x", TensorProto.INT64, ["batch"])], [typed("y", TensorProto.FLOAT, ["batch", 1030])], kept
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("constant", ("table", ("Constant",), "float32", 24000, "")),
        ("plain", ("table", ("Gather",), "float32", 24000, "")),
        ("half", ("table", ("Gather",), "float16", 12000, "")),
    ],
)
def test_every_other_large_tensor_that_stays_float_is_named(
    tmp_path: Path, kind: str, expected: tuple[object, ...]
) -> None:
    source = tmp_path / "model.onnx"
    onnx.save(_embedding(kind), source)
    result = quantize_onnx(source, tmp_path / "int8.onnx")
    left = {each.name: (each.name, each.of, each.dtype, each.bytes, each.reason) for each in result.proof.left_float}
    bias = ("bias", ("Gemm",), "float32", 4120, "it has one axis only, as biases have")
    assert left == {"bias": bias, "table": expected}
    assert set(result.proof.left_large) == set(left)
    assert result.proof.covered_ratio == 412_000 / (412_000 + 4120 + expected[3])  # type: ignore[operator]
    answer = json.loads(json.dumps(result.to_dict(), allow_nan=False))["proof"]
    assert {each["name"] for each in answer["left_float"]} == set(answer["left_large"]) == set(left)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("constant", "'table' float32 60x100 of Constant"), ("half", "'table' float16 60x100 of Gather")],
)
def test_nothing_to_quantise_says_what_there_is(tmp_path: Path, kind: str, words: str) -> None:
    model, source = _embedding(kind), tmp_path / "model.onnx"
    model.graph.node[-1].CopyFrom(helper.make_node("Identity", ["h"], ["y"]))
    del model.graph.initializer[:1]
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 100
    onnx.save(model, source)
    with pytest.raises(
        InputError, match="nothing to quantise: of its 2 float tensors of 1024 elements or more none is"
    ) as caught:
        quantize_onnx(source, tmp_path / "int8.onnx")
    assert words in str(caught.value)


def test_too_small_to_quantise_says_how_small_and_that_helps(tmp_path: Path, make_recurrent: MakeRecurrent) -> None:
    source = make_recurrent()
    with pytest.raises(InputError, match=r"'W' with 3840 elements.* 5000; .*--set quantize.min_elements=3840"):
        quantize_onnx(source, tmp_path / "int8.onnx", QuantizeConfig(min_elements=5000))
    result = quantize_onnx(source, tmp_path / "int8.onnx", QuantizeConfig(min_elements=3840))
    assert [tensor.name for tensor in result.proof.tensors] == ["W", "R"]
    assert result.proof.left_float == ()


# The proof does not repeat the search.


def test_the_proof_finds_what_the_search_passes_over(
    make_recurrent: MakeRecurrent, hiding_places: tuple[str, ...]
) -> None:
    """A quantiser with the search's blind spot would call such files int8; the proof traces from the layers back."""
    for place in hiding_places:
        content = make_recurrent(place).read_bytes()
        with pytest.raises(GateError, match=r"W of LSTM 'layer'[^\n]*\n  R of LSTM 'layer'"):
            prove_quantization(content, content, QuantizeConfig(), "int8.onnx")


def test_floats_are_counted_wherever_they_are(make_recurrent: MakeRecurrent, hiding_places: tuple[str, ...]) -> None:
    """W and R once each, whatever holds them; the branches hold them twice, the nested ones four times."""
    copies = {"if branch": 2, "nested if": 4, "input": 0}
    for place in hiding_places:
        held = Scopes(onnx.load(make_recurrent(place))).floats()
        sizes = sorted(each.elements for each in held if each.elements >= 1201)
        assert sizes == sorted([96 * 24, 96 * 40] * copies.get(place, 1)), place
