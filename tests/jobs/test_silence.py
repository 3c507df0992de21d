"""Commands that may take minutes say so: nobody looks at an empty log for longer than half a minute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = {
    "bench": ("bench", "shipped", "--repeats", 5, "--processes", 1, "--duration", 0.1),
    "compare": ("compare", "shipped", "shipped", "--repeats", 5, "--processes", 1),
    "quantize": ("quantize", "model.onnx"),
    "synth": ("data", "synth", "hands.npz", "--people", 1, "--takes-per-letter", 2),
    "check": ("data", "check", "letters.npz"),
    "clean": ("data", "clean", "letters.npz", "clean.npz"),
}


#: A bench's verdict on this machine is not what is asked here.
DONE = {"bench": (0, 3, 4), "compare": (0, 4)}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_command_that_takes_long_says_so(
    cli: Callable[..., Any],
    lstm_file: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    lstm_file(hidden=64)
    if name in ("check", "clean"):
        assert cli("data", "synth", "letters.npz", "--people", 2, "--takes-per-letter", 3).code == 0
    monkeypatch.setattr("edgekit.cli.progress.SILENCE_S", 0.0)
    monkeypatch.setattr("edgekit.cli.progress.LOOKS_EVERY_S", 0.001)
    answer = cli(*ARGUMENTS[name])
    assert answer.code in DONE.get(name, (0,)), answer.err
    assert f"  {name}: 0:00 so far\n" in answer.err
