"""`--teacher` with a file and with a function, through to INT8: nothing is trained that is there already."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

#: A teacher of the 26 letters, as a user would write one; its weights are a seed's.
MODULE = """
import torch
from torch import nn

class Teacher(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.gru = nn.GRU(63, 8, batch_first=True)
        self.out = nn.Linear(8, 26)

    def forward(self, x):
        return self.out(self.gru(x)[0].mean(1))

def make():
    return Teacher()
"""


def stages(workdir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workdir / "manifest.json").read_text())["stages"]
    return found


def test_an_onnx_file_teaches_the_student_and_no_other_teacher_is_trained(
    chain: Any, cli: Cli, tmp_path: Path, tiny: tuple[str, ...], quick_table: None
) -> None:
    teacher = chain.workdir / "models" / "accurate" / "model.onnx"
    workdir = tmp_path / "work"
    answer = cli("run", f"--workdir={workdir}", *tiny, "--teacher", teacher, "--json")
    assert answer.code == 0, answer.err
    assert "outputs are logits, classes matched by name" in answer.err
    assert set(stages(workdir)) == {"distill", "prune", "quantize"}
    rows = answer.json["models"]
    assert (rows[0]["name"], rows[0]["form"]) == ("teacher", "ONNX")
    assert rows[0]["size_bytes"] == teacher.stat().st_size
    same = ("accuracy", "parameters", "macs", "size_bytes", "gzip_bytes")
    assert [rows[0][name] for name in same] == [chain.report["models"][0][name] for name in same]
    assert cli("quantize", f"--workdir={workdir}", "--dry-run").err.count("up to date") == 3


def test_the_same_teacher_teaches_the_same_student_whether_trained_here_or_given_as_a_file(
    chain: Any, cli: Cli, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    """The file's logits differ by float rounding from PyTorch's, so the students do, too, but hardly."""
    from safetensors.numpy import load_file

    workdir = tmp_path / "work"
    assert (
        cli("distill", f"--workdir={workdir}", *tiny, "--teacher", chain.workdir / "models/accurate/model.onnx").code
        == 0
    )
    given, own = (load_file(place / "student" / "model.safetensors") for place in (workdir, chain.workdir))
    for name, value in own.items():
        assert given[name] == pytest.approx(value, abs=1e-3), name


def test_a_function_teaches_and_its_row_has_no_file(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], quick_table: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_own_teacher.py").write_text(MODULE)
    answer = cli("distill", *tiny, "--teacher", "my_own_teacher:make")
    assert answer.code == 0, answer.err
    answer = cli("quantize")
    assert answer.code == 0, answer.err
    line = next(line.split() for line in answer.out.splitlines() if line.strip().startswith("teacher"))
    assert line[1] == "PyTorch"
    assert line[-4:] == ["-", "-", "-", "-"]
    assert set(stages(tmp_path / "edgekit-work")) == {"distill", "prune", "quantize"}
    (tmp_path / "my_own_teacher.py").unlink()
    del sys.modules["my_own_teacher"]
    assert "no module 'my_own_teacher'" in cli("prune").err


def test_train_does_not_train_a_foreign_teacher_and_another_teacher_is_a_mismatch(
    chain: Any, cli: Cli, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    teacher = chain.workdir / "models" / "accurate" / "model.onnx"
    workdir = tmp_path / "work"
    assert cli("distill", f"--workdir={workdir}", *tiny, "--teacher", teacher).code == 0
    answer = cli("train", f"--workdir={workdir}")
    assert answer.code == 2
    assert "which edgekit does not train" in answer.err
    assert cli("config", f"--workdir={workdir}", "--json").json["teacher"] == str(teacher)


@pytest.mark.parametrize(
    ("said", "message"), [("missing.onnx", "no such file"), ("nowhere:make", "no module 'nowhere'")]
)
def test_a_teacher_that_is_not_there_is_exit_2_before_anything_is_made(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], said: str, message: str
) -> None:
    workdir = tmp_path / "work"
    answer = cli("distill", f"--workdir={workdir}", *tiny, "--teacher", said)
    assert answer.code == 2
    assert message in answer.err
    assert not list(workdir.rglob("*.safetensors"))
