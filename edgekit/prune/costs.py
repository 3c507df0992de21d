"""What a model costs: parameters, multiply-adds, or what somebody measures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from edgekit.model import evaluating, recurrent_layers


@torch.no_grad()
def count_macs(module: nn.Module, takes: Tensor) -> int:
    """Multiply-accumulates of one prediction at batch 1, of the products in LSTM, GRU, Linear and Conv1d layers.

    takes: float32 (takes, time, features), of which the first is run. A recurrent layer has, a layer and direction,
    time * gates * hidden * (in + hidden). Other operations are not counted.
    """
    found: list[int] = []

    def count(part: Any, given: tuple[Any, ...], output: Any) -> None:
        if isinstance(part, nn.Linear):
            found.append(output.numel() * part.in_features)
        elif isinstance(part, nn.Conv1d):
            found.append(output.numel() * part.weight[0].numel())
        else:
            states = output[0].data if isinstance(output[0], PackedSequence) else output[0]
            steps = states.numel() // states.shape[-1]
            found.append(steps * sum(p.numel() for name, p in part.named_parameters() if name.startswith("weight")))

    kinds = {id(layer) for _, layer in recurrent_layers(module)}
    counted = [part for part in module.modules() if isinstance(part, (nn.Linear, nn.Conv1d)) or id(part) in kinds]
    hooks = [part.register_forward_hook(count) for part in counted]
    try:
        with evaluating(module):
            module(takes[:1].clone())
    finally:
        for hook in hooks:
            hook.remove()
    return sum(found)
