"""The linter, the formatter and the type checker are part of the tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: What the documentation's example leaves to the user.
PRELUDE = """from torch import nn

my_teacher: nn.Module = nn.Sequential(nn.Flatten(), nn.Linear(30 * 63, 26))
"""
#: Settings that are left out have defaults; pydantic's plugin alone would see that of a default without its name.
SETTINGS = """
from edgekit.bench import BenchConfig

few = BenchConfig(repeats=50)
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command", [["ruff", "check", "."], ["ruff", "format", "--check", "."]], ids=["lint", "format"]
)
def test_the_house_is_tidy(command: list[str]) -> None:
    finished = run(*command)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_the_types_of_the_house_and_of_a_users_own_file_are_right(tmp_path: Path) -> None:
    """The documentation's Python example is one; it is checked as strictly, without plugins, from what mypy has just
    learned of PyTorch, which takes it most of a minute."""
    finished = run("mypy")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine.py").write_text(PRELUDE + example + SETTINGS, encoding="utf-8")
    (tmp_path / "wrong.py").write_text("from edgekit.data import load_recordings\nload_recordings(3)\n")
    finished = run("mypy", str(tmp_path / "mine.py"), str(tmp_path / "wrong.py"))
    errors = [line for line in finished.stdout.splitlines() if " error: " in line]
    assert [Path(line.partition(":")[0]).name for line in errors] == ["wrong.py"], finished.stdout + finished.stderr
