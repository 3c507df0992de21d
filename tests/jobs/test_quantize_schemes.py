"""`--scheme int8-dynamic` from the command line: made, scored one take at a time, benched; no GRU is trained for it."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.predict import predict_takes
from edgekit.quantize.gates import int8_loss, logits_of
from edgekit.runtime import inspect_model
from edgekit.train import Takes

Cli = Callable[..., Any]


@pytest.fixture
def workdir(chain: Any, tmp_path: Path, quick_table: None) -> Path:
    """A copy of the finished chain, of an LSTM student."""
    return Path(shutil.copytree(chain.workdir, tmp_path / "work"))


@pytest.mark.parametrize(
    "command",
    [
        ("quantize", "--scheme=int8-dynamic", "--set=student.type=gru"),
        ("run", "--set=quantize.scheme=int8-dynamic", "--student=balanced"),
        ("quantize", "--scheme=int8-dynamic", "--set=student.type=gru", "--dry-run"),
    ],
)
def test_a_gru_student_is_refused_before_anything_is_trained(
    cli: Cli, tmp_path: Path, command: tuple[str, ...]
) -> None:
    workdir = tmp_path / "work"
    answer = cli(*command, f"--workdir={workdir}", "--preset=quick")
    assert (answer.code, answer.out) == (2, "")
    assert "student: a GRU can't have scheme int8-dynamic" in answer.err
    assert "use scheme int8-weights" in answer.err
    assert "train" not in answer.err
    assert not list(tmp_path.rglob("*.safetensors"))
    assert not (workdir / "manifest.json").exists()


NAMES = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_a_refused_scheme_leaves_a_finished_work_directory_as_it_was(
    cli: Cli, workdir: Path, snapshot: Callable[[Path], dict[str, bytes | None]]
) -> None:
    before = snapshot(workdir)
    assert cli("quantize", f"--workdir={workdir}", "--scheme=int8-dynamic", "--set=student.type=gru").code == 2
    assert {k: v for k, v in snapshot(workdir).items() if "lock" not in k} == {
        k: v for k, v in before.items() if "lock" not in k
    }


def test_a_rule_for_no_sign_is_looked_for_unless_the_settings_want_none(cli: Cli, workdir: Path) -> None:
    """Whether the tiny student has one or is told to be too weak for it is not asked."""
    looked = cli("quantize", f"--workdir={workdir}", "--force")
    metadata = inspect_model(workdir / "model.int8.onnx").metadata
    assert metadata is not None
    assert (metadata.no_sign is not None) != ("can't tell when nobody signs" in looked.err + looked.out)
    without = cli("quantize", f"--workdir={workdir}", "--set=data.no_sign=none")
    assert without.code == 0, without.err
    assert "= prune: up to date" in without.err
    metadata = inspect_model(workdir / "model.int8.onnx").metadata
    assert metadata is not None
    assert metadata.no_sign is None
    assert "nobody signs" not in without.err + without.out


def test_the_other_scheme_is_made_from_the_same_pruned_model(cli: Cli, workdir: Path) -> None:
    before = inspect_model(workdir / "model.onnx").metadata
    text = cli("quantize", f"--workdir={workdir}", "--scheme=int8-dynamic")
    assert text.code == 0, text.err
    for words in ("int8 arithmetic inside the LSTM layers", "share one activation scale", "one take at a time"):
        assert words in text.out
    assert "= prune: up to date" in text.err
    info = inspect_model(workdir / "model.int8.onnx")
    assert info.op_types["DynamicQuantizeLSTM"] == 1
    assert info.metadata is not None
    assert before is not None
    assert (info.metadata.scheme, info.metadata.parameters) == ("int8-dynamic", before.parameters)
    again = cli("quantize", f"--workdir={workdir}", "--json")
    assert "= quantize: up to date" in again.err, "the scheme stays with the work directory"
    quantized = again.json["quantization"]["quantized"]
    assert (quantized["scheme"], quantized["batch_dependent"]) == ("int8-dynamic", True)
    evaluated = cli("evaluate", f"--workdir={workdir}", "--json")
    rows = {(row["name"], row["form"]): row["accuracy"] for row in again.json["models"]}
    assert evaluated.json["accuracy"] == rows["pruned", "ONNX int8"]
    assert "Warning" not in text.err + again.err + evaluated.err
    benched = cli("bench", f"--workdir={workdir}", "--repeats=100", "--json")
    assert benched.code == 0, benched.out


def test_a_file_is_quantised_by_name_and_says_how_to_run_it(cli: Cli, chain: Any, tmp_path: Path, take: Path) -> None:
    target = tmp_path / "dynamic.onnx"
    command = ("quantize", chain.workdir / "model.onnx", f"--output={target}", "--scheme=int8-dynamic")
    answer = cli(*command)
    assert answer.code == 0
    assert "one take at a time" in answer.out
    written = json.loads(cli(*command, "--json").out)
    assert written["arithmetic"].startswith("int8 arithmetic inside the LSTM layers")
    np.savez(tmp_path / "takes.npz", sequences=np.stack([np.load(take), np.load(take)[::-1]]), labels=[0, 1],
             class_names=["A", "B"])  # fmt: skip
    alone = predict_takes(target, take)[0]
    beside = predict_takes(target, tmp_path / "takes.npz")[0]
    assert (alone.label, alone.probability) == (beside.label, beside.probability)


def test_the_gates_score_one_take_at_a_time(chain: Any, tmp_path: Path, cli: Cli) -> None:
    target = tmp_path / "dynamic.onnx"
    assert cli("quantize", chain.workdir / "model.onnx", f"--output={target}", "--scheme=int8-dynamic").code == 0
    x = np.random.default_rng(0).uniform(0.2, 0.8, (4, 30, 63)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits = logits_of(target, x)
        loss = int8_loss(chain.workdir / "model.onnx", target, Takes(x, np.arange(4)), NAMES)
    np.testing.assert_array_equal(logits, np.concatenate([logits_of(target, take[None]) for take in x]))
    assert loss.max_abs_difference > 0
