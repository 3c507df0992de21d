"""The documentation's Python example runs as it stands, with small recordings and a module of one's own as teacher."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgekit.data import SynthConfig, save_recordings, synthesise_hands
from edgekit.errors import InputError
from edgekit.runtime import inspect_model

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python.md"


def example() -> str:
    """The one that there is."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def run_example(teacher: nn.Module, code: str | None = None) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    exec(compile(code or example(), str(PAGE), "exec"), {"my_teacher": teacher})


@pytest.fixture
def six(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, with recordings of three classes and six numbers per frame."""
    monkeypatch.chdir(tmp_path)
    labels = np.arange(36) % 3
    x = np.random.default_rng(0).normal(labels[:, None, None], 1.0, (36, 20, 6)).astype(np.float32)
    np.savez("my-signs.npz", sequences=x, labels=labels, class_names=np.array(["left", "right", "up"]))


def test_the_python_example_makes_a_file_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    letters = synthesise_hands(SynthConfig(people=1, takes_per_letter=6))
    few = replace(letters.take(np.flatnonzero(letters.labels < 3)), class_names=letters.class_names[:3])
    save_recordings(Path("my-signs.npz"), few)
    run_example(nn.Sequential(nn.Flatten(), nn.Linear(30 * 63, 3)))
    assert Path("model.int8.onnx").stat().st_size < 40_000
    assert Path("model.int8.onnx").stat().st_size < 0.35 * Path("model.onnx").stat().st_size


def test_it_does_so_for_numbers_that_are_no_hands(six: None) -> None:
    run_example(nn.Sequential(nn.Flatten(), nn.Linear(30 * 6, 3)))
    metadata = inspect_model(Path("model.int8.onnx")).metadata
    assert metadata is not None
    assert (metadata.features, metadata.preprocessing, metadata.class_names) == (6, "standard", ("left", "right", "up"))


@pytest.mark.parametrize(
    ("change", "teacher", "words"),
    [
        (('choose_kind("auto", recordings.features)', '"hand"'), 3, ("6 features are not landmarks", "choose_kind")),
        (("", ""), 4, ("student logits", "teacher logits", "both need the same classes")),
        (("prune_model(student", "prune_model(my_teacher"), 3, ("prune.sparsity", "no layer of this module can lose")),
    ],
)
def test_what_can_not_work_says_what_to_do(
    six: None, change: tuple[str, str], teacher: int, words: tuple[str, ...]
) -> None:
    """Each of these is one error that names the thing; none leads to another."""
    with pytest.raises(InputError) as caught:
        run_example(nn.Sequential(nn.Flatten(), nn.Linear(30 * 6, teacher)), example().replace(*change))
    for word in words:
        assert word in str(caught.value)
