"""The README's Python example runs as it stands, on small recordings and with a module of the user's own as teacher."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgekit.data import SynthConfig, save_recordings, synthesise_hands

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_python_example_makes_a_file_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    monkeypatch.chdir(tmp_path)
    letters = synthesise_hands(SynthConfig(people=1, takes_per_letter=6))
    few = replace(letters.take(np.flatnonzero(letters.labels < 3)), class_names=letters.class_names[:3])
    save_recordings(Path("my-signs.npz"), few)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    names: dict[str, object] = {"my_teacher": nn.Sequential(nn.Flatten(), nn.Linear(30 * 63, 3))}
    exec(compile(blocks[0], str(README), "exec"), names)
    assert Path("model.int8.onnx").stat().st_size < 40_000
    assert Path("model.int8.onnx").stat().st_size < 0.35 * Path("model.onnx").stat().st_size
