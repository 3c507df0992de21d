"""`edgekit export`: a module of the user's as a file that quantize and evaluate take; and the retention gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.evaluate import Retention
from edgekit.runtime import inspect_model

Cli = Callable[..., Any]

MODELS = """
import torch
from torch import nn
from own_modules import Last, letters

class Probable(nn.Module):
    class_names = [*"ZYXWVUTSRQPONMLKJIHGFEDCBA"]
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner = Last(63, 26, "gru", 2, True)
    def forward(self, x):
        return torch.softmax(self.inner(x), dim=1)

def probable(): return Probable()
def svd():
    class Strange(nn.Module):
        def forward(self, x): return torch.linalg.svd(x[:, :26, :26])[1]
    return Strange()
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with models of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "export_models.py").write_text(MODELS)
    return tmp_path


def test_a_module_becomes_a_file_that_the_other_commands_take(cli: Cli, chain: Any, here: Path) -> None:
    answer = cli("export", "export_models:letters", "--workdir", chain.workdir, "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert (told["path"], told["classes"], told["features"]) == ("letters.onnx", 26, 63)
    assert told["parity"]["passed"]
    metadata = inspect_model(here / "letters.onnx").metadata
    assert metadata is not None
    assert metadata.sequence_length == told["sequence_length"]
    assert cli("quantize", "letters.onnx").code == 0
    assert cli("evaluate", "letters.int8.onnx", "--workdir", chain.workdir).code == 0


def test_probabilities_and_another_order_become_logits_of_the_datas_classes(cli: Cli, chain: Any, here: Path) -> None:
    answer = cli("export", "export_models:probable", "--workdir", chain.workdir, "-o", "p.onnx")
    assert answer.code == 0, answer.err
    assert "outputs are probabilities, used as their logarithms, classes matched by its own names" in answer.out
    assert "logits differ from torch's by at most" in answer.out
    assert "next: edgekit quantize p.onnx" in answer.out
    metadata = inspect_model(here / "p.onnx").metadata
    assert metadata is not None
    assert "".join(metadata.class_names) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("own.onnx", "MODULE own.onnx: expected MODULE:FUNCTION"),
        ("export_models:leters", "MODULE export_models:leters: export_models has no 'leters'; did you mean 'letters'?"),
        ("export_models:svd", "can't be exported"),
    ],
)
def test_what_can_not_be_exported_is_one_message_and_no_file(
    cli: Cli, chain: Any, here: Path, said: str, words: str
) -> None:
    answer = cli("export", said, "--workdir", chain.workdir)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert not list(here.glob("*.onnx"))


def test_a_student_that_keeps_too_little_is_exit_5_and_stays(
    cli: Cli, chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged on what is there, without training; shown first, as JSON, too."""
    measured: list[int] = []

    def measure(student: Any, teacher: Any, takes: Any) -> Retention:
        measured.append(len(takes))
        return Retention(takes=100, both=90, lost=10, gained=0)

    monkeypatch.setattr("edgekit.distill.measure_retention", measure)
    work = tmp_path / "work"
    shutil.copytree(chain.workdir, work)
    weights = (work / "pruned" / "model.safetensors").read_bytes()
    for least, code in ((0.9, 0), (0.95, 5)):
        answer = cli("prune", "--workdir", work, "--json", "--set", f"gates.min_retention={least}")
        assert answer.code == code, answer.err
        assert ("failure" in json.loads(answer.out)) is (code == 5)
    assert "pruned student: keeps 90.0 % of its teacher's accuracy on 100 validation takes" in answer.err
    assert len(measured) == 2
    assert (work / "pruned" / "model.safetensors").read_bytes() == weights
