"""Models that want more memory than there may be: stopped for real, and reported as a violated constraint."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from edgekit.bench import BenchConfig, bench_onnx
from edgekit.bench.run import HARD_LIMIT_LEAST_BYTES, memory_limit_bytes
from edgekit.errors import ModelFileError
from edgekit.measure import WorkerRequest, WorkerResult, run_worker
from edgekit.profiles import Profile, load_profile
from edgekit.report.bench import bench_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts mapped memory on Linux only")

FEW = BenchConfig(repeats=200, warmup=5, min_time_s=0, processes=2)
SIDE = 20_000  # a float32 matrix of this side is 1.6 GB

SaveOnnx = Callable[..., Path]


def tiles(save_onnx: SaveOnnx, side: int = SIDE) -> Path:
    """A few hundred bytes of file, side * side * 4 bytes of tensor."""
    nodes = [helper.make_node("Tile", ["x", "times"], ["all"]), helper.make_node("ReduceMax", ["all"], ["logits"])]
    return save_onnx(nodes, {"x": [1, 1]}, {"times": np.array([side, side])})


def constant(save_onnx: SaveOnnx) -> Path:
    """The same by ConstantOfShape: it depends on no input, and may be made as soon as the file is opened."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["all"]),
        helper.make_node("ReduceMax", ["all"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["logits"]),
    ]
    return save_onnx(nodes, {"x": [1, 1]}, {"size": np.array([SIDE, SIDE])})


@pytest.mark.parametrize("make", [tiles, constant])
def test_a_tiny_file_that_takes_gigabytes_violates_the_memory_constraint(
    save_onnx: SaveOnnx, make: Callable[[SaveOnnx], Path]
) -> None:
    path = make(save_onnx)
    assert path.stat().st_size < 400
    result = bench_onnx(path, "raspberry-pi", FEW)
    assert (result.verdict, result.exit_code) == ("fail", 3)
    rows = [row for row in result.rows if row.constraint == "max_ram_mb"]
    assert {row.verdict for row in rows} == {"fail"}
    assert {row.floor for row in rows} == {614_400_000}
    assert "stopped at the limit of 614 MB beyond its imports (RLIMIT_DATA)" in rows[0].note
    assert "1600000000" in rows[0].note


def test_what_was_measured_until_then_is_kept_and_written(save_onnx: SaveOnnx) -> None:
    """JSON and text of a bench without a single latency."""
    result = bench_onnx(tiles(save_onnx), "raspberry-pi", FEW)
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["latency"] is content["thread_cpu"] is None
    assert content["memory"]["stopped"] is True
    assert content["memory"]["limit_kind"] == "RLIMIT_DATA"
    assert [stage["stage"] for stage in content["memory"]["stages"]] == [
        "interpreter", "imports", "session", "stopped",
    ]  # fmt: skip
    assert content["memory"]["stages"][-1]["peak_rss_bytes"] < 150e6
    assert content["cold_start"]["first_run_s"] is None
    assert len(content["processes"]["memory"]) == 1
    text = bench_text(result)
    assert "> 614.40 MB" in text
    assert text.splitlines()[-1].startswith("does not fit raspberry-pi: peak memory")


def test_a_model_within_the_hard_limit_is_measured_and_judged_by_its_peak(save_onnx: SaveOnnx) -> None:
    """A tensor of 400 MB against 307 MB: too large, but not so much that it has to be stopped."""
    quick = FEW.model_copy(update={"processes": 1, "time_limit_s": 1.0})
    result = bench_onnx(tiles(save_onnx, 10_000), "raspberry-pi", quick)
    row = next(row for row in result.rows if row.constraint == "max_ram_mb")
    assert (row.verdict, result.measurement.stopped) == ("fail", None)
    assert row.measured is not None
    assert 400e6 < row.measured < 560e6


def test_the_hard_limit_is_twice_the_least_of_the_profiles_and_never_too_small_to_measure() -> None:
    assert memory_limit_bytes(load_profile("raspberry-pi")) == 614_400_000
    assert memory_limit_bytes(Profile(name="x", max_ram_mb=1)) == HARD_LIMIT_LEAST_BYTES
    assert memory_limit_bytes(Profile(name="x")) is None


def test_the_latency_processes_are_limited_too(save_onnx: SaveOnnx, tmp_path: Path) -> None:
    """A model whose hunger shows only there."""
    seen: list[WorkerRequest] = []

    def measure(request: WorkerRequest) -> WorkerResult:
        seen.append(request)
        return run_worker(replace(request, model=small if request.mode == "memory" else hungry))

    small = tiles(save_onnx, 10).rename(tmp_path / "small.onnx")
    hungry = tiles(save_onnx)
    result = bench_onnx(small, "raspberry-pi", FEW, measure=measure)
    assert [(request.mode, request.memory_limit_bytes) for request in seen] == [
        ("memory", 614_400_000), ("memory", 614_400_000), ("latency", 614_400_000),
    ]  # fmt: skip
    assert result.exit_code == 3


def test_the_limit_leaves_room_for_the_stacks_of_threads(lstm_file) -> None:
    """ONNX Runtime waits for ever for a thread that can't start."""
    result = run_worker(WorkerRequest(lstm_file(), "latency", threads=200, repeats=1, memory_limit_bytes=10**8))
    assert len(result.samples_ns) == 1


def test_a_process_that_dies_of_its_limit_is_stopped_and_not_broken(lstm_file, tmp_path: Path) -> None:
    """An allocation that fails in a thread of ONNX Runtime ends the process; without a limit that is another matter."""
    fake = tmp_path / "fake.py"
    fake.write_text(
        "import os, sys\n"
        "sys.stderr.write(\"terminate called after throwing an instance of 'std::bad_alloc'\\n\")\n"
        "sys.stderr.flush()\n"
        "os.abort()\n"
    )
    request = WorkerRequest(lstm_file(), "memory", memory_limit_bytes=10**9)
    result = run_worker(request, worker=fake)
    assert result.stopped is not None
    assert "std::bad_alloc" in result.stopped
    with pytest.raises(ModelFileError, match="SIGABRT"):
        run_worker(replace(request, memory_limit_bytes=None), worker=fake)

    def measure(_: WorkerRequest) -> WorkerResult:
        return result

    benched = bench_onnx(lstm_file(), "raspberry-pi", FEW, measure=measure)
    assert benched.exit_code == 3
    assert "does not fit" in bench_text(benched)


def test_without_a_limit_a_failed_allocation_is_the_models_fault(save_onnx: SaveOnnx) -> None:
    """More than any machine has."""
    with pytest.raises(ModelFileError, match="fails while it runs"):
        run_worker(WorkerRequest(tiles(save_onnx, 40_000_000), "memory", repeats=1))
