"""Ctrl-C during training, and the same command again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgekit.artifacts import sha256_file

Cli = Callable[..., Any]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "how"),
    [("train", ()), ("distill", ()), ("quantize", ()), ("train", ("--accelerators=2", "--accelerator=cpu"))],
)
def test_an_interrupted_command_goes_on_and_ends_where_an_uninterrupted_one_does(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], command: str, how: tuple[str, ...]
) -> None:
    """Ctrl-C, which reaches all processes of a terminal, after the fourth of twelve epochs: exit 130, and nobody is
    left; then the same bytes as without it."""
    stage, weights = {
        "train": ("train accurate", "models/accurate/model.safetensors"),
        "distill": ("distill", "student/model.safetensors"),
        "quantize": ("fine-tune int8", "fine-tuned/model.safetensors"),
    }[command]
    options = [
        *tiny,
        "--set=training.epochs=12",
        "--set=distill.training.epochs=12",
        "--set=distill.copies=3",
        "--set=quantize.fine_tuning=always",
        "--set=quantize.epochs=12",
        "-v",
        *how,
    ]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert cli(command, f"--workdir={whole}", *options).code == 0

    again = [sys.executable, "-m", "edgekit", command, f"--workdir={broken}", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(again, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if f"{stage} epoch 4/12" in line:
                group = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
                os.killpg(process.pid, signal.SIGINT)
                break
        out, err = process.communicate(timeout=120)
    assert len(group) == (3 if how else 1)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in group)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == (
        "edgekit: error: interrupted; finished epochs are kept, the same command continues from there"
    )
    assert "Traceback" not in err
    (resume_file,) = (broken / ".resume").iterdir()
    assert resume_file.suffix == ".ckpt"
    unfinished = {stage, command} - {"train"}
    assert unfinished.isdisjoint(json.loads((broken / "manifest.json").read_text())["stages"])

    resumed = cli(command, f"--workdir={broken}", "-v")
    assert resumed.code == 0, "the options are remembered"
    assert f"{stage} epoch 3/12" not in resumed.err, "finished epochs are not trained again"
    assert f"{stage} epoch 12/12" in resumed.err
    assert sha256_file(broken / weights) == sha256_file(whole / weights)
    assert list((broken / ".resume").iterdir()) == []
    logs = [
        len((folder / weights).with_name("training_log.csv").read_text().splitlines()) for folder in (whole, broken)
    ]
    assert logs == [13, 13], "a header and every epoch, those before the interruption included"
