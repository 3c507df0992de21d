"""Measures a model in a process of its own (`worker.py`) and summarises the samples; no torch, no onnx."""

from edgekit.measure.launch import WORKER, WorkerRequest, WorkerResult, run_worker
from edgekit.measure.statistics import (
    PERCENTILES,
    LatencySummary,
    MedianInterval,
    enough,
    interval_rank,
    least_count,
    median_interval,
    percentile,
    ratio_interval,
    summarise,
)

__all__ = [
    "PERCENTILES",
    "WORKER",
    "LatencySummary",
    "MedianInterval",
    "WorkerRequest",
    "WorkerResult",
    "enough",
    "interval_rank",
    "least_count",
    "median_interval",
    "percentile",
    "ratio_interval",
    "run_worker",
    "summarise",
]
