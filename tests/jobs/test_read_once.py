"""A command reads its recordings, splits them and takes their statistics once, however many of its steps need them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgekit.workdir.dataset
import edgekit.workdir.workspace

STEPS = ("read_recordings", "prepare_dataset", "data_digest")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often each step was taken."""
    counts = dict.fromkeys(STEPS, 0)

    def counting(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any) -> Any:
            counts[name] += 1
            return step(*args)

        return count

    for name in STEPS:
        monkeypatch.setattr(edgekit.workdir.workspace, name, counting(name, getattr(edgekit.workdir.dataset, name)))
    return counts


def test_a_run_reads_its_recordings_once(
    chain: Any, cli: Any, tmp_path: Path, tiny: tuple[str, ...], counted: dict[str, int], quick_table: None
) -> None:
    workdir = tmp_path / "work"
    shutil.copytree(chain.workdir, workdir)
    answer = cli("run", f"--workdir={workdir}", *tiny)
    assert answer.code == chain.code, answer.err
    assert "up to date" in answer.err
    assert counted == dict.fromkeys(STEPS, 1)


def test_a_bench_and_an_evaluation_do_too(chain: Any, cli: Any, counted: dict[str, int]) -> None:
    assert cli("evaluate", f"--workdir={chain.workdir}").code == 0
    assert counted == dict.fromkeys(STEPS, 1)
    counted.update(dict.fromkeys(STEPS, 0))
    few = ("--processes=1", "--repeats=5", "--time-limit=1")
    assert cli("bench", f"--workdir={chain.workdir}", *few).code in (0, 4)
    assert counted == dict.fromkeys(STEPS, 1)
