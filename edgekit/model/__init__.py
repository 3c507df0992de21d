"""The recurrent classifier: what it may look like, the module itself, what can be done with it, and its files."""

from edgekit.model.architecture import (
    GATES,
    NOMINAL,
    VARIANTS,
    Architecture,
    Cell,
    ModelConfig,
    Readout,
    variant,
)
from edgekit.model.classifier import Preprocess, RecurrentClassifier, build_model
from edgekit.model.foreign import refuse_scripted, require_float32, try_learning, unwrapped
from edgekit.model.modules import (
    UNFIT,
    count_parameters,
    count_zeros,
    evaluating,
    first_line,
    on_device_of,
    plain_attention,
    predict_logits,
    require_finite,
    require_trainable,
    torch_threads,
    try_module,
    why_not_repeated,
)
from edgekit.model.saving import load_model, save_model
from edgekit.model.stacks import RecurrentStack, recurrent_layers, refuse_projections, split_recurrent

__all__ = [
    "GATES",
    "NOMINAL",
    "UNFIT",
    "VARIANTS",
    "Architecture",
    "Cell",
    "ModelConfig",
    "Preprocess",
    "Readout",
    "RecurrentClassifier",
    "RecurrentStack",
    "build_model",
    "count_parameters",
    "count_zeros",
    "evaluating",
    "first_line",
    "load_model",
    "on_device_of",
    "plain_attention",
    "predict_logits",
    "recurrent_layers",
    "refuse_projections",
    "refuse_scripted",
    "require_finite",
    "require_float32",
    "require_trainable",
    "save_model",
    "split_recurrent",
    "torch_threads",
    "try_learning",
    "try_module",
    "unwrapped",
    "variant",
    "why_not_repeated",
]
