"""What a module of the user's has to be before it is pruned, exported or taught, and what is around it taken off."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from edgekit.errors import ConfigError, InputError, ShapeError
from edgekit.model.modules import UNFIT, first_line, name_of, on_device_of

_HALF = (torch.float16, torch.bfloat16)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside torch.compile, DataParallel and the like, which compute what it computes; or itself."""
    while True:
        wraps = isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel))
        inner = getattr(module, "module" if wraps else "_orig_mod", None)
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def refuse_scripted(module: nn.Module, name: str, whole: bool = False) -> None:
    """Raises ConfigError for a part that torch.jit has scripted or traced, naming it. name: of the module, for
    messages. whole: whether the module itself may be, with all that is in it."""
    if whole and isinstance(module, torch.jit.ScriptModule):
        return
    for place, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise ConfigError(
                f"{name}: {place or 'it'} is scripted or traced by torch.jit, so edgekit can't see its layers; give the"
                " module that it was made from, with its weights"
            )


def require_float32(module: nn.Module, name: str, double: bool = False) -> None:
    """Raises InputError for parameters of another floating type than float32, naming the first. double: whether
    float64 will do."""
    allowed = (torch.float32, torch.float64) if double else (torch.float32,)
    found = [(key, p) for key, p in module.named_parameters() if p.is_floating_point() and p.dtype not in allowed]
    if found:
        key, first = found[0]
        more = f" and {len(found) - 1} more parameters are" if len(found) > 1 else " is"
        raise InputError(
            f"{name}: {key}{more} {str(first.dtype).removeprefix('torch.')}; edgekit prunes, trains and exports in"
            " float32: give copy.deepcopy(model).float(), and let its forward convert nothing"
        )


def try_learning(module: nn.Module, x: np.ndarray[Any, Any], name: str) -> None:
    """Raises ShapeError for a module that can't learn: one whose forward pass in training mode gives no logits, or
    behind which no gradient comes back. x: float32 (takes, time, features), of which two are tried on a copy.

    What can't be copied is not tried. Random numbers are as before.
    """
    try:
        twin = copy.deepcopy(module).train()
    except Exception:  # of the user's own; where a copy is needed, `stacks` says that there can be none
        return
    takes = on_device_of(twin, x[np.arange(2) % len(x)])
    devices = [takes.device] if takes.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        try:
            logits: Any = twin(takes)
            trouble = _no_logits(logits)
            if not trouble:
                logits.float().sum().backward()
        except UNFIT as error:
            trouble = first_line(error)
    if trouble:
        raise ShapeError(f"{name}, {name_of(module)}, can't learn: in training mode {trouble}")


def _no_logits(logits: Any) -> str:
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        return f"it gives {got}; expected logits, a tensor (batch, classes), as in evaluation mode"
    return "" if logits.requires_grad else "its logits have no gradient; leave out no_grad, detach and inference_mode"
