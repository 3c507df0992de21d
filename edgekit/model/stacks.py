"""Recurrent layers of several layers as stacks of single ones, which can be pruned and exported one by one.

A stack stands where the nn.LSTM or nn.GRU stood and is called the same way. Axes are those of torch: batch, time,
features (or time, batch, features), layers * directions, hidden.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from edgekit.errors import ConfigError, ShapeError
from edgekit.model.modules import first_line, name_of

#: The layers that are split, by their exact class: what a subclass computes is not known.
SPLITTABLE = (nn.LSTM, nn.GRU)


class LayerStates(Sequence[Tensor]):
    """Final states of layers that differ in width: one tensor (batch, hidden) a layer and direction, in torch's order.

    Reads like the tensor (layers * directions, batch, hidden) that it would be if they did not: `h[-1]`, `h[-2:]`.
    Raises ShapeError for what needs them in one tensor.
    """

    def __init__(self, states: Sequence[Tensor]) -> None:
        self.states = tuple(states)

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, index: Any) -> Any:
        picked = self.states[index] if isinstance(index, (int, slice)) else self._one()[index]
        return _joined(picked) if isinstance(picked, tuple) else picked

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._one(), name)

    def _one(self) -> Tensor:
        raise ShapeError("the final states of all layers are read as one tensor, and the layers differ in width")


def _joined(states: tuple[Tensor, ...]) -> Tensor | LayerStates:
    return torch.stack(states) if _one_width(states) else LayerStates(states)


def _one_width(states: Sequence[Tensor]) -> bool:
    """int(): while torch's exporter traces a module, sizes are tensors, of which no two are the same."""
    return len({int(state.shape[-1]) for state in states}) == 1


class RecurrentStack(nn.Module):
    """Single-layer nn.LSTM or nn.GRU modules, one after the other, called like the layer that they were split from.

    layers: first to last, of any widths that fit each other. dropout: between layers, in training. from_zero: an
    initial state that is given is left out, since it holds nothing but zeros.
    """

    def __init__(self, layers: Sequence[nn.LSTM | nn.GRU], dropout: float = 0.0, from_zero: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropout = dropout
        self.from_zero = from_zero
        self.batch_first, self.bidirectional = layers[0].batch_first, layers[0].bidirectional
        self.bias, self.proj_size, self.num_layers = layers[0].bias, 0, len(layers)

    @property
    def input_size(self) -> int:
        """Features that the first layer reads."""
        return int(self.layers[0].input_size)  # type: ignore[arg-type]

    @property
    def hidden_size(self) -> int:
        """Units of the last layer, in each direction."""
        return int(self.layers[-1].hidden_size)  # type: ignore[arg-type]

    def flatten_parameters(self) -> None:
        """There for those who call it: single layers do that themselves."""

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:  # noqa: A002 - torch's own names
        """Takes and initial states as torch's layer has them; returns its outputs and final states."""
        x, state = input, None if self.from_zero else hx
        finals = []
        for k, layer in enumerate(self.layers):
            x, final = layer(self._dropped(x) if k else x, self._part(state, k))
            finals.append(final)
        if isinstance(self.layers[0], nn.GRU):
            return x, _all(finals)
        return x, (_all([h for h, _ in finals]), _all([c for _, c in finals]))

    def _dropped(self, x: Any) -> Any:
        if isinstance(x, PackedSequence):
            return x._replace(data=nn.functional.dropout(x.data, self.dropout, self.training))
        return nn.functional.dropout(x, self.dropout, self.training)

    def _part(self, state: Any, layer: int) -> Any:
        """Of the initial state of all layers, one layer's."""
        if state is None:
            return None
        if isinstance(state, tuple):
            return tuple(self._part(part, layer) for part in state)
        directions = 2 if self.bidirectional else 1
        return state[directions * layer : directions * (layer + 1)]


def _all(states: list[Tensor]) -> Tensor | LayerStates:
    """Final states (directions, batch, hidden) of every layer as torch gives them."""
    if _one_width(states):
        return torch.cat(states)
    return LayerStates([state for both in states for state in both])


def split_recurrent(module: nn.Module, name: str = "split_recurrent: module") -> nn.Module:
    """A copy of any module in which every nn.LSTM and nn.GRU of several layers is a `RecurrentStack` of single ones.

    It computes the same, with the same weights; `module` is untouched. name: for messages. Raises ConfigError for a
    layer with a projection, and for a module that can't be copied.
    """
    refuse_projections(module, name)
    return replaced(_copy(module, name), lambda layer: _stack_of(layer) if layer.num_layers > 1 else layer)


def refuse_projections(module: nn.Module, name: str) -> None:
    """Raises ConfigError for a recurrent layer with a projection, by its name. name: of the module, for messages."""
    for place, layer in recurrent_layers(module):
        if layer.proj_size:
            raise ConfigError(
                f"{name}: {place or 'it'} has proj_size {layer.proj_size}; layers with a projection can't be pruned or"
                " exported: use proj_size 0 and a Linear layer behind it"
            )


def recurrent_layers(module: nn.Module) -> Iterator[tuple[str, nn.LSTM | nn.GRU]]:
    """Every nn.LSTM and nn.GRU in a module, by name."""
    for place, layer in module.named_modules():
        if type(layer) in SPLITTABLE:
            yield place, layer


def _copy(module: nn.Module, name: str) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except Exception as error:  # weight_norm, hooks and other things of the user's own
        raise ConfigError(f"{name}, {name_of(module)}, can't be copied: {first_line(error)}") from error


def replaced(module: nn.Module, change: Any) -> nn.Module:
    """`module` with each of its nn.LSTM and nn.GRU modules replaced by what `change` makes of it, wherever it stands;
    in place, unless it is one itself."""
    if type(module) in SPLITTABLE:
        return change(module)  # type: ignore[no-any-return]
    known: dict[int, nn.Module] = {}
    for parent in list(module.modules()):
        for key, child in list(parent._modules.items()):
            if child is not None and type(child) in SPLITTABLE:
                new = known.setdefault(id(child), change(child))
                if new is not child:
                    setattr(parent, key, new)
    return module


def _stack_of(layer: nn.LSTM | nn.GRU) -> RecurrentStack:
    """Its layers one by one, with its weights."""
    stack = RecurrentStack([_single(layer, k) for k in range(layer.num_layers)], float(layer.dropout))
    return stack.train(layer.training)


def _single(layer: nn.LSTM | nn.GRU, k: int) -> nn.LSTM | nn.GRU:
    directions = 2 if layer.bidirectional else 1
    read = layer.input_size if k == 0 else directions * layer.hidden_size
    how: dict[str, Any] = {"bias": layer.bias, "batch_first": layer.batch_first, "bidirectional": layer.bidirectional}
    weight = layer.weight_ih_l0
    single = type(layer)(read, layer.hidden_size, device=weight.device, dtype=weight.dtype, **how)
    with torch.no_grad():
        for own, parameter in single.named_parameters():
            source = getattr(layer, own.replace("_l0", f"_l{k}"))
            parameter.copy_(source)
            parameter.requires_grad = source.requires_grad
    return single
