"""Recurrent layers for torch-pruning, whose own LSTM pruner is broken and which has none for GRU.

A unit j of a recurrent layer owns: row j of every gate in weight_ih, weight_hh and both biases, column j of weight_hh,
and the columns that read it downstream. In a bidirectional layer unit j is removed from both directions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

RECURRENT = (nn.LSTM, nn.GRU)


class _TracedLayer(torch.autograd.Function):
    """One autograd node for a whole recurrent layer: (batch, time, in) to (batch, time, out). Only ever traced."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, out: int) -> Tensor:
        return x.new_zeros(*x.shape[:-1], out)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError("a traced layer has no gradient")


@contextlib.contextmanager
def traceable_recurrent_layers() -> Iterator[None]:
    """While active, nn.LSTM and nn.GRU are single nodes of the autograd graph, as torch-pruning needs them.

    The layers' final states are not available while tracing: they are read off the output, whose unit order is theirs.
    """
    originals = {kind: kind.forward for kind in RECURRENT}

    def forward(self: Any, x: Tensor, state: Any = None) -> Any:
        directions = 2 if self.bidirectional else 1
        y = _TracedLayer.apply(
            x,  # type: ignore[no-untyped-call]
            self.weight_ih_l0,
            directions * self.hidden_size,
        )
        final = y[:, -1].unflatten(1, (directions, -1)).transpose(0, 1)
        return y, (final, final) if isinstance(self, nn.LSTM) else final

    for kind in RECURRENT:
        kind.forward = forward  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        for kind, original in originals.items():
            kind.forward = original  # type: ignore[method-assign]


def suffixes(layer: nn.Module) -> tuple[str, ...]:
    """Of the parameter names, one per direction."""
    return ("", "_reverse") if layer.bidirectional else ("",)


def gate_count(layer: nn.Module) -> int:
    """4 for an LSTM, 3 for a GRU."""
    return 4 if isinstance(layer, nn.LSTM) else 3


def _keep(layer: nn.RNNBase, name: str, rows: Tensor | None, columns: Tensor | None) -> None:
    old = getattr(layer, name)
    new = old.detach()
    if rows is not None:
        new = new.index_select(0, rows)
    if columns is not None:
        new = new.index_select(1, columns)
    setattr(layer, name, nn.Parameter(new.contiguous(), requires_grad=old.requires_grad))


class RecurrentPruner(tp.BasePruningFunc):  # type: ignore[misc]
    """Removes units from, and inputs of, one single-layer nn.LSTM or nn.GRU.

    Output channel d * hidden + j is unit j of direction d.
    """

    TARGET_MODULES = RECURRENT

    def prune_out_channels(self, layer: nn.RNNBase, idxs: Sequence[int]) -> nn.RNNBase:
        hidden = layer.hidden_size
        dropped = {index % hidden for index in idxs}
        if sorted(idxs) != sorted(d * hidden + j for d in range(len(suffixes(layer))) for j in dropped):
            raise ValueError("both directions of a layer must lose the same units")
        kept = torch.tensor([j for j in range(hidden) if j not in dropped])
        rows = torch.cat([gate * hidden + kept for gate in range(gate_count(layer))])
        for suffix in suffixes(layer):
            _keep(layer, f"weight_ih_l0{suffix}", rows, None)
            _keep(layer, f"weight_hh_l0{suffix}", rows, kept)
            if layer.bias:
                _keep(layer, f"bias_ih_l0{suffix}", rows, None)
                _keep(layer, f"bias_hh_l0{suffix}", rows, None)
        layer.hidden_size = len(kept)
        layer.flatten_parameters()
        return layer

    def prune_in_channels(self, layer: nn.RNNBase, idxs: Sequence[int]) -> nn.RNNBase:
        dropped = set(idxs)
        kept = torch.tensor([i for i in range(layer.input_size) if i not in dropped])
        for suffix in suffixes(layer):
            _keep(layer, f"weight_ih_l0{suffix}", None, kept)
        layer.input_size = len(kept)
        layer.flatten_parameters()
        return layer

    def get_out_channels(self, layer: nn.RNNBase) -> int:
        return layer.hidden_size * len(suffixes(layer))

    def get_in_channels(self, layer: nn.RNNBase) -> int:
        return layer.input_size

    def get_out_channel_groups(self, layer: nn.RNNBase) -> int:
        return len(suffixes(layer))


def unit_magnitude(layer: nn.RNNBase, p: int = 2) -> Tensor:
    """Sum of |w|^p over everything inside the layer that belongs to each output channel.

    Returns float32 (directions * hidden,): gate rows of weight_ih and weight_hh, summed biases, weight_hh column.
    """
    gates, hidden = gate_count(layer), layer.hidden_size
    channels = []
    for suffix in suffixes(layer):
        w_ih, w_hh = getattr(layer, f"weight_ih_l0{suffix}"), getattr(layer, f"weight_hh_l0{suffix}")
        rows = w_ih.abs().pow(p).sum(1) + w_hh.abs().pow(p).sum(1)
        if layer.bias:
            bias = getattr(layer, f"bias_ih_l0{suffix}") + getattr(layer, f"bias_hh_l0{suffix}")
            rows = rows + bias.abs().pow(p)
        channels.append(rows.view(gates, hidden).sum(0) + w_hh.abs().pow(p).sum(0))
    return torch.cat(channels).detach()


class UnitMagnitude(tp.importance.GroupMagnitudeImportance):  # type: ignore[misc]
    """Magnitude of a unit over all weights that go with it, recurrent and linear, inside and downstream."""

    def __init__(self, pruner: RecurrentPruner, p: int = 2) -> None:
        super().__init__(p=p, group_reduction="sum", normalizer="mean", bias=True)
        self.pruner = pruner

    @torch.no_grad()
    def __call__(self, group: Any) -> Any:
        scores, roots = [], []
        for index, (dependency, channels) in enumerate(group):
            magnitude = self._magnitude(dependency.layer, dependency.pruning_fn)
            if magnitude is not None:
                scores.append(magnitude[channels])
                roots.append(group[index].root_idxs)
        return self._normalize(self._reduce(scores, roots), self.normalizer) if scores else None

    def _magnitude(self, layer: nn.Module, action: Any) -> Tensor | None:
        if isinstance(layer, RECURRENT):
            if action == self.pruner.prune_out_channels:
                return unit_magnitude(layer, self.p)
            readers = [getattr(layer, f"weight_ih_l0{suffix}") for suffix in suffixes(layer)]
            return torch.stack([w.abs().pow(self.p).sum(0) for w in readers]).sum(0)
        if isinstance(layer, nn.Linear):
            if action == tp.function.prune_linear_in_channels:
                return layer.weight.abs().pow(self.p).sum(0)
            return layer.weight.abs().pow(self.p).sum(1) + layer.bias.abs().pow(self.p)
        return None
