"""Old files, and names and outputs that others write: converted, or refused with what works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from in_this_process import convert_here
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import ModelFileError
from edgekit.quantize import QuantizeConfig, QuantizeResult, quantize_onnx
from edgekit.quantize.versions import Raised, convert_apart, raise_version
from edgekit.runtime import inspect_model

MakeRecurrent = Callable[..., Path]
SCHEMES = ("int8-weights", "int8-dynamic")
#: The oldest and the newest in both schemes, the others in turn; the rest, a converter's process each, are slow.
OLD = [
    pytest.param(opset, ir, scheme, marks=[pytest.mark.slow] * (0 < k < 6 and (k + j) % 2))
    for k, (opset, ir) in enumerate([(7, 3), (8, 3), (9, 3), (9, 4), (10, 5), (11, 6), (12, 7)])
    for j, scheme in enumerate(SCHEMES)
]


@pytest.fixture(autouse=True)
def converted_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quicker than the converter's process, which takes a second to start."""
    if "apart" not in request.fixturenames:
        monkeypatch.setattr("edgekit.quantize.versions.convert_apart", convert_here)


def quantized(source: Path, scheme: str = "int8-weights") -> QuantizeResult:
    """Beside the source."""
    return quantize_onnx(source, source.with_name("int8.onnx"), QuantizeConfig(scheme=scheme))  # type: ignore[arg-type]


# Versions.


@pytest.mark.parametrize(("opset", "ir", "scheme"), OLD)
def test_an_old_file_is_raised_and_that_is_said(
    make_recurrent: MakeRecurrent, opset: int, ir: int, scheme: str
) -> None:
    """Before: IR 3 failed on edgekit's own initializers, and opset 12 and less was refused."""
    source = make_recurrent(opset=opset, ir=ir)
    result = quantized(source, scheme)
    info = inspect_model(result.target)
    assert result.raised == Raised((opset, 13), (ir, 7))
    assert (info.opsets[""], info.ir_version) == (13, 7)
    assert result.to_dict()["raised"] == {"opset": (opset, 13), "ir_version": (ir, 7)}
    assert [item.name for item in info.inputs] == ["x"]
    assert result.source_size_bytes == result.proof.source_size_bytes == source.stat().st_size
    # in a session with ONNX Runtime's own options, sums of int8-dynamic overflow on CPUs without VNNI
    assert 0 < result.outputs.edgekit_max_abs_difference < 0.1 * result.outputs.largest_output


def test_the_converters_own_process_gives_what_it_gives_here(apart: None, make_recurrent: MakeRecurrent) -> None:
    source = make_recurrent(opset=11, ir=6)
    apart_from_here, here = source.with_name("apart.onnx"), source.with_name("here.onnx")
    assert (convert_apart(source, apart_from_here, 13), convert_here(source, here, 13)) == ("", "")
    assert apart_from_here.read_bytes() == here.read_bytes()
    assert convert_apart(source, here, 1) == convert_here(source, here, 1) != ""


def test_an_old_ir_version_alone_is_raised(make_recurrent: MakeRecurrent) -> None:
    result = quantized(make_recurrent(opset=13, ir=3))
    assert result.raised == Raised((13, 13), (3, 7))


@pytest.mark.parametrize(("opset", "ir"), [(13, 4), (13, 7), (17, 9), (21, 10)])
def test_a_new_file_stays_as_it_is(make_recurrent: MakeRecurrent, opset: int, ir: int) -> None:
    result = quantized(make_recurrent(opset=opset, ir=ir))
    info = inspect_model(result.target)
    assert (result.raised, info.opsets[""], info.ir_version) == (None, opset, ir)


@pytest.mark.parametrize("opset", [1, 5, 6])
def test_what_the_converter_can_not_raise_is_refused_with_what_works(make_recurrent: MakeRecurrent, opset: int) -> None:
    """The advice until now, convert_version, failed on such files."""
    with pytest.raises(ModelFileError) as caught:
        quantized(make_recurrent(opset=opset, ir=3))
    message = str(caught.value)
    assert f"opset {opset}; edgekit quantises files of opset 13 or newer, and onnx's converter can't" in message
    assert "No Adapter From Version $6 for LSTM" in message
    assert "export it again with opset 13 or newer" in message
    assert "convert_version" not in message


def test_what_the_converter_loses_is_no_success(make_recurrent: MakeRecurrent, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(source: Path, target: Path, opset: int) -> str:
        model = onnx.load(source)
        del model.graph.initializer[0]
        onnx.save(model, target)
        return ""

    monkeypatch.setattr("edgekit.quantize.versions.convert_apart", forgetful)
    with pytest.raises(ModelFileError, match="it loses tensor 'W'"):
        raise_version(onnx.load(make_recurrent(opset=11)), "old.onnx")


@pytest.mark.parametrize("limit", ["EDGEKIT_MAX_MODEL_MB", "EDGEKIT_MAX_MODEL_S"])
def test_the_converter_has_limits_that_can_be_raised(
    apart: None, make_recurrent: MakeRecurrent, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    sleepy = "import sys; import time; time.sleep(5)"
    hungry = "import sys; sys.exit('MemoryError')"
    monkeypatch.setattr("edgekit.quantize.versions._PROGRAM", sleepy if limit.endswith("S") else hungry)
    monkeypatch.setenv(limit, "1")
    with pytest.raises(ModelFileError, match=rf"onnx's converter can't raise it \(.*{limit}"):
        raise_version(onnx.load(make_recurrent(opset=11)), "old.onnx")


def test_a_file_that_brings_the_converter_down_is_refused(apart: None, make_recurrent: MakeRecurrent) -> None:
    """It is C++, and reads an input that is not there: SIGSEGV."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].input[0] = "nosuch"
        squeeze = next(node for node in model.graph.node if node.op_type == "Squeeze")
        del squeeze.input[:]

    with pytest.raises(ModelFileError, match="onnx's converter can't raise it"):
        quantized(make_recurrent(opset=11, change=change))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("opset", [7, 11, 13, 17, 21])
def test_results_are_valid_onnx(make_recurrent: MakeRecurrent, opset: int, scheme: str) -> None:
    result = quantized(make_recurrent(opset=opset), scheme)
    onnx.checker.check_model(onnx.load(result.target), full_check=scheme == "int8-weights")


def test_metadata_and_names_survive(make_recurrent: MakeRecurrent) -> None:
    def change(model: onnx.ModelProto) -> None:
        helper.set_model_props(model, {"author": "someone"})

    result = quantized(make_recurrent(opset=9, ir=3, change=change))
    model = onnx.load(result.target)
    assert {item.key: item.value for item in model.metadata_props} == {"author": "someone"}
    assert {"layer", "y_node"} <= {node.name for node in model.graph.node}


# Names that are taken.


#: Every name in one place and one name in every place; all others with the slow tests.
TAKEN = ("W_int8", "W_scale", "R_zero_point", "dense_int8", "dense_scale", "W_rows", "W_shape", "dense_dequantize")
PLACES = ("initializer", "node", "input", "branch")
NAMES_IN_PLACES = [
    pytest.param(taken, place, marks=[pytest.mark.slow] * (taken != TAKEN[0] and place != PLACES[k % 4]))
    for k, taken in enumerate(TAKEN)
    for place in PLACES
]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("taken", "place"), NAMES_IN_PLACES)
def test_a_name_that_is_taken_is_not_used_again(
    make_recurrent: MakeRecurrent, taken: str, place: str, scheme: str
) -> None:
    """As a tensor, a node's output, an input or a name inside a branch; what had the name keeps it."""

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        if place == "initializer":
            graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), taken))
            graph.node.append(helper.make_node("Identity", [taken], ["used"]))
        elif place == "node":
            graph.node.insert(0, helper.make_node("Identity", ["x"], [taken], name=taken))
        elif place == "input":
            graph.input.append(helper.make_tensor_value_info(taken, TensorProto.FLOAT, [1]))
            graph.node.append(helper.make_node("Identity", [taken], ["used"]))
        else:
            inner = helper.make_tensor_value_info(taken, TensorProto.FLOAT, None)
            branch = helper.make_graph([helper.make_node("Identity", ["x"], [taken])], "branch", [], [inner])
            graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
            graph.node.append(helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=branch))

    result = quantized(make_recurrent(change=change), scheme)
    assert [tensor.name for tensor in result.proof.tensors] == ["W", "R", "dense"]
    assert result.outputs.edgekit_max_abs_difference < 0.1 * result.outputs.largest_output


# Outputs without shape, inputs that are weights, and files that can't be opened.


def test_outputs_without_a_shape_are_no_obstacle(make_recurrent: MakeRecurrent) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.output[0].type.tensor_type.ClearField("shape")

    for opset, ir in ((17, 9), (11, 6), (9, 3)):
        result = quantized(make_recurrent(opset=opset, ir=ir, change=change))
        assert [tensor.name for tensor in result.proof.tensors] == ["W", "R", "dense"]
        assert opset < 13 or inspect_model(result.target).outputs[0].shape is None  # onnx's converter infers it


def test_weights_that_are_inputs_with_a_default_become_int8(make_recurrent: MakeRecurrent) -> None:
    """As torch writes them with keep_initializers_as_inputs."""

    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))

    result = quantized(make_recurrent(change=change))
    assert [tensor.name for tensor in result.proof.tensors] == ["W", "R", "dense"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("place", ["initializer", "unsqueeze"])
def test_a_file_that_onnx_runtime_can_not_open_is_refused(
    apart: None, make_recurrent: MakeRecurrent, place: str, scheme: str
) -> None:
    """Batch first, which ONNX knows and ONNX Runtime does not; it was "quantised" until now."""

    def change(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == "LSTM")
        node.attribute.append(helper.make_attribute("layout", 1))

    source = make_recurrent(place, change=change)
    with pytest.raises(ModelFileError, match=r"model\.onnx: ONNX Runtime [0-9.]+ can't load it: .*layout"):
        quantized(source, scheme)
    assert not source.with_name("int8.onnx").exists()
