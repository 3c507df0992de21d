"""Every kind of file that edgekit writes is read, and computed in numpy as ONNX Runtime computes it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgekit.errors import InputError, ModelFileError
from edgekit.native import read_network, reference
from edgekit.native.takes import golden_takes
from edgekit.quantize import quantize_onnx
from edgekit.runtime import inspect_model, open_predictor

MakeFile = Callable[..., Path]
HIDDEN = {1: (8,), 2: (8, 5), 3: (7, 5, 4)}
GRID = list(itertools.product(("lstm", "gru"), (1, 2, 3), (False, True), ("mean", "final"), ("fp32", "int8-weights")))
#: Enough to meet every pair of two settings.
FEW = {
    ("lstm", 1, False, "mean", "fp32"), ("lstm", 2, True, "final", "int8-weights"), ("gru", 3, False, "final", "fp32"),
    ("gru", 1, True, "mean", "int8-weights"), ("gru", 2, True, "mean", "fp32"),
    ("lstm", 3, False, "mean", "int8-weights"),
}  # fmt: skip
DYNAMIC = [("lstm", layers, both, "mean", "int8-dynamic") for layers, both in itertools.product((1, 3), (False, True))]


def _both(path: Path, takes: int = 4) -> tuple[np.ndarray, np.ndarray, str]:  # type: ignore[type-arg]
    """ONNX Runtime's logits, the network's, and the arithmetic of the latter."""
    network = read_network(path)
    x = golden_takes(network.frames, takes)
    predictor = open_predictor(path)
    wanted = np.concatenate([predictor(take[None]) for take in x])
    return wanted, reference.predict(network, x), network.arithmetic


@pytest.mark.parametrize(
    ("cell", "layers", "both", "readout", "scheme"),
    [
        each if each in FEW or each == DYNAMIC[1] else pytest.param(*each, marks=pytest.mark.slow)
        for each in GRID + DYNAMIC
    ],
)
def test_a_network_computes_what_its_file_does(
    make_file: MakeFile, cell: str, layers: int, both: bool, readout: str, scheme: str
) -> None:
    path = make_file(cell, HIDDEN[layers], both, readout, scheme=scheme)
    wanted, got, arithmetic = _both(path)
    assert arithmetic == ("fp32" if scheme == "fp32" else "int8")
    # h and frames in 255 steps move logits of this size (0.3) by some thousandths; a wrong gate moves them by tenths
    np.testing.assert_allclose(got, wanted, atol=1e-6 if scheme == "fp32" else 0.01)


@pytest.mark.parametrize("standardisation", ["explicit", "fold"])
@pytest.mark.parametrize(
    ("kind", "features"),
    [
        ("hand+displacement", 63),
        ("hand", 63),
        ("hand+displacement", 126),
        ("hand", 126),
        ("standard", 63),
        ("standard", 10),
    ],
)
def test_every_preprocessing_is_computed(make_file: MakeFile, kind: str, features: int, standardisation: str) -> None:
    path = make_file(kind=kind, features=features, standardisation=standardisation)
    network = read_network(path)
    assert (network.frames.hands, network.frames.path) == (features // 63 if "hand" in kind else 0, "+" in kind)
    wanted, got, _ = _both(path)
    np.testing.assert_allclose(got, wanted, atol=2e-6)


def test_int8_weights_can_be_computed_in_fp32(make_file: MakeFile) -> None:
    path = make_file(scheme="int8-weights")
    network = read_network(path).in_float()
    x = golden_takes(network.frames, 2)
    assert network.arithmetic == "fp32"
    np.testing.assert_allclose(reference.predict(network, x), open_predictor(path)(x), atol=1e-6)


def _older(path: Path) -> Path:
    """The same file as edgekit wrote it before: DequantizeLinear, and a Reshape where directions have scales each."""
    model = onnx.load(path)
    graph, tensors = model.graph, {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Mul" and node.input[0] in casts:
            codes, scale = (tensors[casts.get(name, name)] for name in node.input)
            flat, name = scale.astype(np.float32).ravel(), node.output[0]
            added = {"q": codes.reshape(len(flat), -1), "s": flat, "shape": np.array(codes.shape, np.int64)}
            graph.initializer.extend(numpy_helper.from_array(value, f"{name}_{key}") for key, value in added.items())
            nodes += [
                helper.make_node("DequantizeLinear", [f"{name}_q", f"{name}_s"], [f"{name}_rows"], axis=0),
                helper.make_node("Reshape", [f"{name}_rows", f"{name}_shape"], [name]),
            ]
        elif node.op_type != "Cast":
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    path.with_name("older.onnx").write_bytes(model.SerializeToString())
    return path.with_name("older.onnx")


@pytest.mark.parametrize("both", [False, True])
def test_files_that_edgekit_wrote_before_are_the_same_network(make_file: MakeFile, both: bool) -> None:
    path = make_file(both=both, kind="standard", features=10, scheme="int8-weights")
    older = _older(path)
    assert {"DequantizeLinear", "Reshape"} <= inspect_model(older).op_types.keys()
    one, other = (read_network(each) for each in (path, older))
    assert other.arithmetic == "int8"
    x = golden_takes(one.frames, 2)
    np.testing.assert_array_equal(open_predictor(path)(x), open_predictor(older)(x))
    np.testing.assert_array_equal(reference.predict(one, x), reference.predict(other, x))
    with pytest.raises(InputError, match="quantised already"):
        quantize_onnx(older, path.with_name("again.onnx"))


def test_a_take_does_not_depend_on_the_rest_of_its_batch(make_file: MakeFile) -> None:
    network = read_network(make_file(scheme="int8-weights"))
    x = golden_takes(network.frames, 5)
    alone = np.concatenate([reference.predict(network, take[None]) for take in x])
    assert (alone == reference.predict(network, x)).all()


def test_operators_that_are_not_known_are_named_each(make_file: MakeFile) -> None:
    path = make_file()
    model = onnx.load(path)
    last = model.graph.node[-1]
    last.output[0] = "before"
    model.graph.node.append(helper.make_node("Softmax", ["before"], ["soft"], name="soft_node"))
    model.graph.node.append(helper.make_node("Erf", ["soft"], ["logits"], name="erf_node"))
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match=r"2 of its nodes are not known: Softmax 'soft_node', Erf 'erf_node'; exp"):
        read_network(path)


def test_int4_is_named_where_a_file_has_it(make_file: MakeFile) -> None:
    with pytest.raises(
        ModelFileError, match="its weights are int4, which compile does not read; quantize with --scheme"
    ):
        read_network(make_file(scheme="int4-weights"))


def test_a_file_from_elsewhere_is_refused(lstm_file: Callable[..., Path]) -> None:
    with pytest.raises(ModelFileError, match="edgekit did not write it; expected one of edgekit's own files"):
        read_network(lstm_file())


def test_operators_of_a_file_from_elsewhere_are_named_too(save_onnx: Callable[..., Path]) -> None:
    nodes = [helper.make_node("Erf", ["x"], ["e"]), helper.make_node("Softmax", ["e"], ["y"])]
    path = save_onnx(nodes, {"x": [1, 30, 63]}, {}, "y")
    with pytest.raises(ModelFileError, match="edgekit did not write it, and operators of it are not known: Erf, Soft"):
        read_network(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda nodes: nodes["LSTM"].attribute.append(helper.make_attribute("clip", 1.0)), "LSTM 'outputs0' has clip"),
        (lambda nodes: nodes["LSTM"].input.extend(["", "state0_in"]), "has initial states, lengths or no bias"),
        (
            lambda nodes: nodes["Gemm"].attribute.append(helper.make_attribute("alpha", 2.0)),
            "expected transB 1 and a bias",
        ),
        (lambda nodes: nodes["ReduceMean"].input.__setitem__(0, "standardised"), "expected LSTM or GRU"),
    ],
)
def test_known_operators_in_another_build_are_refused(
    make_file: MakeFile, change: Callable[..., None], message: str
) -> None:
    path = make_file()
    model = onnx.load(path)
    change({node.op_type: node for node in model.graph.node})
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match=message):
        read_network(path)
