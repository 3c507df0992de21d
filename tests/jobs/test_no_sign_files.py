"""The ONNX files beside trained weights know when nobody signs, and answer as the weights do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.evaluate import softmax
from edgekit.model import load_model, predict_logits
from edgekit.runtime import ModelMetadata, inspect_model, open_predictor

Cli = Callable[..., Any]


def metadata_of(path: Path) -> ModelMetadata:
    found = inspect_model(path).metadata
    assert found is not None
    return found


def test_train_leaves_a_file_with_a_rule_and_the_weights_as_they_were(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two epochs teach little, so what a rule has to tell at least is nothing here."""
    monkeypatch.setattr("edgekit.stages.no_sign.LEAST_TOLD", 0.0)
    command = ("train", "edge", f"--workdir={tmp_path}", *tiny)
    answer = cli(*command)
    assert answer.code == 0, answer.err
    folder = tmp_path / "models/edge"
    rule = metadata_of(folder / "model.onnx").no_sign
    assert rule is not None
    assert rule.found_on.endswith("takes of training and validation")
    x = np.random.default_rng(0).uniform(0.2, 0.8, (5, 30, 63)).astype(np.float32)
    own, left = predict_logits(load_model(folder)[0], x), open_predictor(folder / "model.onnx")(x)
    np.testing.assert_allclose(softmax(left), softmax(own), atol=1e-5)
    assert np.abs(left - own).max() > 1e-3, "the shift is in the file alone"


def test_without_a_rule_that_is_said_or_wanted(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.stages.no_sign.LEAST_TOLD", 1.1)
    command = ("train", "edge", *tiny)
    told = cli(*command, f"--workdir={tmp_path / 'weak'}")
    assert told.code == 0, told.err
    assert "note: train edge: this model can't tell when nobody signs: it would tell " in told.err
    assert metadata_of(tmp_path / "weak/models/edge/model.onnx").no_sign is None
    silent = cli(*command, f"--workdir={tmp_path / 'none'}", "--set=data.no_sign=none")
    assert "nobody signs" not in silent.err + silent.out
    assert metadata_of(tmp_path / "none/models/edge/model.onnx").no_sign is None


@pytest.mark.slow
def test_the_closing_table_keeps_the_file_that_is_of_these_weights(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], quick_table: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is gone, damaged or has a rule that nobody wants any more is written anew."""
    monkeypatch.setattr("edgekit.stages.no_sign.LEAST_TOLD", 0.0)
    assert cli("quantize", f"--workdir={tmp_path}", *tiny).code == 0
    files = [tmp_path / name for name in ("models/accurate/model.onnx", "student/model.onnx")]
    before = [file.read_bytes() for file in files]
    assert all(metadata_of(file).no_sign is not None for file in files)
    files[0].write_bytes(b"damaged")
    files[1].unlink()
    assert cli("quantize", f"--workdir={tmp_path}", "--force").code == 0
    assert [file.read_bytes() for file in files] == before
    assert cli("quantize", f"--workdir={tmp_path}", "--set=data.no_sign=none").code == 0
    assert all(metadata_of(file).no_sign is None for file in files)
