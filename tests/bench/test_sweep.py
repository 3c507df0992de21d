"""The survey of threads and batches: which points, on what, and that it has no say in the verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from onnx import helper

from edgekit.bench import BenchConfig, bench_onnx
from edgekit.bench.sweep import BATCHES, one_batch_reason, sweep_model
from edgekit.errors import ModelFileError
from edgekit.measure import FedInput, Machine, WorkerRequest, WorkerResult, run_worker
from edgekit.profiles import Profile
from edgekit.report.bench import sweep_text
from edgekit.runtime import inspect_model


def answers(request: WorkerRequest, cores: int = 4) -> WorkerResult:
    """1 ms a run and 0.1 ms a take more, whatever the threads."""
    (name, sizes), *_ = request.shapes.items() or [("landmarks", (1, 30, 63))]
    took = 10**6 + 10**5 * sizes[0]
    return WorkerResult(
        samples_ns=(took,) * request.repeats,
        thread_cpu_ns=(took,) * request.repeats,
        warmup_ns=(),
        import_ns=1,
        session_ns=1,
        first_run_ns=1,
        peak_rss_bytes=1,
        memory_reason=None,
        stages=(),
        inputs=(FedInput(name, "tensor(float)", tuple(sizes), "random"),),
        machine=Machine(cores=cores),
    )


def test_every_thread_count_that_there_are_cores_for_by_every_batch(lstm_file) -> None:
    path = lstm_file()
    request = WorkerRequest(path, "latency")
    for cores, threads in ((1, [1]), (2, [1, 2]), (3, [1, 2]), (8, [1, 2, 4])):
        found = sweep_model(inspect_model(path), answers(request, cores), request, answers)
        assert [(point.threads, point.batch) for point in found.points] == [(t, b) for t in threads for b in BATCHES]
        assert found.batch_reason == ""
    rates = [point.takes_per_s for point in found.points[:3]]
    assert rates == pytest.approx([1 / 1.1e-3, 4 / 1.4e-3, 16 / 2.6e-3])


def test_a_batch_that_would_change_results_or_does_not_fit_is_not_tried(lstm_file, save_onnx) -> None:
    fixed = inspect_model(lstm_file(batch=1))
    assert "fixed first axis" in one_batch_reason(fixed)
    dynamic = replace(fixed, op_types={"DynamicQuantizeLSTM": 1})
    assert "DynamicQuantizeLSTM gives all takes of a batch one scale" in one_batch_reason(dynamic)
    two = save_onnx([helper.make_node("Add", ["a", "b"], ["logits"])], {"a": ["n", 2], "b": ["n", 2]})
    assert "2 inputs" in one_batch_reason(inspect_model(two))
    request = WorkerRequest(two, "latency")
    found = sweep_model(dynamic, answers(request), request, answers)
    assert {point.batch for point in found.points} == {1}
    assert "note: batch 1 only: DynamicQuantizeLSTM" in sweep_text(found)


def test_a_point_that_fails_is_a_reason_and_not_an_error(lstm_file) -> None:
    path = lstm_file()
    request = WorkerRequest(path, "latency")

    def measure(asked: WorkerRequest) -> WorkerResult:
        if asked.shapes["landmarks"][0] == 16:
            raise ModelFileError("no batch of 16")
        stopped: Any = "Failed to allocate" if asked.threads == 2 else None
        return replace(answers(asked), stopped=stopped)

    found = sweep_model(inspect_model(path), answers(request, 2), request, measure)
    assert [point.reason for point in found.points] == [
        "", "", "no batch of 16",
        *["stopped at the memory limit: Failed to allocate"] * 2, "no batch of 16",
    ]  # fmt: skip
    assert "note: threads 1, batch 16: no batch of 16" in sweep_text(found)


def test_a_real_sweep_is_in_json_and_text_and_has_no_say(lstm_file) -> None:
    config = BenchConfig(repeats=200, warmup=5, min_time_s=0, processes=1, sweep=True)
    result = bench_onnx(lstm_file(), Profile(name="x", max_latency_ms=1000), config, measure=run_worker)
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    batches = [point["batch"] for point in content["sweep"]["points"] if point["threads"] == 1]
    assert batches == list(BATCHES)
    assert all(point["latency"]["p95_s"] > 0 for point in content["sweep"]["points"])
    assert [row.constraint for row in result.rows] == ["max_latency_ms"]
