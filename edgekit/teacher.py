"""Any teacher: an ONNX file, or a module that a function of the user's makes, checked against the data it shall teach.

A teacher reads raw landmarks float32 (batch, time, features) and returns logits (batch, classes). Its classes are
matched by name where it has names (an edgekit file's metadata, or an attribute `class_names` of the module), and are
taken to be in the data's order where it has none. Outputs that are probabilities, as of a model that ends in a
softmax, become their logarithms: logits but for a constant, which no softmax sees.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.artifacts import fingerprint, sha256_bytes
from edgekit.errors import ConfigError, EdgekitError, ShapeError, did_you_mean
from edgekit.evaluate import predict_batches
from edgekit.model import count_parameters, predict_logits
from edgekit.runtime import Predictor, open_predictor

#: The smallest probability whose logarithm is taken; float32 softmaxes round what is below to zero.
LEAST_PROBABILITY = 1e-7
#: Rows of non-negative outputs that add up to 1 within this are probabilities.
SUM_TOLERANCE = 1e-3
#: Takes on which a teacher is tried.
TRIAL_TAKES = 8

Form = Literal["ONNX", "PyTorch"]


@dataclass(frozen=True, eq=False)
class ForeignTeacher:
    """A teacher that edgekit did not train.

    said: how the user called it. module: raw landmarks (batch, time, features) to logits (batch, classes) in the data's
    class order, in evaluation mode. digest: SHA-256 of the file, or of the module's weights. path: of the ONNX file;
    None for a module. parameters: numbers that it holds. named: whether classes were matched by name. probabilities:
    whether its outputs were probabilities.
    """

    said: str
    form: Form
    module: nn.Module
    digest: str
    path: Path | None
    parameters: int
    named: bool
    probabilities: bool

    def describe(self) -> str:
        """What was assumed, in a sentence for people."""
        classes = "classes matched by name" if self.named else "no class names: classes taken in the data's order"
        outputs = "probabilities, used as their logarithms" if self.probabilities else "logits"
        return f"{self.said}: {self.parameters:,} parameters, outputs are {outputs}, {classes}"


def is_foreign(said: str) -> bool:
    """Whether `said` names a file or a function, `teacher.onnx` or `module:factory`, rather than a variant."""
    return said.endswith(".onnx") or ":" in said


def load_teacher(said: str, x: NDArray[np.float32], class_names: Sequence[str]) -> ForeignTeacher:
    """The teacher that `said` names, tried on some takes x float32 (takes, time, features) of the data.

    said: the path of an ONNX file that ends in .onnx, or `module:factory`, a function without arguments in a module
    that can be imported here, which returns a torch.nn.Module with its weights loaded.
    Raises ConfigError when it can't be made or does not know every class of the data, ModelFileError for a file that is
    no usable model, ShapeError when it can't take the data or answers in another shape.
    """
    trial = x[:TRIAL_TAKES]
    if said.endswith(".onnx"):
        path = Path(said)
        predictor = open_predictor(path)
        if predictor.fixed_batch not in (None, 1):
            batch = predictor.fixed_batch
            raise ConfigError(f"--teacher {said}: has a fixed batch of {batch}; export it with an open batch axis")
        metadata = predictor.info.metadata
        names = metadata.class_names if metadata else None
        raw: nn.Module = _FileModule(predictor)
        parameters = metadata.parameters if metadata and metadata.parameters else _count_file(path)
        form, digest = "ONNX", predictor.info.sha256
    else:
        path = None
        raw = _make(said).eval()
        names = _module_names(said, raw)
        parameters, form, digest = count_parameters(raw), "PyTorch", _digest(said, raw)
    outputs = _try(said, raw, trial)
    order = _class_order(said, names, outputs.shape[1], class_names)
    probabilities = _are_probabilities(outputs)
    return ForeignTeacher(
        said=said,
        form=form,  # type: ignore[arg-type]
        module=_Mapped(raw, order, probabilities).eval(),
        digest=digest,
        path=path,
        parameters=parameters,
        named=names is not None,
        probabilities=probabilities,
    )


class _FileModule(nn.Module):
    """An open ONNX file as a module: float32 (batch, time, features) to outputs (batch, classes)."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(predict_batches(self.predictor, x.numpy()))


class _Mapped(nn.Module):
    """Another module's outputs as logits of the data's classes. order: its output for each class of the data."""

    order: Tensor

    def __init__(self, inner: nn.Module, order: Sequence[int], probabilities: bool) -> None:
        super().__init__()
        self.inner = inner
        self.probabilities = probabilities
        self.register_buffer("order", torch.tensor(order))

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.inner(x).float()
        logits: Tensor = outputs.clamp_min(LEAST_PROBABILITY).log() if self.probabilities else outputs
        return logits[:, self.order]


def _count_file(path: Path) -> int:
    """Float numbers in the file's initializers."""
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    tensors = onnx.load(str(path), load_external_data=False).graph.initializer
    return sum(int(np.prod(tensor.dims)) for tensor in tensors if tensor.data_type in floats)


def _make(said: str) -> nn.Module:
    """What the user's function returns. The working directory can be imported from, as with `python -m`."""
    module_name, _, name = said.partition(":")
    if not module_name or not name.isidentifier():
        raise ConfigError(f"--teacher {said}: expected MODULE:FUNCTION, such as my_models:make_teacher")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--teacher {said}: no module '{error.name}' in {Path.cwd()} or among the installed packages; run edgekit"
            " where it can be imported"
        ) from None
    except Exception as error:  # the user's own code may raise anything
        raise ConfigError(f"--teacher {said}: importing {module_name} failed: {_where(error)}") from error
    if not hasattr(module, name):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"--teacher {said}: {module_name} has no '{name}'{did_you_mean(name, known)}")
    factory = getattr(module, name)
    if not callable(factory) or isinstance(factory, nn.Module):
        raise ConfigError(f"--teacher {said}: is {type(factory).__name__}, expected a function that returns the module")
    try:
        made = factory()
    except Exception as error:  # the user's own code may raise anything
        raise ConfigError(f"--teacher {said}: the function failed: {_where(error)}") from error
    if not isinstance(made, nn.Module):
        raise ConfigError(f"--teacher {said}: returned {type(made).__name__}, expected a torch.nn.Module")
    return made


def _where(error: Exception) -> str:
    """`ValueError: text (models.py, line 12)`: the user's own line, without a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename != __file__ and "importlib" not in frame.filename]
    place = f" ({inside[-1].filename}, line {inside[-1].lineno})" if inside else ""
    return f"{type(error).__name__}: {error}{place}"


def _module_names(said: str, module: nn.Module) -> tuple[str, ...] | None:
    names = inspect.getattr_static(module, "class_names", None)
    if names is None:
        return None
    names = module.class_names
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"--teacher {said}: its class_names are {names!r}; expected a list of names, one an output")
    return tuple(str(name) for name in names)


def _digest(said: str, module: nn.Module) -> str:
    """Of the weights and buffers; two modules of the same name and weights are taken to be the same."""
    tensors = {
        name: sha256_bytes(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        for name, value in module.state_dict().items()
        if isinstance(value, Tensor)  # modules may keep other things there
    }
    return fingerprint({"teacher": said, "kind": type(module).__qualname__, "tensors": tensors})


def _try(said: str, module: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Its outputs on x, float32 (takes, outputs)."""
    try:
        outputs = predict_logits(module, x)
    except EdgekitError as error:
        raise type(error)(f"--teacher {said}: can't take the data: {error}") from None
    except Exception as error:  # the user's own code may raise anything
        raise ShapeError(
            f"--teacher {said}: fails on takes of shape {x.shape} (takes, time, features): {_where(error)}"
        ) from error
    if outputs.ndim != 2 or len(outputs) != len(x):
        raise ShapeError(f"--teacher {said}: {x.shape} in, {outputs.shape} out; expected logits (takes, classes)")
    if not np.isfinite(outputs).all():
        raise ShapeError(f"--teacher {said}: its outputs on the training takes are not finite; check its weights")
    return outputs


def _class_order(said: str, names: Sequence[str] | None, outputs: int, class_names: Sequence[str]) -> tuple[int, ...]:
    """The teacher's output for each class of the data."""
    if names is None:
        if outputs != len(class_names):
            raise ConfigError(
                f"--teacher {said}: {outputs} outputs for {len(class_names)} classes of the data, and it has no class"
                " names to tell which is which; give it an attribute class_names, or train on the same classes"
            )
        return tuple(range(outputs))
    if len(names) != outputs or len(set(names)) != outputs:
        raise ConfigError(f"--teacher {said}: {len(set(names))} different class names for {outputs} outputs")
    unknown = [name for name in class_names if name not in names]
    if unknown:
        raise ConfigError(
            f"--teacher {said}: does not know {', '.join(unknown[:8])}{', ...' if len(unknown) > 8 else ''} of the"
            f" data's classes{did_you_mean(unknown[0], names)}"
        )
    return tuple(names.index(name) for name in class_names)


def _are_probabilities(outputs: NDArray[np.float32]) -> bool:
    return bool((outputs >= 0).all() and (np.abs(outputs.sum(axis=1) - 1.0) < SUM_TOLERANCE).all())
