"""Any teacher: an ONNX file, or a module that a function of the user's makes, checked against the data it shall teach.

A teacher reads raw landmarks float32 (batch, time, features) and returns logits (batch, classes). Its classes are
matched by name where it has names (an edgekit file's metadata, or an attribute `class_names` of the module), and are
taken to be in the data's order where it has none. Outputs that are probabilities, as of a model that ends in a
softmax, become their logarithms: logits but for a constant, which no softmax sees.
"""

from __future__ import annotations

import inspect
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
from edgekit.evaluate import Origin, are_probabilities, predict_batches
from edgekit.evaluate.class_names import contradiction
from edgekit.model import count_parameters, predict_logits
from edgekit.runtime import Predictor, open_predictor
from edgekit.teacher.code import make_module, where_raised

#: The smallest probability whose logarithm is taken; float32 softmaxes round what is below to zero.
LEAST_PROBABILITY = 1e-7
#: Takes on which a teacher is tried.
TRIAL_TAKES = 8

Form = Literal["ONNX", "PyTorch"]


_ORIGINS = {
    "own": "classes matched by its own names",
    "said": "classes matched by --class-names",
    "assumed": "no class names: classes taken in the data's order",
}


@dataclass(frozen=True, eq=False)
class ForeignTeacher:
    """A teacher that edgekit did not train.

    said: how the user called it. module: raw landmarks (batch, time, features) to logits (batch, classes) in the data's
    class order, in evaluation mode. digest: SHA-256 of the file, or of the module's weights. path: of the ONNX file;
    None for a module. parameters: numbers that it holds. names: where those of its outputs are from. probabilities:
    whether its outputs were probabilities. otherwise: that it calls its outputs otherwise itself, in words.
    """

    said: str
    form: Form
    module: nn.Module
    digest: str
    path: Path | None
    parameters: int
    names: Origin
    probabilities: bool
    otherwise: str | None = None

    def describe(self) -> str:
        """What was assumed, in a sentence for people."""
        outputs = "probabilities, used as their logarithms" if self.probabilities else "logits"
        named = _ORIGINS[self.names] + (f"; {self.otherwise}" if self.otherwise else "")
        return f"{self.said}: {self.parameters:,} parameters, outputs are {outputs}, {named}"


def load_teacher(
    said: str,
    x: NDArray[np.float32],
    class_names: Sequence[str],
    names: Sequence[str] | None = None,
    flag: str = "--teacher",
) -> ForeignTeacher:
    """The teacher that `said` names, tried on some takes x float32 (takes, time, features) of the data.

    said: the path of an ONNX file that ends in .onnx, or `module:factory`, a function without arguments in a module
    that can be imported here, which returns a torch.nn.Module with its weights loaded; the function is run, so take it
    from nowhere but the command line. class_names: of the data. names: of the teacher's outputs, first to last, where
    they were said; they win over its own. flag: that said it, for messages.
    Raises ConfigError when it can't be made or does not know every class of the data, ModelFileError for a file that is
    no usable model, ShapeError when it can't take the data or answers in another shape. Whether its answers fit the
    labels is `check_teacher`'s to tell.
    """
    path, named = Path(said) if said.endswith(".onnx") else None, f"{flag} {said}"
    raw, own, parameters, digest = _open_module(said, flag) if path is None else _open_file(path, named)
    outputs = _try(named, raw, x[:TRIAL_TAKES])
    known = own if names is None else names
    order = _class_order(named, known, outputs.shape[1], class_names)
    probabilities = are_probabilities(outputs)
    return ForeignTeacher(
        said=said,
        form="PyTorch" if path is None else "ONNX",
        module=_Mapped(raw, order, probabilities, outputs.shape[1]).eval(),
        digest=digest,
        path=path,
        parameters=parameters,
        names="assumed" if known is None else "own" if names is None else "said",
        probabilities=probabilities,
        otherwise=contradiction(names, own, "it"),
    )


#: A module, the names of its outputs where it has some, how many numbers it holds, and a digest of them.
_Opened = tuple[nn.Module, Sequence[str] | None, int, str]


def _open_file(path: Path, named: str) -> _Opened:
    predictor = open_predictor(path)
    if predictor.fixed_batch not in (None, 1):
        batch = predictor.fixed_batch
        raise ConfigError(f"{named}: has a fixed batch of {batch}; export it with an open batch axis")
    metadata = predictor.info.metadata
    parameters = metadata.parameters if metadata and metadata.parameters else _count_file(path)
    return _FileModule(predictor), metadata.class_names if metadata else None, parameters, predictor.info.sha256


def _open_module(said: str, flag: str) -> _Opened:
    made = make_module(said, flag).eval()
    return made, _module_names(f"{flag} {said}", made), count_parameters(made), _digest(said, made)


class _FileModule(nn.Module):
    """An open ONNX file as a module: float32 (batch, time, features) to outputs (batch, classes)."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(predict_batches(self.predictor, x.numpy()))


class _Mapped(nn.Module):
    """Another module's outputs as logits of the data's classes. order: its output for each class of the data.
    outputs: how many it has."""

    order: Tensor

    def __init__(self, inner: nn.Module, order: Sequence[int], probabilities: bool, outputs: int) -> None:
        super().__init__()
        self.inner, self.stands_for = inner, type(inner).__name__
        self.probabilities = probabilities
        self.as_it_is = list(order) == list(range(outputs))
        self.register_buffer("order", torch.tensor(order))

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.inner(x).float()
        logits: Tensor = outputs.clamp_min(LEAST_PROBABILITY).log() if self.probabilities else outputs
        return logits if self.as_it_is else logits[:, self.order]


def _count_file(path: Path) -> int:
    """Float numbers in the file's initializers."""
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    tensors = onnx.load(str(path), load_external_data=False).graph.initializer
    return sum(int(np.prod(tensor.dims)) for tensor in tensors if tensor.data_type in floats)


def _module_names(named: str, module: nn.Module) -> tuple[str, ...] | None:
    names = inspect.getattr_static(module, "class_names", None)
    if names is None:
        return None
    names = module.class_names
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{named}: its class_names are {names!r}; expected a list of names, one per output")
    return tuple(str(name) for name in names)


def _digest(said: str, module: nn.Module) -> str:
    """Of the weights and buffers; two modules of the same name and weights are taken to be the same."""
    tensors = {
        name: sha256_bytes(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        for name, value in module.state_dict().items()
        if isinstance(value, Tensor)  # modules may keep other things there
    }
    return fingerprint({"teacher": said, "kind": type(module).__qualname__, "tensors": tensors})


def _try(named: str, module: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Its outputs on x, float32 (takes, outputs)."""
    try:
        outputs = predict_logits(module, x)
    except EdgekitError as error:
        raise type(error)(f"{named}: can't take the data: {error}") from None
    except Exception as error:  # the user's own code may raise anything
        raise ShapeError(
            f"{named}: fails on takes of shape {x.shape} (takes, time, features): {where_raised(error)}"
        ) from error
    if outputs.ndim != 2 or len(outputs) != len(x):
        raise ShapeError(f"{named}: {x.shape} in, {outputs.shape} out; expected logits (takes, classes)")
    if not np.isfinite(outputs).all():
        raise ShapeError(f"{named}: its outputs on the training takes are not finite; check its weights")
    return outputs


def _class_order(named: str, names: Sequence[str] | None, outputs: int, class_names: Sequence[str]) -> tuple[int, ...]:
    """The teacher's output for each class of the data."""
    if names is None:
        if outputs != len(class_names):
            raise ConfigError(
                f"{named}: {outputs} outputs for {len(class_names)} classes of the data, and it has no class"
                " names to tell which is which; name them, first output to last, with --class-names NAME,NAME,..."
            )
        return tuple(range(outputs))
    if len(names) != outputs or len(set(names)) != outputs:
        raise ConfigError(f"{named}: {len(set(names))} different class names for {outputs} outputs; give one each")
    unknown = [name for name in class_names if name not in names]
    if unknown:
        raise ConfigError(
            f"{named}: does not know {', '.join(unknown[:8])}{', ...' if len(unknown) > 8 else ''} of the"
            f" data's classes{did_you_mean(unknown[0], names)}"
        )
    return tuple(names.index(name) for name in class_names)
