"""However a job came to its end, in one go, stage by stage or after interruptions, it ends in the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edgekit.artifacts import sha256_file
from edgekit.model import torch_threads
from edgekit.stages.distill import DistillStage
from edgekit.stages.prune import PruneStage
from edgekit.stages.quantize import QuantizeStage
from edgekit.stages.table import Stages
from edgekit.stages.train import TrainStage
from edgekit.workdir import Options, open_workspace

Cli = Callable[..., Any]

#: Of the real job, small; the student and the teacher are wide enough for orthogonal weights to depend on threads.
JOB = (
    "--preset=quick", "--threads=1", "--set=synth.people=2", "--set=synth.takes_per_letter=4",
    "--set=model.hidden_size=64", "--set=model.num_layers=1", "--set=student.dense=32",
    "--set=training.epochs=2", "--set=distill.training.epochs=2", "--set=distill.copies=1",
    "--set=prune.recovery.training.epochs=2",
)  # fmt: skip
STAGES = ("train accurate", "distill", "prune", "quantize")
FILES = ("*.safetensors", "model.json", "*.onnx")


def bits(workdir: Path) -> dict[str, str]:
    """Every model file by its place, with its digest."""
    return {str(p.relative_to(workdir)): sha256_file(p) for name in FILES for p in sorted(workdir.rglob(name))}


def edgekit(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgekit", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **environment})


def finish(*arguments: object, **environment: str) -> str:
    """Runs a command to its end, in an environment of its own; returns stderr."""
    with edgekit(*arguments, **environment) as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return err


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The bits of `edgekit quantize` in one go."""
    workdir = tmp_path_factory.mktemp("whole")
    finish("quantize", f"--workdir={workdir}", *JOB, OMP_NUM_THREADS="2")
    return bits(workdir)


@pytest.mark.slow
def test_stage_by_stage_ends_where_one_go_does(whole: dict[str, str], tmp_path: Path) -> None:
    """In processes that differ in all that must not matter: threads that torch and BLAS would take, and hash seeds."""
    for number, command in enumerate((("train", "accurate"), ("distill",), ("prune",), ("quantize",))):
        alike = {"OMP_NUM_THREADS": str(1 + number % 3), "PYTHONHASHSEED": str(number)}
        finish(*command, f"--workdir={tmp_path}", *(JOB if number == 0 else ()), **alike)
    assert bits(tmp_path) == whole


@pytest.mark.slow
def test_killed_between_all_stages_it_ends_there_too(whole: dict[str, str], tmp_path: Path) -> None:
    command = ("quantize", f"--workdir={tmp_path}", *JOB)
    for stage in STAGES[1:]:
        with edgekit(*command) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith(f"> {stage}:"):  # the one before is done
                    process.send_signal(signal.SIGKILL)
                    break
            process.communicate()
        assert process.returncode == -signal.SIGKILL
    err = finish(*command)
    assert [f"= {stage}: up to date" in err for stage in STAGES] == [True, True, True, False]
    assert bits(tmp_path) == whole


def test_every_stage_is_set_up_before_it_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this process computed with before."""
    for stage in (TrainStage, DistillStage, PruneStage, QuantizeStage):
        monkeypatch.setattr(stage, "make", lambda self: torch.get_num_threads())
    with open_workspace(tmp_path, Options(), read_only=True) as opened, torch_threads(3):
        found = {name: stage.run() for name, stage in Stages(opened).table.items()}
        assert torch.get_num_threads() == 3
    assert set(found) >= set(STAGES)
    assert set(found.values()) == {1}


@pytest.fixture
def short(tiny: tuple[str, ...]) -> tuple[str, ...]:
    """A teacher that is trained in a second."""
    return (*tiny, "--set=synth.takes_per_letter=2", "--set=training.epochs=3")


def interrupted(cli: Cli, patch: pytest.MonkeyPatch, *command: object, epoch: int = 3) -> None:
    def interrupt(self: Any, stage: str, found: Any) -> None:
        if found.epoch == epoch:
            raise KeyboardInterrupt

    with patch.context() as once:
        once.setattr("edgekit.cli.progress.Console.epoch", interrupt)
        assert cli(*command).code == 130


def test_a_damaged_resume_file_is_told_and_the_stage_starts_anew(
    cli: Cli, tmp_path: Path, short: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", "edge", f"--workdir={tmp_path / 'broken'}", *short)
    interrupted(cli, monkeypatch, *command)
    (resume_file,) = (tmp_path / "broken/.resume").iterdir()
    content = bytearray(resume_file.read_bytes())
    content[len(content) // 2] ^= 1  # a weight or a moment: it would load, and end elsewhere
    resume_file.write_bytes(content)
    again = cli(*command, "-v")
    assert again.code == 0
    assert f"note: train edge: {resume_file}: damaged: it is not what its checksum says; it starts over" in again.err
    assert "train edge epoch 1/3" in again.err
    assert cli("train", "edge", f"--workdir={tmp_path / 'whole'}", *short).code == 0
    assert bits(tmp_path / "broken") == bits(tmp_path / "whole")


def test_what_was_trained_is_not_lost_before_the_manifest_knows_it(
    cli: Cli, tmp_path: Path, short: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the last epoch and the record."""
    command = ("train", "edge", f"--workdir={tmp_path}", *short)
    with monkeypatch.context() as patch:
        patch.setattr("edgekit.workdir.updates.Record", interrupt_record)
        assert cli(*command).code == 130
    assert (tmp_path / "models/edge/model.safetensors").exists()
    before = bits(tmp_path)
    again = cli(*command, "-v")
    assert again.code == 0
    assert "train edge epoch" not in again.err, "nothing is trained again"
    assert bits(tmp_path) == before
    assert list((tmp_path / ".resume").iterdir()) == []


def interrupt_record(**values: Any) -> None:
    raise KeyboardInterrupt
