"""Opens model files: what one says, whether it may be opened, and predictions from validated input.

Needs numpy and onnxruntime only; onnxruntime is imported when the first session is opened.
"""

from edgekit.runtime.inspection import ModelInfo, inspect_model
from edgekit.runtime.metadata import PREPROCESSING, SCHEMES, ModelMetadata
from edgekit.runtime.native import NativePredictor, Runtime, find_library, inspect_any, is_library, open_native
from edgekit.runtime.native_stream import NativeStream
from edgekit.runtime.session import BatchDependenceWarning, Predictor, open_predictor, validate_input
from edgekit.runtime.summary import TensorInfo

__all__ = [
    "PREPROCESSING",
    "SCHEMES",
    "BatchDependenceWarning",
    "ModelInfo",
    "ModelMetadata",
    "NativePredictor",
    "NativeStream",
    "Predictor",
    "Runtime",
    "TensorInfo",
    "find_library",
    "inspect_any",
    "inspect_model",
    "is_library",
    "open_native",
    "open_predictor",
    "validate_input",
]
