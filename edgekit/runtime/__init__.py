"""Opens model files: what one says, whether it may be opened, and predictions from validated input.

Needs numpy and onnxruntime only; onnxruntime is imported when the first session is opened.
"""

from edgekit.runtime.inspection import ModelInfo, inspect_model
from edgekit.runtime.metadata import PREPROCESSING, SCHEMES, ModelMetadata, Rejection, Score, StateInfo
from edgekit.runtime.native import NativePredictor, Runtime, find_library, inspect_any, is_library, open_native
from edgekit.runtime.native_stream import NativeStream
from edgekit.runtime.opening import open_predictor
from edgekit.runtime.restarted import RestartedStream, open_stream
from edgekit.runtime.session import BatchDependenceWarning, Predictor, validate_input
from edgekit.runtime.steps import OnnxStream, StepPredictor
from edgekit.runtime.summary import TensorInfo

__all__ = [
    "PREPROCESSING",
    "SCHEMES",
    "BatchDependenceWarning",
    "ModelInfo",
    "ModelMetadata",
    "NativePredictor",
    "NativeStream",
    "OnnxStream",
    "Predictor",
    "Rejection",
    "RestartedStream",
    "Runtime",
    "Score",
    "StateInfo",
    "StepPredictor",
    "TensorInfo",
    "find_library",
    "inspect_any",
    "inspect_model",
    "is_library",
    "open_native",
    "open_predictor",
    "open_stream",
    "validate_input",
]
