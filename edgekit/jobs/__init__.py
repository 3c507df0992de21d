"""One use case a command: the only place that knows how the stages follow each other.

A function takes an open `Workspace`, or paths, and returns a frozen result; nothing is printed here. torch is imported
when a stage needs it, so bench, evaluate and predict work without.
"""

from edgekit.evaluate import Evaluation
from edgekit.jobs.bench import bench_model, check_reports, write_reports
from edgekit.jobs.bench_plan import plan_bench
from edgekit.jobs.chain import (
    default_settings,
    run_chain,
    run_distill,
    run_prune,
    run_quantize,
    run_train,
    show_settings,
    show_variants,
)
from edgekit.jobs.compare import compare_models, write_comparison
from edgekit.jobs.compile_file import compile_file
from edgekit.jobs.emulator import Examination, examine_onnxruntime
from edgekit.jobs.evaluate import evaluate_file
from edgekit.jobs.export_module import export_module
from edgekit.jobs.labels import predict_labels
from edgekit.jobs.landmarks import LandmarksOptions, read_landmarks
from edgekit.jobs.live import LiveRun, find_live_model, open_lines, open_source, refuse_handless
from edgekit.jobs.model_files import find_model, find_reader
from edgekit.jobs.quantize_file import int8_path, quantize_file
from edgekit.jobs.record import RecordOptions, record_takes
from edgekit.jobs.search import run_search
from edgekit.jobs.step_file import make_steps
from edgekit.jobs.tune import run_tune

__all__ = [
    "Evaluation",
    "Examination",
    "LandmarksOptions",
    "LiveRun",
    "RecordOptions",
    "bench_model",
    "check_reports",
    "compare_models",
    "compile_file",
    "default_settings",
    "evaluate_file",
    "examine_onnxruntime",
    "export_module",
    "find_live_model",
    "find_model",
    "find_reader",
    "int8_path",
    "make_steps",
    "open_lines",
    "open_source",
    "plan_bench",
    "predict_labels",
    "quantize_file",
    "read_landmarks",
    "record_takes",
    "refuse_handless",
    "run_chain",
    "run_distill",
    "run_prune",
    "run_quantize",
    "run_search",
    "run_train",
    "run_tune",
    "show_settings",
    "show_variants",
    "write_comparison",
    "write_reports",
]
