"""Any torch module to ONNX: torch writes the graph, edgekit tidies it, describes it and proves it.

torch's TorchScript exporter is used, not its newer one: that leaves the weights of recurrent layers behind chains of
nodes, freezes axes in silence and needs another package.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from edgekit import __version__
from edgekit.artifacts import scratch_folder
from edgekit.errors import ConfigError, EdgekitError, GateError, ShapeError
from edgekit.evaluate import are_probabilities, predict_batches
from edgekit.export.builder import IR_VERSION, OPSET
from edgekit.export.parity import TOLERANCE, ParityResult
from edgekit.export.tidying import tidied
from edgekit.model import UNFIT, evaluating, first_line, on_device_of, predict_logits, why_not_repeated
from edgekit.runtime import ModelMetadata, open_predictor

F32 = NDArray[np.float32]

#: Takes of seeded random numbers on which every file is proven, beside those that were given.
RANDOM_TAKES = 16
#: Of all takes, so many first and last ones are also run one at a time.
SINGLY = 2


def module_file(model: nn.Module, frames: int, features: int, metadata: ModelMetadata) -> tuple[bytes, int]:
    """The file of any module from takes float32 (batch, frames, features) to logits (batch, classes), not yet proven,
    and how many nodes it has.

    The batch stays open. Raises ConfigError for a module that torch can't export.
    """
    proto = tidied(_exported(model, frames, features))
    proto.ir_version = min(proto.ir_version, IR_VERSION)
    proto.producer_name, proto.producer_version, proto.graph.name = "edgekit", __version__, "edgekit"
    helper.set_model_props(proto, metadata.to_props())
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString(deterministic=True), len(proto.graph.node)


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


def _exported(model: nn.Module, frames: int, features: int) -> onnx.ModelProto:
    takes = on_device_of(model, random_takes(2, frames, features))
    buffer: Any = io.BytesIO()
    how: dict[str, Any] = {"opset_version": OPSET, "dynamo": False, "external_data": False, "verbose": False}
    how |= {"input_names": ["landmarks"], "output_names": ["logits"]}
    how["dynamic_axes"] = {"landmarks": {0: "batch"}, "logits": {0: "batch"}}
    try:
        with evaluating(model), torch.no_grad(), warnings.catch_warnings(), _silent_exporter():
            # torch on its own deprecations, and on what tracing may freeze: the proof finds out what it did
            warnings.simplefilter("ignore")
            torch.onnx.export(model, (takes,), buffer, **how)
    except Exception as error:  # torch's exporter and the user's code may raise anything
        why = _packed(model, takes) or first_line(error)
        raise _unexportable(model, why) from error
    return onnx.load_from_string(buffer.getvalue())


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


def _unexportable(model: nn.Module, why: str) -> ConfigError:
    return ConfigError(
        f"export_onnx: model, {type(model).__name__}, can't be exported: {why}. What ONNX does not know has to be"
        " written in other operations"
    )


def random_takes(count: int, frames: int, features: int) -> F32:
    """Seeded takes float32 (count, frames, features) from a normal distribution."""
    return np.random.default_rng(0).standard_normal((count, frames, features)).astype(np.float32)


def expected_logits(model: nn.Module, takes: F32) -> F32:
    """What torch answers. Raises ShapeError for answers that are not finite, or probabilities."""
    logits: F32 = predict_logits(model, takes)
    if not np.isfinite(logits).all():
        raise ShapeError(
            f"export_onnx: model, {type(model).__name__}, gives NaN or infinity on takes of finite numbers; check its"
            " weights and what it divides by"
        )
    if are_probabilities(logits):
        raise ShapeError(
            f"export_onnx: model, {type(model).__name__}, gives probabilities, and edgekit's files hold logits; leave"
            " out the softmax at its end"
        )
    return logits


def _singly(answer: Callable[[F32], F32], takes: F32) -> list[F32]:
    return [answer(takes[k : k + 1]) for k in range(len(takes))]


def prove_file(model: nn.Module, content: bytes, takes: F32, name: str) -> ParityResult:
    """Compares the file with torch on takes float32 (takes, frames, features), together and one at a time.

    The allowed difference is `TOLERANCE` for logits up to 1, and in proportion to the largest for others. Raises
    GateError beyond it, and where ONNX Runtime can't run what torch wrote.
    """
    alone = np.concatenate([takes[:SINGLY], takes[-SINGLY:]])
    expected = np.concatenate([expected_logits(model, takes), *_singly(partial(expected_logits, model), alone)])
    try:
        with scratch_folder("export") as folder:
            path = folder / "model.onnx"
            path.write_bytes(content)
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
            raise ShapeError(f"export_onnx: model, {type(model).__name__}, {reason}; nothing was written")
        raise GateError(
            f"{name}: the file's logits differ from torch's by {difference:.2e} on {len(takes)} takes, allowed"
            f" {allowed:.0e}; nothing was written. Does its forward choose by what is in the takes, or by their number?"
        )
    return ParityResult(difference, len(takes), allowed, Path(name))
