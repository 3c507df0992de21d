"""Instructions on Arm: the page tells what was counted, and what is counted now is not more."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from edgekit.errors import EdgekitError

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ("Cortex-A53", "Cortex-A76", "Cortex-A7")
WHAT = {"": "prediction", ", with an answer": "step", ", taken in without an answer": "step without an answer"}
Need = Callable[[str], str]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_instructions", ROOT / "bench" / "instructions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # for its dataclasses
    spec.loader.exec_module(module)
    return module


def test_the_page_tells_what_was_counted() -> None:
    page = (ROOT / "docs" / "native.md").read_text(encoding="utf-8").partition("<!-- figures of instructions")[2]
    measured = json.loads((ROOT / "bench" / "results" / "instructions.json").read_text(encoding="utf-8"))["models"]
    rows = re.findall(r"^\| ((?:INT8|fp32), \d\d units)(.*?) \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) == 8
    for model, what, cells in rows:
        assert cells.split(" | ") == [f"{measured[model][board][WHAT[what]]:,}" for board in BOARDS]
    counts = measured["INT8, 64 units"]["Cortex-A53"]
    assert f"at most {counts['most: prediction']:,} for a prediction" in page.replace("\n", " ")
    assert f"{counts['most: step']:,} for a step with an answer" in page.replace("\n", " ")


@pytest.mark.slow
def test_the_int8_student_keeps_its_budget_of_instructions(need: Need, tmp_path: Path) -> None:
    """The figures aimed at for Cortex-A53; other compilers than gcc 12 may be some percent off."""
    bench = _load()
    for tool in ("gcc", "aarch64-linux-gnu-gcc", "qemu-aarch64"):
        need(tool)
    try:
        plugin = bench.build_plugin(tmp_path)
    except EdgekitError as error:
        pytest.skip(str(error))
    bench.write_program(bench.students(tmp_path)["INT8, 64 units"], tmp_path)
    found = bench.counted(bench.BOARDS["Cortex-A53"], plugin, tmp_path)
    assert 100_000 < found["prediction"] <= 300_000
    assert found["prediction"] <= found["most: prediction"] <= 300_000
    assert 5_000 < found["step without an answer"] < found["step"] <= found["most: step"] <= 20_000
