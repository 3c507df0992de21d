"""Models that really are too large, too slow or too hungry, through the command line, in fresh processes."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Megabytes that the hungry model takes, and that its profile allows: a machine of 2 GB survives without the limit.
HUNGRY_MB, ALLOWED_MB = 600, 100


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("models", ROOT / "bench" / "models.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


models = _load()


@dataclass(frozen=True)
class Answer:
    """What `edgekit bench --json` said. content: None when it ended with an error instead of a result."""

    code: int
    content: dict[str, Any] | None
    errors: str

    def rows(self, constraint: str) -> list[dict[str, Any]]:
        """What became of one constraint: this machine's row, then the boards'."""
        assert self.content is not None, self.errors
        return [row for row in self.content["rows"] if row["constraint"] == constraint]

    @property
    def violated(self) -> set[str]:
        """Constraints that the JSON calls violated."""
        assert self.content is not None, self.errors
        return {row["constraint"] for row in self.content["rows"] if row["verdict"] == "fail"}


def bench(path: Path, *options: str) -> Answer:
    """The command in a process of its own, and its answer."""
    command = [sys.executable, "-m", "edgekit", "bench", str(path), "--workdir", str(path.parent / "work"), "--json"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=ROOT, check=False, timeout=300)
    return Answer(done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr)


def verdict_line(path: Path, *options: str) -> str:
    """The last line of the report for people."""
    command = [sys.executable, "-m", "edgekit", "bench", str(path), "--workdir", str(path.parent / "work"), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=300)
    return done.stdout.strip().splitlines()[-1]


def test_a_model_that_fits_ends_with_0(tmp_path: Path) -> None:
    """A limit of 100 ms for what takes 0.05: no load of a test machine can bring it there. Repeats keep it short."""
    answer = bench(models.fits(tmp_path / "fits.onnx"), "--repeats", "200")
    assert answer.code == 0, answer.errors
    assert answer.content is not None
    assert (answer.content["verdict"], answer.content["exit_code"]) == ("pass", 0)
    assert {row["verdict"] for row in answer.content["rows"]} == {"pass"}


def test_a_file_beyond_10_mb_ends_with_3(tmp_path: Path) -> None:
    path = models.large(tmp_path / "large.onnx")
    short = ("--repeats", "200", "--processes", "1")
    answer = bench(path, *short)
    assert answer.code == 3, answer.errors
    assert answer.violated == {"max_model_mb"}
    (row,) = answer.rows("max_model_mb")
    assert row["measured"] == path.stat().st_size > row["limit"] == 10_000_000
    assert row["margin"] == row["limit"] - row["measured"] < 0
    assert verdict_line(path, *short) == "does not fit raspberry-pi: file size"


def test_a_model_beyond_100_ms_ends_with_3_soon(tmp_path: Path) -> None:
    """40 thousand million multiply-adds: no core does them in 100 ms, and no percentile is needed to see it."""
    path = models.slow(tmp_path / "slow.onnx")
    assert path.stat().st_size < 10_000_000
    answer = bench(path, "--time-limit", "6", "--processes", "1")
    assert answer.code == 3, answer.errors
    assert answer.violated == {"max_latency_ms"}
    here, *boards = answer.rows("max_latency_ms")
    assert here["verdict"] == "fail"
    assert here["floor"] > here["limit"] == 0.1, "so few samples tell what it is not below, and no percentile"
    assert boards
    assert all(row["floor"] > row["limit"] for row in boards)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_file_of_171_bytes_that_takes_600_mb_is_stopped_or_found_out(tmp_path: Path) -> None:
    """Violated where it was measured; where a hard limit ended the process, an error that names memory and the file."""
    path = models.hungry(tmp_path / "hungry.onnx", HUNGRY_MB * 1_000_000)
    assert path.stat().st_size < 1000
    profile = tmp_path / "small.yaml"
    profile.write_text(f"max_ram_mb: {ALLOWED_MB}\n")
    answer = bench(path, "--profile", str(profile), "--repeats", "5", "--time-limit", "10")
    if answer.content is None:
        assert answer.code in (2, 3)
        assert "memory" in answer.errors
        assert "hungry.onnx" in answer.errors
    else:
        assert answer.code == 3
        assert answer.violated == {"max_ram_mb"}
        assert all(row["limit"] == ALLOWED_MB * 1_000_000 for row in answer.rows("max_ram_mb"))
