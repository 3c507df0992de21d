"""The job in order: the only place that knows how the stages follow each other; turns paths into objects and back.

Every function takes an open `Workspace` and returns a frozen result; nothing is printed here. torch is imported when a
stage needs it, so bench, evaluate and predict work without.
"""

from edgekit.pipeline.bench_plan import plan_bench
from edgekit.pipeline.benches import bench_model, check_reports, compare_models, write_reports
from edgekit.pipeline.class_names import parse_class_names
from edgekit.pipeline.evaluation import evaluate_file
from edgekit.pipeline.files import find_model
from edgekit.pipeline.jobs import (
    ChainResult,
    default_settings,
    run_chain,
    run_distill,
    run_prune,
    run_quantize,
    run_train,
    show_settings,
    show_variants,
)
from edgekit.pipeline.options import SECTIONS, Options, said_options
from edgekit.pipeline.settings import PRESETS, Settings, naming_source
from edgekit.pipeline.tuning import TuneResult, run_tune
from edgekit.pipeline.use import (
    MIN_FRAMES,
    describe_environment,
    int8_path,
    predict_frames,
    predict_labels,
    predict_takes,
    quantize_file,
)
from edgekit.pipeline.workspace import Record, Silent, Watcher, Workspace, open_workspace

__all__ = [
    "MIN_FRAMES",
    "PRESETS",
    "SECTIONS",
    "ChainResult",
    "Options",
    "Record",
    "Settings",
    "Silent",
    "TuneResult",
    "Watcher",
    "Workspace",
    "bench_model",
    "check_reports",
    "compare_models",
    "default_settings",
    "describe_environment",
    "evaluate_file",
    "find_model",
    "int8_path",
    "naming_source",
    "open_workspace",
    "parse_class_names",
    "plan_bench",
    "predict_frames",
    "predict_labels",
    "predict_takes",
    "quantize_file",
    "run_chain",
    "run_distill",
    "run_prune",
    "run_quantize",
    "run_train",
    "run_tune",
    "said_options",
    "show_settings",
    "show_variants",
    "write_reports",
]
