"""Bench results without a bench."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.bench import BenchConfig, BenchResult, Measurement, Row
from edgekit.measure import FedInput, Machine, WorkerResult
from edgekit.profiles import Profile
from edgekit.runtime import ModelInfo

HOST = "measured on this host"
MACHINE = {
    "system": "Linux", "architecture": "x86_64", "cpu_model": "Test CPU", "cores": 2, "device_tree_model": None,
    "load_1min": 0.5, "python": "3.11.2", "numpy": "2.0.0", "onnxruntime": "1.20.0",
}  # fmt: skip


def make_row(verdict: str, board: str | None = None, note: str = "", **more: Any) -> Row:
    """Of latency unless told otherwise."""
    plain: dict[str, Any] = {
        "constraint": "max_latency_ms", "quantity": "latency p95", "measured": 0.001, "limit": 0.1, "unit": "s",
        "evidence": HOST,
    }  # fmt: skip
    return Row(**{**plain, **more}, board=board, verdict=verdict, note=note)  # type: ignore[arg-type]


@pytest.fixture
def row() -> Callable[..., Row]:
    """(verdict, board, note, fields of Row): a row."""
    return make_row


@pytest.fixture
def bench() -> Callable[..., BenchResult]:
    """(rows, name, path, machine, evidence): a finished bench with these rows."""

    def make(
        *rows: Row, name: str = "raspberry-pi", path: str = "model.onnx", evidence: str = "estimated", **machine: Any
    ) -> BenchResult:
        result = WorkerResult(
            samples_ns=(1_000_000,) * 200,
            thread_cpu_ns=(),
            warmup_ns=(),
            import_ns=1,
            session_ns=1,
            first_run_ns=1,
            peak_rss_bytes=60_000_000,
            memory_reason=None,
            stages=(),
            inputs=(FedInput("landmarks", "tensor(float)", (1, 30, 63), "takes"),),
            machine=Machine.from_dict({**MACHINE, **machine}),
        )
        info = ModelInfo(Path(path), 34_053, "ab" * 32, None, 8, {}, "", (), (), {})
        config = BenchConfig(evidence=evidence)  # type: ignore[arg-type]
        return BenchResult(info, Profile(name=name), config, 1, Measurement((result,), (result,)), rows)

    return make
