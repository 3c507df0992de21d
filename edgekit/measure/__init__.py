"""Measures a model in a process of its own (`worker.py`) and summarises the samples; no torch, no onnx."""

from edgekit.measure.launch import WORKER, WorkerRequest, WorkerResult, run_worker
from edgekit.measure.statistics import (
    PERCENTILES,
    LatencySummary,
    enough,
    least_count,
    percentile,
    summarise,
)

__all__ = [
    "PERCENTILES",
    "WORKER",
    "LatencySummary",
    "WorkerRequest",
    "WorkerResult",
    "enough",
    "least_count",
    "percentile",
    "run_worker",
    "summarise",
]
