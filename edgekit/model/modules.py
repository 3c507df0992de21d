"""What can be done with any torch module: count it, run it, and find out whether it is one that classifies takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from edgekit.errors import InputError, ShapeError, require_kind

#: What torch and Python raise for an input that does not fit; other errors of a user's module are its own.
UNFIT = (AttributeError, IndexError, RuntimeError, TypeError, ValueError)


def first_line(error: BaseException) -> str:
    """Of what an error says, at most 300 characters; its class where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def name_of(module: nn.Module) -> str:
    """The name of a module's class; of the user's class where it stands for a module of theirs."""
    return str(getattr(module, "stands_for", type(module).__name__))


def on_device_of(module: nn.Module, x: np.ndarray[Any, Any]) -> Tensor:
    """x as a tensor of its own where the module's parameters are: modules may write into what they are given."""
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    return torch.tensor(x, device=device)


@contextlib.contextmanager
def plain_attention() -> Iterator[None]:
    """Inside it attention is computed in operations that torch's tools can follow, and not in one of its own, which
    skips layers, packs takes by their padding and is unknown to ONNX."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Inside it torch computes on the CPU with `count` threads, None: with as many as before. It is put back."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(count or before)
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def try_module(module: nn.Module, x: np.ndarray[Any, Any], name: str) -> tuple[int, ...]:
    """The shape of a module's logits on the first takes of x float32 (takes, time, features), in evaluation mode.

    Tried with two takes, and with one alone, which a module may squeeze away. name: for messages. Raises InputError for
    what is no module, ShapeError for one that fails on the takes or does not give float32 logits (batch, classes).
    """
    require_kind(module, nn.Module, name, "a torch.nn.Module")
    require_weights(module, name, lazy=True)
    kind = f"{name}, {name_of(module)},"
    shape = _try(module, x[:2], kind)
    _try(module, x[:1], kind)
    return shape


def _try(module: nn.Module, takes: np.ndarray[Any, Any], kind: str) -> tuple[int, ...]:
    try:
        with evaluating(module):
            logits: Any = module(on_device_of(module, takes))
    except UNFIT as error:
        said = f"{first_line(error)}{_other_types(module)}"
        raise ShapeError(f"{kind} fails on takes of shape {takes.shape} (batch, time, features): {said}") from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(takes):
        got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        many = "1 take" if len(takes) == 1 else f"{len(takes)} takes"
        raise ShapeError(f"{kind} gives {got} for {many}; expected logits, a tensor (batch, classes)")
    if not logits.is_floating_point():
        raise ShapeError(f"{kind} gives {logits.dtype}; expected float32 logits, not classes")
    return tuple(logits.shape)


def _other_types(module: nn.Module) -> str:
    """What to say of a module that fails on float32 takes and has weights of another type."""
    kinds = {str(p.dtype).removeprefix("torch.") for p in module.parameters() if p.dtype != torch.float32}
    return f"; its weights are {', '.join(sorted(kinds))} and takes are float32: give model.float()" if kinds else ""


def require_finite(module: nn.Module, name: str) -> None:
    """Raises InputError for parameters without numbers, and for those that are NaN or infinite, naming each with their
    number."""
    require_weights(module, name)
    spoiled = {key: int((~torch.isfinite(weight)).sum()) for key, weight in module.named_parameters()}
    listed = [
        f"{count} of the {module.get_parameter(key).numel()} numbers of {key}"
        for key, count in spoiled.items()
        if count
    ]
    if listed:
        raise InputError(f"{name}: {', '.join(listed)} are NaN or infinite; train it again, or load a good checkpoint")


def require_weights(module: nn.Module, name: str, lazy: bool = False) -> None:
    """Raises InputError for parameters that hold no numbers: on torch's device meta, or of lazy layers that have seen
    no take. lazy: whether these will do, as the module is about to run."""
    named: Iterator[tuple[str, Any]] = module.named_parameters()
    empty = [key for key, each in named if each.is_meta or (is_lazy(each) and not lazy)]
    if empty:
        raise InputError(f"{name}: {', '.join(empty)} have no numbers yet; load its weights, or run it once on takes")


def require_trainable(module: nn.Module, name: str) -> None:
    """Raises InputError for a module of which nothing can learn."""
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise InputError(
            f"{name}, {name_of(module)}, has no parameter with requires_grad, so it can't learn; call"
            " requires_grad_(True)"
        )


def why_not_repeated(module: nn.Module, x: np.ndarray[Any, Any]) -> str:
    """What keeps a module's logits on x float32 (takes, time, features) from being compared: NaN, or other ones in a
    second run; nothing where they can be."""
    first = predict_logits(module, x)
    if not np.isfinite(first).all():
        return "gives NaN or infinity on takes of finite numbers; check its weights and what it divides by"
    if not np.array_equal(first, predict_logits(module, x)):
        return (
            "answers otherwise in a second run on the same takes; leave out random numbers, dropout that is always on,"
            " and what it keeps from run to run"
        )
    return ""


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Inside it a module is in evaluation mode, with `plain_attention`; afterwards each of its parts is in its own
    mode again."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with plain_attention():
            yield
    finally:
        for part, was_training in modes:
            part.training = was_training


def count_parameters(model: nn.Module) -> int:
    """Trainable parameters of any module."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_zeros(model: nn.Module) -> int:
    """Trainable parameters of any module that are exactly zero."""
    return sum(int((parameter == 0).sum()) for parameter in model.parameters())


@torch.no_grad()
def predict_logits(model: nn.Module, x: np.ndarray[Any, Any], batch_size: int = 256) -> np.ndarray[Any, Any]:
    """x float32 (takes, time, features) to logits float32 (takes, classes), in evaluation mode; modes are restored.

    Computes where the model's parameters are, on a copy of x. Raises ShapeError for a model that answers with anything
    but a tensor.
    """
    with evaluating(model):
        parts: list[Any] = [model(on_device_of(model, x[k : k + batch_size])) for k in range(0, len(x), batch_size)]
    others = [type(part).__name__ for part in parts if not isinstance(part, Tensor)]
    if others:
        raise ShapeError(f"{name_of(model)} gives {others[0]}; expected logits alone, a tensor (batch, classes)")
    return torch.cat(parts).float().cpu().numpy()
