"""Verdicts: a profile's constraints against measurements, whatever their source. Loads neither torch nor onnx."""

from edgekit.bench.baseline import Baseline, hold_against, read_baseline
from edgekit.bench.changes import BaselineChanges, Change
from edgekit.bench.compare import CompareResult, TimeRatio, compare_onnx
from edgekit.bench.emulated import Agreement, Emulation, agreement
from edgekit.bench.result import BenchResult, Measurement, Row
from edgekit.bench.run import bench_onnx
from edgekit.bench.settings import EVIDENCE_ORDER, BenchConfig, CompareConfig, Evidence
from edgekit.bench.verdict import judge
from edgekit.evaluate import Flips
from edgekit.evaluate.accuracy import Accuracy, LabelledTakes, Parent, score_accuracy

__all__ = [
    "EVIDENCE_ORDER",
    "Accuracy",
    "Agreement",
    "Baseline",
    "BaselineChanges",
    "BenchConfig",
    "BenchResult",
    "Change",
    "CompareConfig",
    "CompareResult",
    "Emulation",
    "Evidence",
    "Flips",
    "LabelledTakes",
    "Measurement",
    "Parent",
    "Row",
    "TimeRatio",
    "agreement",
    "bench_onnx",
    "compare_onnx",
    "hold_against",
    "judge",
    "read_baseline",
    "score_accuracy",
]
