"""GRUs and other variants through the whole chain, and recordings of two hands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data import Recordings, save_recordings
from edgekit.runtime import inspect_model

Cli = Callable[..., Any]

SMALL = ("--set=student.hidden_size=12", "--set=student.dense=48")


@pytest.mark.parametrize(
    ("teacher", "student", "operators"),
    [
        ("base", "balanced", {"GRU": 2}),
        pytest.param("balanced", "base", {"LSTM": 2}, marks=pytest.mark.slow),
        pytest.param("balanced", "edge", {"LSTM": 1}, marks=pytest.mark.slow),
    ],
)
def test_every_variant_teaches_and_learns(
    cli: Cli,
    tmp_path: Path,
    tiny: tuple[str, ...],
    quick_table: None,
    teacher: str,
    student: str,
    operators: dict[str, int],
) -> None:
    variants = ("--teacher", teacher, "--student", student)
    answer = cli("run", f"--workdir={tmp_path}", *tiny, *SMALL, *variants, "--json")
    assert answer.code == 0, answer.err
    for name in ("model.onnx", "model.int8.onnx"):
        found = inspect_model(tmp_path / name).op_types
        assert {kind: found[kind] for kind in ("LSTM", "GRU") if kind in found} == operators
    figures = answer.json["quantization"]
    assert figures["parity"]["passed"]
    tensors = figures["quantized"]["proof"]["tensors"]
    assert {tensor["op_type"] for tensor in tensors} >= set(operators)
    assert answer.json["bench"]["verdict"] == "pass"
    rows = {row["name"]: row for row in answer.json["models"]}
    assert rows["pruned"]["parameters"] <= 0.5 * rows["student"]["parameters"]
    shape = json.loads((tmp_path / "models" / teacher / "model.json").read_text())["architecture"]
    assert shape["cell"] == {"base": "lstm", "balanced": "gru"}[teacher]


def test_two_hands_go_through_the_chain_with_one_hand_missing(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], quick_table: None
) -> None:
    rng = np.random.default_rng(0)
    sequences = rng.uniform(0.2, 0.8, (24, 20, 126)).astype(np.float32)
    labels = np.arange(24) % 2
    sequences[labels == 1, :, 63:] = 0.0  # class B shows one hand only
    lengths = rng.integers(12, 21, 24)
    sequences[np.arange(20) >= lengths[:, None]] = 0.0
    both = Recordings(sequences, lengths, labels, ("A", "B"), None, None, "two hands")
    save_recordings(tmp_path / "two.npz", both)
    answer = cli("run", f"--workdir={tmp_path / 'work'}", "--data", tmp_path / "two.npz", *tiny, "--json")
    assert answer.code == 4, "two validation takes tell nothing about what INT8 loses"
    assert "on 2 validation takes" in answer.err
    metadata = inspect_model(tmp_path / "work" / "model.int8.onnx").metadata
    assert metadata is not None
    assert (metadata.features, metadata.preprocessing) == (126, "hand+displacement")
    np.save(tmp_path / "take.npy", sequences[0, : lengths[0]])
    assert cli("predict", tmp_path / "take.npy", f"--workdir={tmp_path / 'work'}", "--json").code == 0
