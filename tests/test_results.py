"""Results: what the manifest keeps of them comes back as it was, also from an older or a newer edgekit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.artifacts import write_manifest
from edgekit.errors import StateError
from edgekit.results import (
    DataDescription,
    Figures,
    Finding,
    Int8Loss,
    LeftFloat,
    NoSign,
    OutputCheck,
    Parity,
    PruningFigures,
    QuantizationFigures,
    QuantizationProof,
    QuantizedTensor,
    QuantizeResult,
    Raised,
    StandardisationTrial,
    TeacherCheck,
    TeacherDescription,
    TrainingFigures,
    UsedHardware,
    read_figures,
)
from edgekit.runtime import ModelMetadata
from edgekit.workdir import Options, open_workspace

DATA = DataDescription(
    source="my-signs.npz", synthetic=False, sha256="0" * 64, takes=240, classes=2, features=63, sequence_length=50,
    takes_cut=3, longest_frames=61, train=160, validation=40, test=40, test_unseen=2, rule="by session",
)  # fmt: skip
TRAINING = TrainingFigures(
    parameters=56346, data=DATA, epochs=9, best_epoch=8, val_accuracy=0.9, val_loss=0.3, elapsed_s=1.5,
    stopped_early=True, val_per_class={"A": 1.0, "B": 0.8}, train_accuracy=0.99, train_loss=0.1,
    diagnosis=(Finding("overfitting", "training accuracy 99 %", "increase dropout"),),
    hardware=UsedHardware("cpu", 2, "fp32", 1),
    teacher=TeacherDescription("t.onnx", "ONNX", 9, "own", False, TeacherCheck(40, 0.9, 0.9, 0.5, "fits")),
)  # fmt: skip
PRUNING = PruningFigures(
    **vars(TRAINING), method="unstructured", scope="layer", sparsity=0.5, parameters_before=56346,
    parameters_after=56346, zeros=28173, layer_zeros_ratio={"dense": 0.5}, hidden_sizes=(64,), dense=256,
)  # fmt: skip
PROOF = QuantizationProof(
    tensors=(QuantizedTensor("W", "LSTM", (1, 256, 63), 4000, 1100, 0.01, 0.4),),
    op_types={"LSTM": 1}, int8_bytes=900, remaining_fp32_bytes=200, remaining_float_bytes=300,
    left_float=(LeftFloat("E", ("Gather",), "float32", (30, 8), 960, ""),), source_size_bytes=5000, size_bytes=2000,
)  # fmt: skip
QUANTIZED = QuantizeResult(
    source=Path("m.onnx"), target=Path("m.int8.onnx"), scheme="int8-weights", source_size_bytes=5000, size_bytes=2000,
    source_sha256="0" * 64, sha256="1" * 64, metadata=ModelMetadata(("A", "B"), 50, 63), proof=PROOF,
    raised=Raised((11, 13), (6, 7)), outputs=OutputCheck({"x": (1, 50, 63)}, 0.01, 3.0, ""),
)  # fmt: skip
QUANTIZATION = QuantizationFigures(
    standardisation="fold",
    standardisation_trials={"fold": StandardisationTrial(1e-7, 0.001)},
    parity=Parity(1e-7, 40, 1e-5),
    int8=Int8Loss(40, 0.9, 0.875, 0.001, 0.01, changed=2, lost=1, gained=0),
    quantized=QUANTIZED,
    no_sign=NoSign(1.25, 240, 0.004, 0.8),
)


@pytest.mark.parametrize("figures", [TRAINING, PRUNING, QUANTIZATION], ids=lambda figures: type(figures).__name__)
def test_figures_come_back_from_json_as_they_were(figures: Figures) -> None:
    read = read_figures(type(figures), json.loads(json.dumps(figures.to_dict(), allow_nan=False)))
    assert read == figures
    assert read.to_dict() == figures.to_dict()


def test_what_a_newer_edgekit_adds_is_left_out() -> None:
    tree = {**TRAINING.to_dict(), "energy_j": 3.0}
    assert read_figures(TrainingFigures, {**tree, "data": {**tree["data"], "cameras": 2}}) == TRAINING


def test_what_an_older_edgekit_did_not_keep_is_not_known() -> None:
    newer = ("val_per_class", "train_accuracy", "train_loss", "diagnosis", "hardware", "teacher")
    tree = {key: value for key, value in TRAINING.to_dict().items() if key not in newer}
    tree["data"] = {k: v for k, v in tree["data"].items() if k not in ("sequence_length", "takes_cut")}
    read = read_figures(TrainingFigures, tree)
    assert (read.val_accuracy, read.diagnosis, read.hardware, read.teacher) == (0.9, (), None, None)
    assert (read.data.takes, read.data.sequence_length, read.data.takes_cut) == (240, None, 0)


@pytest.mark.parametrize(
    ("metrics", "place"),
    [
        ({}, "parameters"),
        ({**TRAINING.to_dict(), "val_accuracy": "high"}, "val_accuracy"),
        ({**TRAINING.to_dict(), "data": []}, "data"),
        ({**TRAINING.to_dict(), "diagnosis": [{"name": "overfitting"}]}, "diagnosis.0.fact"),
    ],
)
def test_what_is_no_figures_is_refused_with_its_place(metrics: dict[str, Any], place: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{place}"):
        read_figures(TrainingFigures, metrics)
    record = {"config": {}, "inputs": {}, "recipe": 1, "outputs": {}, "metrics": metrics, "seed": 0, "wall_s": 0}
    content = {"schema_version": 1, "options": {}, "stages": {"distill": {**record, "versions": {}}}}
    write_manifest(tmp_path, content)
    with open_workspace(tmp_path, Options(), read_only=True) as workspace:
        assert workspace.record("distill") is not None, "whether a stage is up to date does not hang on its figures"
        with pytest.raises(StateError, match=r"damaged \(the record of 'distill'\); move it away to start over"):
            workspace.result("distill", TrainingFigures)
        assert workspace.result("prune", PruningFigures) is None


def test_a_drop_and_its_interval_follow_from_the_flips() -> None:
    tree = QUANTIZATION.int8.to_dict()
    assert tree["accuracy_drop"] == pytest.approx(tree["fp32_accuracy"] - tree["int8_accuracy"])
    assert tree["accuracy_drop_low"] < tree["accuracy_drop"] < tree["accuracy_drop_high"]


@pytest.mark.parametrize(("difference", "passed"), [(0.0, True), (1e-5, True), (1.1e-5, False), (float("nan"), False)])
def test_parity_passes_up_to_its_tolerance(difference: float, passed: bool) -> None:
    assert Parity(difference, 40, 1e-5).passed is passed
