"""Workers on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.study.local import _safe_path


@pytest.mark.untraced
@pytest.mark.parametrize("before", [None, ""])
def test_a_worker_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    """Python's own way to start one is `python -c`, which looks there first, also for `multiprocessing` itself."""
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    if before is not None:
        monkeypatch.setenv("PYTHONSAFEPATH", before)
    (tmp_path / "multiprocessing.py").write_text("print('run')\n")
    command = [sys.executable, "-c", "import multiprocessing"]

    def said() -> str:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert said() == "run\n", "or this test proves nothing"
    with _safe_path():
        assert said() == ""
    assert os.environ.get("PYTHONSAFEPATH") == before
