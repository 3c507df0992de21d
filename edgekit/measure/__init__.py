"""Measures a model in a process of its own (`worker.py`) and summarises the samples; no torch, no onnx."""

from edgekit.measure.disturbance import Change, Disturbance, find_disturbances, level_change, warmup_end
from edgekit.measure.launch import WORKER, Value, WorkerRequest, run_worker
from edgekit.measure.result import FedInput, Machine, MemoryStage, RunWindow, Use, WorkerResult
from edgekit.measure.statistics import (
    PERCENTILES,
    LatencySummary,
    MedianInterval,
    PercentileInterval,
    closing_count,
    enough,
    inflation,
    interval_ranks,
    least_count,
    median_interval,
    percentile,
    percentile_interval,
    ratio_interval,
    summarise,
)
from edgekit.measure.stopping import LOOK_CONFIDENCE, StopRule, stop_rule

__all__ = [
    "LOOK_CONFIDENCE",
    "PERCENTILES",
    "WORKER",
    "Change",
    "Disturbance",
    "FedInput",
    "LatencySummary",
    "Machine",
    "MedianInterval",
    "MemoryStage",
    "PercentileInterval",
    "RunWindow",
    "StopRule",
    "Use",
    "Value",
    "WorkerRequest",
    "WorkerResult",
    "closing_count",
    "enough",
    "find_disturbances",
    "inflation",
    "interval_ranks",
    "least_count",
    "level_change",
    "median_interval",
    "percentile",
    "percentile_interval",
    "ratio_interval",
    "run_worker",
    "stop_rule",
    "summarise",
    "warmup_end",
]
