"""Opens a model file for predictions, whether it reads takes or one frame a run."""

from __future__ import annotations

from pathlib import Path

from edgekit.artifacts import StrPath
from edgekit.runtime.inspection import inspect_bytes, read_model, require_numbers
from edgekit.runtime.session import Predictor, open_session
from edgekit.runtime.steps import StepPredictor


def open_predictor(path: StrPath, threads: int = 1) -> Predictor:
    """Open the model at `path` on the CPU. threads: of one operator, at least 1.

    Raises ModelFileError for a file that `inspect_model` refuses, that ONNX Runtime can't load, or that does
    not map one float32 input to one float32 output (batch, classes); ConfigError for threads below 1. A step model
    gives a `StepPredictor`, which answers to takes as others do.
    """
    content = read_model(path)
    path = Path(path)
    info = inspect_bytes(content, path)
    require_numbers(info)
    kind = StepPredictor if info.steps else Predictor
    return kind(open_session(content, path, threads), info)
