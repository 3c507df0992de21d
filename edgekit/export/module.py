"""Any torch module to ONNX: torch writes the graph, edgekit tidies it, describes it and proves it.

torch's TorchScript exporter is used, not its newer one: that leaves the weights of recurrent layers behind chains of
nodes, freezes axes in silence and needs another package.
"""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

from edgekit import __version__
from edgekit.artifacts import scratch_folder
from edgekit.errors import ConfigError, EdgekitError, GateError, ShapeError
from edgekit.evaluate import are_probabilities, predict_batches
from edgekit.export.builder import IR_VERSION, OPSET
from edgekit.export.parity import TOLERANCE, ParityResult
from edgekit.export.tidying import tidied
from edgekit.model import (
    UNFIT,
    evaluating,
    first_line,
    name_of,
    on_device_of,
    predict_logits,
    why_not_repeated,
)
from edgekit.runtime import ModelMetadata, open_predictor

F32 = NDArray[np.float32]

#: Takes of seeded random numbers on which every file is proven, beside those that were given.
RANDOM_TAKES = 16
#: Of all takes, so many first and last ones are also run one at a time.
SINGLY = 2


class ModuleFile(NamedTuple):
    """content: of the ONNX file. nodes: how many it has. frozen: what torch made a constant of while it followed the
    module, in its words and with the user's line; nothing where it noticed none."""

    content: bytes
    nodes: int
    frozen: str


def module_file(model: nn.Module, frames: int, features: int, metadata: ModelMetadata) -> ModuleFile:
    """The file of any module from takes float32 (batch, frames, features) to logits (batch, classes), not yet proven.

    The batch stays open. Raises ConfigError for a module that torch can't export, or follow from takes to logits.
    """
    exported, frozen = _exported(model, frames, features)
    proto = tidied(exported)
    if not proto.graph.input:
        raise _unexportable(
            model,
            "torch can't follow the takes to the logits; keep them tensors, without numpy, item() or tolist()",
            frozen,
        )
    proto.ir_version = min(proto.ir_version, IR_VERSION)
    proto.producer_name, proto.producer_version, proto.graph.name = "edgekit", __version__, "edgekit"
    helper.set_model_props(proto, metadata.to_props())
    onnx.checker.check_model(proto, full_check=True)
    return ModuleFile(proto.SerializeToString(deterministic=True), len(proto.graph.node), frozen)


@contextlib.contextmanager
def _silent_exporter() -> Iterator[None]:
    """Inside it torch's exporter prints nothing to stdout, neither from Python nor, of graphs that fail, from C++: it
    switches that log on whatever it is told (torch 2.13), so the log itself is taken away."""
    log = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = _say_nothing
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        torch._C._jit_onnx_log = log


def _say_nothing(*_: object) -> None:
    """In place of a log."""


def _exported(model: nn.Module, frames: int, features: int) -> tuple[onnx.ModelProto, str]:
    """What torch wrote, and what it froze. Weights that a parametrisation computes are computed once, beforehand."""
    takes = on_device_of(model, random_takes(2, frames, features))
    buffer: Any = io.BytesIO()
    how: dict[str, Any] = {"opset_version": OPSET, "dynamo": False, "external_data": False, "verbose": False}
    how |= {"input_names": ["landmarks"], "output_names": ["logits"]}
    how["dynamic_axes"] = {"landmarks": {0: "batch"}, "logits": {0: "batch"}}
    try:
        with evaluating(model), torch.no_grad(), _silent_exporter(), _warned() as warned:
            torch.onnx.export(_computed_once(model), (takes,), buffer, **how)
    except Exception as error:  # torch's exporter and the user's code may raise anything
        raise _unexportable(model, _packed(model, takes) or _why(error)) from error
    return onnx.load_from_string(buffer.getvalue()), _frozen(warned)


def _computed_once(model: nn.Module) -> nn.Module:
    """A copy whose weights are numbers, where parametrisations compute some (spectral_norm, orthogonal, weight_norm);
    else the model itself."""
    if not any(parametrize.is_parametrized(part) for part in model.modules()):
        return model
    twin = copy.deepcopy(model)
    for part in twin.modules():
        lists: Any = part.parametrizations if parametrize.is_parametrized(part) else {}
        for name, compute in list(lists.items()):
            lists[name] = _Computed(compute())
    return twin


class _Computed(nn.Module):
    """In place of a parametrisation: what it gives."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value.detach())

    def forward(self) -> Any:
        return self.value


@contextlib.contextmanager
def _warned() -> Iterator[list[warnings.WarningMessage]]:
    """Inside it warnings are kept and not shown: torch's on its own deprecations, and on what tracing may freeze."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield warned


def _frozen(warned: list[warnings.WarningMessage]) -> str:
    """torch's first warning that a value of the user's code will be a constant, its first sentence, and where."""
    torch_itself = Path(torch.__file__).parent
    for each in warned:
        if each.category.__name__ == "TracerWarning" and torch_itself not in Path(each.filename).parents:
            said = str(each.message).split(". ")[0].removesuffix(".")
            return f"{said} ({Path(each.filename).name}, line {each.lineno})"
    return ""


def _why(error: Exception) -> str:
    """What torch's exporter says, and what it means where that is known."""
    said = first_line(error)
    if "requires grad as a constant" in said:
        return (
            "it computes with weights that are none of its parameters; keep layers in nn.ModuleList or nn.ModuleDict,"
            " not in a list or dict, and weights in nn.Parameter"
        )
    return f"{said.removesuffix('.')}. What ONNX does not know has to be written in other operations"


def _packed(model: nn.Module, takes: torch.Tensor) -> str:
    """Which recurrent layer reads packed takes, in words; nothing where none does."""
    found: list[nn.Module] = []

    def look(part: nn.Module, given: Any) -> None:
        if given and isinstance(given[0], PackedSequence):
            found.append(part)

    hooks = [part.register_forward_pre_hook(look) for part in model.modules() if isinstance(part, nn.RNNBase)]
    try:
        with contextlib.suppress(*UNFIT), evaluating(model), torch.no_grad():
            model(takes.clone())
    finally:
        for hook in hooks:
            hook.remove()
    names = [name for name, part in model.named_modules() if any(part is one for one in found)]
    return (
        f"{names[0] or 'it'} reads packed takes; read whole ones, since edgekit's all have one length" if names else ""
    )


def _unexportable(model: nn.Module, why: str, frozen: str = "") -> ConfigError:
    said = f". torch says: {frozen}" if frozen else ""
    return ConfigError(f"export_onnx: model, {name_of(model)}, can't be exported: {why}{said}")


def random_takes(count: int, frames: int, features: int) -> F32:
    """Seeded takes float32 (count, frames, features) from a normal distribution."""
    return np.random.default_rng(0).standard_normal((count, frames, features)).astype(np.float32)


def expected_logits(model: nn.Module, takes: F32) -> F32:
    """What torch answers. Raises ShapeError for answers that are not finite, or probabilities."""
    logits: F32 = predict_logits(model, takes)
    if not np.isfinite(logits).all():
        raise ShapeError(
            f"export_onnx: model, {name_of(model)}, gives NaN or infinity on takes of finite numbers; check its"
            " weights and what it divides by"
        )
    if are_probabilities(logits):
        raise ShapeError(
            f"export_onnx: model, {name_of(model)}, gives probabilities, and edgekit's files hold logits; leave"
            " out the softmax at its end"
        )
    return logits


def _singly(answer: Callable[[F32], F32], takes: F32) -> list[F32]:
    return [answer(takes[k : k + 1]) for k in range(len(takes))]


def prove_file(model: nn.Module, made: ModuleFile, takes: F32, name: str) -> ParityResult:
    """Compares a module's file with torch on takes float32 (takes, frames, features), together and one at a time.

    The allowed difference is `TOLERANCE` for logits up to 1, and in proportion to the largest for others. Raises
    GateError beyond it, and where ONNX Runtime can't run what torch wrote.
    """
    alone = np.concatenate([takes[:SINGLY], takes[-SINGLY:]])
    expected = np.concatenate([expected_logits(model, takes), *_singly(partial(expected_logits, model), alone)])
    try:
        with scratch_folder("export") as folder:
            path = folder / "model.onnx"
            path.write_bytes(made.content)
            predictor = open_predictor(path)
            got = np.concatenate([predict_batches(predictor, takes), *_singly(predictor, alone)])
    except EdgekitError as error:
        raise GateError(
            f"{name}: ONNX Runtime can't run what torch exported: {error}; nothing was written. Shapes must not hang on"
            " the number of takes: x.size(0) stays open, len(x) does not"
        ) from error
    difference = float(np.abs(got - expected).max()) if got.shape == expected.shape else float("inf")
    allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if not difference <= allowed:
        if reason := why_not_repeated(model, takes):
            raise ShapeError(f"export_onnx: model, {name_of(model)}, {reason}; nothing was written")
        why = (
            f"torch says: {made.frozen}"
            if made.frozen
            else "Does its forward choose by what is in the takes, or by their number?"
        )
        raise GateError(
            f"{name}: the file's logits differ from torch's by {difference:.2e} on {len(takes)} takes, allowed"
            f" {allowed:.0e}; nothing was written. {why}"
        )
    return ParityResult(difference, len(takes), allowed, Path(name))
