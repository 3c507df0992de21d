"""torch to ONNX: the file computes what the model computes, whatever the model's shape."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edgekit.data import (
    Normalisation,
    apply_normalisation,
    fit_length,
    fit_normalisation,
    load_recordings,
)
from edgekit.errors import ConfigError, GateError, ModelFileError, ShapeError
from edgekit.export import TOLERANCE, export_onnx, verify_parity
from edgekit.model import Architecture, RecurrentClassifier, build_model, load_model, save_model, variant
from edgekit.runtime import inspect_model, open_predictor
from edgekit.train import Takes, TrainingConfig, train_model

pytestmark = pytest.mark.usefixtures("models_run_here")

LETTERS = Path(__file__).resolve().parents[2] / "shared" / "data" / "asl-letters.npz"
FRAMES = 12


def _takes(count: int, features: int = 63, seed: int = 0) -> np.ndarray:
    """Landmarks-like takes; the first starts without a hand, the last has a gap, one is empty when there are many."""
    x = np.random.default_rng(seed).uniform(0.1, 0.9, (count, FRAMES, features)).astype(np.float32)
    x[0, :3] = 0.0
    x[-1, 5:8] = 0.0
    if count > 3:
        x[2] = 0.0
    return x


def _model(
    cell: str = "lstm",
    layers: int = 1,
    bidirectional: bool = False,
    readout: str = "mean",
    kind: str = "hand",
    displacement: bool = True,
    features: int = 63,
) -> RecurrentClassifier:
    """A small model of random weights; every layer narrower than the one before, as after pruning."""
    normalisation = fit_normalisation(_takes(20, features, seed=9), kind, displacement)  # type: ignore[arg-type]
    hidden_sizes = tuple(range(12, 12 - 2 * layers, -2))
    torch.manual_seed(layers)
    architecture = Architecture(cell, features, hidden_sizes, bidirectional, 16, 5, readout=readout)  # type: ignore[arg-type]
    return RecurrentClassifier(architecture, normalisation).eval()


def _export(model: RecurrentClassifier, path: Path, standardisation: str = "explicit") -> Path:
    names = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: model.output.out_features])
    export_onnx(model, path, class_names=names, sequence_length=FRAMES, standardisation=standardisation)  # type: ignore[arg-type]
    return path


GRID = list(itertools.product(("lstm", "gru"), (1, 2, 3), (False, True), ("mean", "final")))


@pytest.mark.parametrize(("cell", "layers", "bidirectional", "readout"), GRID)
def test_the_file_computes_what_the_model_computes(
    tmp_path: Path, cell: str, layers: int, bidirectional: bool, readout: str
) -> None:
    model = _model(cell, layers, bidirectional, readout)
    path = _export(model, tmp_path / "model.onnx")
    for batch in (1, 5):
        assert verify_parity(model, path, _takes(batch)).max_abs_difference <= TOLERANCE


@pytest.mark.parametrize("standardisation", ["explicit", "fold"])
@pytest.mark.parametrize(("kind", "displacement"), [("hand", True), ("hand", False), ("standard", False)])
@pytest.mark.parametrize("features", [63, 126])
def test_every_preprocessing_travels_in_the_file(
    tmp_path: Path, kind: str, displacement: bool, features: int, standardisation: str
) -> None:
    model = _model(kind=kind, displacement=displacement, features=features)
    path = _export(model, tmp_path / "model.onnx", standardisation)
    for batch in (1, 5):
        assert verify_parity(model, path, _takes(batch, features)).passed


@pytest.mark.parametrize("features", [4, 64])
def test_features_that_are_no_hands_are_standardised(tmp_path: Path, features: int) -> None:
    model = _model(kind="standard", features=features)
    assert verify_parity(model, _export(model, tmp_path / "model.onnx"), _takes(4, features)).passed


@pytest.mark.parametrize("displacement", [True, False])
@pytest.mark.parametrize("features", [63, 126])
def test_the_graph_normalises_as_the_data_code_does(tmp_path: Path, features: int, displacement: bool) -> None:
    """Same operations in the same order in float32: one unit in the last place, of numbers up to about 10."""
    model = _model(displacement=displacement, features=features)
    proto = onnx.load(_export(model, tmp_path / "model.onnx"))
    del proto.graph.output[:]
    info = onnx.helper.make_tensor_value_info("standardised", onnx.TensorProto.FLOAT, [FRAMES, "batch", features])
    proto.graph.output.append(info)
    session = _session(proto)
    x = _takes(6, features)
    (got,) = session.run(None, {"landmarks": x})
    np.testing.assert_allclose(got.transpose(1, 0, 2), apply_normalisation(x, model.normalisation), atol=2e-6)


def _session(proto: onnx.ModelProto):  # type: ignore[no-untyped-def]
    import onnxruntime

    return onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


def test_hands_that_moved_and_grew_keep_their_logits_without_displacement(tmp_path: Path) -> None:
    """Shifting or scaling a take in the camera's view leaves wrist-relative, size-divided landmarks alone."""
    model = _model(displacement=False)
    predictor = open_predictor(_export(model, tmp_path / "model.onnx"))
    x = np.random.default_rng(0).uniform(0.1, 0.9, (3, FRAMES, 63)).astype(np.float32)
    moved = (x.reshape(3, FRAMES, 21, 3) * 1.5 + [0.25, -0.5, 0.125]).astype(np.float32).reshape(x.shape)
    np.testing.assert_allclose(predictor(moved), predictor(x), atol=1e-5)


def test_the_batch_does_not_matter(tmp_path: Path) -> None:
    predictor = open_predictor(_export(_model("gru", 2, True), tmp_path / "model.onnx"))
    x = _takes(5)
    single = np.concatenate([predictor(x[k : k + 1]) for k in range(5)])
    np.testing.assert_allclose(single, predictor(x), atol=1e-6)


@pytest.mark.parametrize(("cell", "operator"), [("lstm", "LSTM"), ("gru", "GRU")])
def test_one_recurrent_node_a_layer_on_plain_weights(tmp_path: Path, cell: str, operator: str) -> None:
    """Weights that come out of other nodes are what weight quantisers silently miss."""
    proto = onnx.load(_export(_model(cell, 3, True), tmp_path / "model.onnx"))
    nodes = [node for node in proto.graph.node if node.op_type == operator]
    initializers = {tensor.name for tensor in proto.graph.initializer}
    assert len(nodes) == 3
    assert all(set(node.input[1:4]) <= initializers for node in nodes)


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    model = _model("gru", 2)
    result = export_onnx(
        model, tmp_path / "m.onnx", class_names=tuple("VWXYZ"), sequence_length=FRAMES, trained_on="made up"
    )
    info = inspect_model(tmp_path / "m.onnx")
    assert (info.ir_version, info.opsets) == (9, {"": 17})  # what older runtimes on a Pi can load
    assert (info.size_bytes, info.sha256) == (result.size_bytes, result.sha256)
    metadata = info.metadata
    assert metadata == result.metadata
    assert metadata is not None
    assert (metadata.class_names, metadata.sequence_length, metadata.features) == (tuple("VWXYZ"), FRAMES, 63)
    assert (metadata.scheme, metadata.preprocessing, metadata.trained_on) == ("fp32", "hand+displacement", "made up")
    assert metadata.parameters == sum(p.numel() for p in model.parameters())


def test_parameters_in_the_file_are_the_models(tmp_path: Path) -> None:
    """torch's parameters and the weights and biases of LSTM and Gemm nodes are the same numbers."""
    model = _model("lstm", 2, True)
    proto = onnx.load(_export(model, tmp_path / "model.onnx"))
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in proto.graph.initializer}
    used = [n for node in proto.graph.node if node.op_type in ("LSTM", "Gemm") for n in node.input[1:4]]
    assert sum(sizes[name] for name in used) == sum(p.numel() for p in model.parameters())


def test_the_same_model_gives_the_same_bytes() -> None:
    first, second = (export_onnx(_model(), None, class_names=tuple("ABCDE"), sequence_length=FRAMES) for _ in range(2))
    assert first.content == second.content
    assert first.path is None


def test_another_models_file_fails_the_gate(tmp_path: Path) -> None:
    model = _model()
    path = _export(model, tmp_path / "model.onnx")
    with torch.no_grad():
        model.output.bias[0] += 1e-3
    result = verify_parity(model, path, _takes(4))
    assert not result.passed
    assert result.max_abs_difference == pytest.approx(1e-3, rel=0.02)
    with pytest.raises(GateError, match=r"differ from the torch model's by 1\.00e-03 on 4 takes; allowed 1e-05"):
        result.require()


def test_parity_refuses_takes_that_the_file_can_not_take(tmp_path: Path) -> None:
    model = _model()
    path = _export(model, tmp_path / "model.onnx")
    with pytest.raises(ShapeError, match="parity takes"):
        verify_parity(model, path, _takes(4)[:, :5])


def test_exporting_leaves_the_model_alone(tmp_path: Path) -> None:
    model = _model("gru", 2).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    verify_parity(model, _export(model, tmp_path / "model.onnx", "fold"), _takes(3))
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_model_is_exported_as_long_as_the_takes_it_was_trained_on(tmp_path: Path) -> None:
    names = tuple("ABCDE")
    model = _model()
    with pytest.raises(ConfigError, match="how many frames the model shall read is not known"):
        export_onnx(model, None, class_names=names)
    takes = Takes(np.tile(_takes(10, seed=3), (1, 5, 1))[:, :50], np.arange(10) % 5)
    train_model(model, takes, takes, TrainingConfig(epochs=1, batch_size=10))
    assert model.sequence_length == 50
    save_model(model, tmp_path, names)
    for known in (model, load_model(tmp_path)[0]):
        assert export_onnx(known, None, class_names=names).metadata.sequence_length == 50
    export_onnx(model, tmp_path / "m.onnx", class_names=names)
    assert inspect_model(tmp_path / "m.onnx").inputs[0].shape[1:] == (50, 63)
    assert export_onnx(model, None, class_names=names, sequence_length=20).metadata.sequence_length == 20, "as said"


def test_a_description_of_before_lengths_were_known_is_read(tmp_path: Path) -> None:
    save_model(_model(), tmp_path, tuple("ABCDE"))
    file = tmp_path / "model.json"
    described = json.loads(file.read_text())
    for said, known in (({}, True), ({"sequence_length": 7}, True), ({"sequence_length": -1}, False)):
        file.write_text(json.dumps({**{k: v for k, v in described.items() if k != "sequence_length"}, **said}))
        if known:
            assert load_model(tmp_path)[0].sequence_length == said.get("sequence_length")
        else:
            with pytest.raises(ModelFileError, match="sequence_length -1"):
                load_model(tmp_path)


@pytest.mark.parametrize("names", [("A", "B"), ("A", "A", "B", "C", "D")])
def test_class_names_must_be_one_an_output(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="different names for 5 outputs"):
        export_onnx(_model(), tmp_path / "model.onnx", class_names=names, sequence_length=FRAMES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["edge", "accurate"])
def test_parity_on_real_takes(tmp_path: Path, name: str) -> None:
    if not LETTERS.exists():
        pytest.skip("the real recordings are not on this machine")
    recordings = load_recordings(LETTERS)
    x = fit_length(recordings.sequences, recordings.lengths, 30)[::11][:256]  # of all classes and signers
    normalisation: Normalisation = fit_normalisation(x, "hand", displacement=True)
    model = build_model(variant(name), normalisation, 26, seed=0, sequence_length=30).eval()
    export_onnx(model, tmp_path / "model.onnx", class_names=recordings.class_names)
    result = verify_parity(model, tmp_path / "model.onnx", x)
    assert result.takes == 256
    assert result.max_abs_difference <= TOLERANCE
