"""Real files in real processes: what fits, what is too large, too slow, too hungry, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydantic
import pytest
from onnx import helper

from edgekit.bench import BenchConfig, bench_onnx
from edgekit.errors import ConfigError, ModelFileError, ShapeError
from edgekit.measure import WorkerRequest, run_worker
from edgekit.profiles import Profile
from edgekit.report.bench import bench_text

FEW = BenchConfig(repeats=200, warmup=5, min_time_s=0, processes=1)
#: Where no limit of latency ends it: on a noisy machine it takes a minute until the latency is known to 5 %.
SHORTLY = FEW.model_copy(update={"time_limit_s": 1.0})


def _takes(count: int = 100) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (count, 30, 63)).astype(np.float32)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_the_64_unit_student_fits_the_family_without_torch_in_its_memory(lstm_file) -> None:
    """75 MB: 60 is what is seen, other builds of Python and numpy differ by some MB; torch alone would take 218."""
    result = bench_onnx(lstm_file(64), "raspberry-pi", FEW, takes=_takes())
    assert (result.verdict, result.exit_code) == ("pass", 0)
    assert result.measurement.peak_rss_bytes is not None
    assert result.measurement.peak_rss_bytes < 75e6
    assert bench_text(result).splitlines()[-1] == (
        "fits raspberry-pi: size, latency and memory are within its limits; accuracy was not judged"
    )


def test_a_file_that_is_too_large_fails(save_onnx) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["logits"])]
    path = save_onnx(nodes, {"x": ["batch", 1600]}, {"w": np.ones((1600, 1600), np.float32)})
    assert path.stat().st_size > 10_000_000
    result = bench_onnx(path, "raspberry-pi", FEW)
    assert result.exit_code == 3
    assert "file size" in bench_text(result).splitlines()[-1]


@pytest.mark.parametrize("key", ["max_model_mb", "max_latency_ms", "max_ram_mb"])
def test_each_limit_is_enforced(lstm_file, key: str) -> None:
    """No model is below a millionth of a MB or a ms: a limit there must be reported as violated."""
    profile = Profile.model_validate({"name": "tiny", key: 1e-6})
    result = bench_onnx(lstm_file(), profile, SHORTLY)
    assert [(row.constraint, row.verdict) for row in result.rows] == [(key, "fail")]
    assert result.exit_code == 3
    assert bench_text(result).splitlines()[-1].startswith("does not fit tiny: ")


def test_json_holds_every_sample_and_says_where_it_was_measured(lstm_file) -> None:
    result = bench_onnx(
        lstm_file(), "raspberry-pi", BenchConfig(repeats=200, min_time_s=0, processes=2), takes=_takes()
    )
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["schema_version"] == 2
    assert [process["ended_by"] for process in content["processes"]["latency"]] == ["known", "known"]
    counts = [len(process["samples_ns"]) for process in content["processes"]["latency"]]
    assert min(counts) >= 200
    assert [len(process["thread_cpu_ns"]) for process in content["processes"]["latency"]] == counts
    assert len(content["processes"]["memory"]) == 2
    assert content["latency"]["samples"] == content["thread_cpu"]["samples"] == sum(counts)
    assert all(value > 0 for value in content["cold_start"].values())
    assert [found["samples"] for found in content["latency_processes"]] == counts
    for found in content["latency_processes"]:
        assert found["percent"] == 95
        assert 0 < found["low_s"] <= found["value_s"] <= found["high_s"]
    assert content["machine"]["onnxruntime"]
    assert content["model"]["size_bytes"] == result.info.path.stat().st_size
    assert content["exit_code"] == result.exit_code
    assert {"measured", "limit", "margin", "evidence", "verdict", "unit"} <= set(content["rows"][0])


def test_profile_threads_are_used_unless_the_config_says_otherwise(lstm_file) -> None:
    seen: list[WorkerRequest] = []

    def spy(request: WorkerRequest) -> object:
        seen.append(request)
        return run_worker(replace(request, threads=1))

    bench_onnx(lstm_file(), Profile(name="x", threads=3), SHORTLY, measure=spy)
    bench_onnx(lstm_file(), Profile(name="x", threads=3), SHORTLY.model_copy(update={"threads": 2}), measure=spy)
    assert [(request.mode, request.threads) for request in seen] == [
        ("memory", 3), ("latency", 3), ("memory", 2), ("latency", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "duration_s"),
    [({"rate_hz": 30.0}, 10.0), ({"duration_s": 60.0}, 60.0), ({"rate_hz": 30.0, "duration_s": 5.0}, 5.0)],
)
def test_a_sustained_run_is_one_more_process_and_has_no_say(
    lstm_file, settings: dict[str, float], duration_s: float
) -> None:
    """Nobody waits for it here: the run that is made lasts a tenth of a second, back to back."""
    seen: list[WorkerRequest] = []

    def spy(request: WorkerRequest) -> object:
        seen.append(request)
        sustained = request.mode == "sustained"
        return run_worker(replace(request, max_time_s=0.1, rate_hz=None) if sustained else request)

    config = BenchConfig.model_validate({**FEW.model_dump(), **settings})
    result = bench_onnx(lstm_file(), Profile(name="x", max_latency_ms=1000), config, takes=_takes(), measure=spy)
    assert [request.mode for request in seen] == ["memory", "latency", "sustained"]
    assert (seen[-1].max_time_s, seen[-1].rate_hz) == (duration_s, settings.get("rate_hz"))
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["sustained"]["duration_s"] == duration_s
    assert len(content["sustained"]["windows"]) == 10
    windows = content["processes"]["sustained"]["windows"]
    assert sum(len(window["samples_ns"]) for window in windows) == content["sustained"]["latency"]["samples"]
    assert [row.constraint for row in result.rows] == ["max_latency_ms"]


def test_without_being_asked_for_nothing_else_is_run(lstm_file) -> None:
    content = bench_onnx(lstm_file(), Profile(name="x", max_latency_ms=1000), FEW).to_dict()
    assert content["sustained"] is content["sweep"] is content["processes"]["sustained"] is None


def test_bad_files_and_takes_raise(lstm_file, tmp_path: Path) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"junk" * 100)
    (tmp_path / "empty.onnx").touch()
    for name in ("junk.onnx", "empty.onnx", "missing.onnx"):
        with pytest.raises(ModelFileError, match=name):
            bench_onnx(tmp_path / name, "raspberry-pi", FEW)
    for takes in (np.zeros((0, 30, 63)), np.full((1, 30, 63), np.nan), np.zeros((4, 29, 63)), np.float32(1)):
        with pytest.raises(ShapeError):
            bench_onnx(lstm_file(), "raspberry-pi", FEW, takes=takes)
    with pytest.raises(ConfigError, match="did you mean"):
        bench_onnx(lstm_file(), "raspberry-py", FEW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"repeats": 0},
        {"processes": 0},
        {"rate_hz": 0},
        {"rate_hz": 1e-300},
        {"duration_s": 1e10},
        {"time_limit_s": 1e300},
        {"repeats": 10**20},
        {"duration_s": -1},
        {"min_samples": 5},
        {"time_limit_s": 0},
        {"evidence": "a feeling"},
        {"repeat": 5},
    ],
)
def test_a_wrong_config_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        BenchConfig(**wrong)


@pytest.mark.parametrize("module", ["bench", "device", "measure", "profiles", "report.bench"])
def test_imports_bring_neither_torch_nor_onnx_nor_onnxruntime(module: str) -> None:
    code = (
        f"import sys, edgekit.{module}; "
        "print([name for name in ('torch', 'onnx', 'lightning', 'onnxruntime') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"
