"""The bench report: memory split, CPU time, cold start, disturbances and sustained runs as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.bench import BenchConfig, BenchResult, Measurement
from edgekit.bench.result import ColdStart
from edgekit.bench.sustained import Sustained
from edgekit.measure import Machine, MemoryStage, RunWindow, WorkerResult
from edgekit.profiles import Profile
from edgekit.report.bench import cold_start_line, disturbance_notes, memory_line, spread_line, sustained_text
from edgekit.runtime import ModelInfo

MB = 1_000_000
STAGES = [("interpreter", 10, 10), ("imports", 45, 46), ("session", 50, 50), ("first run", 52, 54), ("run", 52, 55)]


def worker(samples_ns: tuple[int, ...] = (), **changes: Any) -> WorkerResult:
    fields: dict[str, Any] = {
        "samples_ns": samples_ns,
        "thread_cpu_ns": samples_ns,
        "warmup_ns": (),
        "import_ns": 150 * 10**6,
        "session_ns": 3 * 10**6,
        "first_run_ns": 400_000,
        "peak_rss_bytes": 55 * MB,
        "memory_reason": None,
        "stages": tuple(MemoryStage(name, rss * MB, peak * MB, pss_bytes=48 * MB) for name, rss, peak in STAGES),
        "inputs": (),
        "machine": Machine(cores=2),
    }
    return WorkerResult(**{**fields, **changes})


def window(samples_ns: list[int], **changes: Any) -> RunWindow:
    response_ns = tuple(2 * sample for sample in samples_ns)
    return RunWindow(tuple(samples_ns), tuple(samples_ns), response_ns, len(samples_ns), **changes)


def test_memory_is_split_and_the_models_own_share_is_what_came_after_the_imports() -> None:
    measured = Measurement((), (worker(), worker(peak_rss_bytes=53 * MB)))
    assert memory_line(measured) == (
        "memory here: peak 55.00 MB = Python 10.0 + imports 35.0 + session 5.0 + first run 2.0 + later runs 0.0"
        " + passing 3.0; the model's own 10.00 MB; PSS 48.00 MB, USS -"
    )
    assert measured.own_bytes == 10 * MB


def test_the_parts_add_up_to_the_peak() -> None:
    line = memory_line(Measurement((), (worker(),)))
    parts = line.partition(" = ")[2].partition(";")[0].split(" + ")
    assert sum(float(part.rpartition(" ")[2]) for part in parts) == pytest.approx(55)


def test_memory_that_the_system_does_not_tell() -> None:
    stages = (MemoryStage("imports"),)
    measured = Measurement((), (worker(peak_rss_bytes=None, memory_reason="Plan9 has no /proc", stages=stages),))
    assert memory_line(measured) == "memory here: Plan9 has no /proc"
    assert measured.own_bytes is None


def test_cold_start_is_the_median_of_the_processes() -> None:
    results = [worker(import_ns=ms * 10**6, session_ns=ms * 10**5, first_run_ns=ms * 10**4) for ms in (100, 900, 200)]
    found = Measurement(tuple(results), ()).cold_start
    assert found == ColdStart(0.2, 0.02, 0.002)
    assert cold_start_line(found) == "cold start: imports 200 ms, session 20 ms, first run 2 ms"
    assert cold_start_line(ColdStart(0.2, None, None)) == "cold start: imports 200 ms, session -, first run -"


def test_a_disturbance_is_said_once_with_its_worst_process_and_the_next_step() -> None:
    still, step = (100_000,) * 1000, (100_000,) * 500 + (120_000,) * 500
    measured = Measurement((worker(still), worker(step), worker((100_000,) * 500 + (150_000,) * 500)), ())
    notes = disturbance_notes(measured)
    assert len(notes) == 1
    assert notes[0].startswith("note: drift in 2 of 3 processes, at worst: 50.0 % slower from run 500 of 1000 on")
    assert "--duration 60" in notes[0]


def test_a_sustained_run_shows_first_against_last_and_what_the_machine_does_not_show() -> None:
    windows = [window([100_000] * 20, frequency_hz=1.8e9, temperature_c=48.3)]
    windows += [window([100_000] * 20)] * 8 + [window([130_000] * 20, frequency_hz=6e8, temperature_c=81.0)]
    found = Sustained(60.0, None, worker(windows=tuple(windows)))
    lines = sustained_text(found).splitlines()
    assert lines[0] == (
        "sustained 60 s back to back; median of the last window +30.0 % on the first"
        " (information, no part of the verdict)"
    )
    assert "1800 MHz" in lines[4]
    assert "81.0 C" in lines[-1]
    assert lines[5].split()[-2:] == ["-", "-"]
    assert found.response is None
    assert found.to_dict()["change_ratio"] == pytest.approx(0.3)


def test_a_paced_run_says_how_many_were_late_and_how_long_an_answer_took() -> None:
    windows = tuple([window([100_000] * 20)] * 9 + [window([])])
    found = Sustained(10.0, 30.0, worker(windows=windows, due=200, missed=7))
    assert sustained_text(found).splitlines()[0] == (
        "sustained 10 s at 30 takes per second; 7 of 200 missed their deadline, due to done p50 0.2 ms, p90 0.2 ms,"
        " p95 0.2 ms (information, no part of the verdict)"
    )
    assert (found.change_ratio, found.windows[-1].latency) == (None, None)


def test_the_spread_between_processes_shows() -> None:
    processes = [worker((latency_ns,) * 300) for latency_ns in (100_000, 130_000)]
    profile = Profile(name="x", latency_percentile=95)
    info: Any = object.__new__(ModelInfo)
    result = BenchResult(info, profile, BenchConfig(), 1, Measurement(tuple(processes), (worker(),)), ())
    assert spread_line(result) == ["p95 by process: 0.1 ms, 0.13 ms; within 0.1 ms to 0.13 ms (99 %)"]
    few = BenchResult(info, profile, BenchConfig(), 1, Measurement((worker((100_000,) * 9),), (worker(),)), ())
    assert spread_line(few) == ["p95 by process: ?; within 0.1 ms to ? (99 %)"]
