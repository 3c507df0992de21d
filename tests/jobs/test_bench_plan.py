"""A dry run of bench says what it would do, refuses what it would refuse, and does nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.cli import run_cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    lstm_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """(words): exit code, stdout and stderr of `bench model.onnx --dry-run` in a folder where nothing may be measured
    or left."""
    lstm_file()
    monkeypatch.chdir(tmp_path)

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a dry run measures")

    monkeypatch.setattr("subprocess.Popen.__init__", refuse)

    def bench(*words: str) -> tuple[int, str, str]:
        code = run_cli(["bench", "model.onnx", "--dry-run", *words])
        assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
        return code, *capsys.readouterr()

    return bench


def test_the_plan_is_a_line_and_nothing_is_measured_or_written(run: Run) -> None:
    assert run("--junit", "b.xml", "--markdown", "b.md", "--processes", "2", "--time-limit", "5") == (
        0,
        "",
        "? bench: model.onnx against profile raspberry-pi: 2 fresh processes each for memory and latency, 10 s at most;"
        " writes b.xml, b.md\n",
    )
    code, out, err = run("--json", "--quiet", "--rate", "30", "--sweep")
    assert (code, err) == (0, "")
    plan = json.loads(out)
    assert plan["dry_run"] is True
    assert plan["stages"][0]["detail"].endswith("120 s at most, a run of 10 s, a survey of threads and batches")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--profile", "nosuch"], "unknown profile"),
        (["--parent", "none.onnx"], "none.onnx: no such file"),
        (["--data", "none.npz"], "none.npz: no such file"),
        (["--baseline", "none.json", "--max-regression", "5%"], "none.json: no such file"),
        (["--set", "bench.warmup=-1"], "warmup"),
        (["--junit", "model.onnx/b.xml"], "can't be written"),
    ],
)
def test_what_a_bench_refuses_its_plan_refuses(run: Run, words: list[str], message: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert message in err


def test_the_plan_names_the_cores_that_would_be_emulated(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.device.emulator.find_home", lambda: None)
    assert "; runs it on emulated Cortex-A53, Cortex-A72, Cortex-A76" in run("--emulate")[2]
    assert "Cortex" not in run()[2]


def test_the_plan_refuses_what_is_not_set_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", "/nowhere")
    code, _, said = run("--emulate")
    assert (code, said) == (2, "edgekit: error: the emulator is not set up; run `edgekit emulator setup` once\n")
