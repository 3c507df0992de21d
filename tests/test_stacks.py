"""Recurrent layers of several layers as stacks of single ones: the same weights compute the same."""

from __future__ import annotations

from typing import Any

import own_modules
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from edgekit.errors import ConfigError, ShapeError
from edgekit.model import RecurrentStack, count_parameters, recurrent_layers, split_recurrent
from edgekit.model.stacks import LayerStates

KINDS = [
    pytest.param(kind, {"num_layers": layers, "bidirectional": both, "batch_first": first, "bias": bias})
    for kind in (nn.LSTM, nn.GRU)
    for layers in (2, 3)
    for both in (False, True)
    for first in (False, True)
    for bias in (False, True)
]


def states_for(kind: type[nn.Module], layer: Any, batch: int) -> Any:
    shape = (layer.num_layers * (2 if layer.bidirectional else 1), batch, layer.hidden_size)
    h, c = torch.randn(shape), torch.randn(shape)
    return (h, c) if kind is nn.LSTM else h


def parts(answer: Any) -> list[torch.Tensor]:
    y, final = answer
    return [y, *final] if isinstance(final, tuple) else [y, final]


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_a_stack_computes_what_the_layer_computed(kind: Any, settings: dict[str, Any]) -> None:
    """Outputs and all final states, with and without initial ones: float32 sums in the same order, so equal bits."""
    torch.manual_seed(0)
    layer = kind(7, 5, **settings).eval()
    stack: Any = split_recurrent(layer)
    assert isinstance(stack, RecurrentStack)
    assert count_parameters(stack) == count_parameters(layer)
    x = torch.randn(4, 6, 7)
    for state in (None, states_for(kind, layer, 4 if layer.batch_first else 6)):
        for own, split in zip(parts(layer(x, state)), parts(stack(x, state)), strict=True):
            assert own.shape == split.shape
            assert (own - split).abs().max() <= 1e-6


@pytest.mark.parametrize("name", own_modules.ALL)
def test_a_module_is_split_without_a_change_of_its_answers(name: str) -> None:
    module = own_modules.made(name)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    split = split_recurrent(module)
    x = torch.randn(5, 6, 63)
    assert (split(x) - module(x)).abs().max() <= 1e-6
    assert all(layer.num_layers == 1 for _, layer in recurrent_layers(split))
    assert all(torch.equal(module.state_dict()[key], value) for key, value in before.items())


def test_a_layer_that_stands_at_two_places_stays_one() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.GRU(4, 4, 2, batch_first=True)
            self.parts = nn.ModuleList([self.one])

        def forward(self, x: torch.Tensor) -> Any:
            return self.parts[0](self.one(x)[0])[0]

    module = Twice()
    split: Any = split_recurrent(module)
    assert split.one is split.parts[0]
    x = torch.randn(2, 3, 4)
    assert torch.allclose(split(x), module(x), atol=1e-6)


def test_packed_takes_go_through_a_stack() -> None:
    layer = nn.LSTM(4, 5, 2, batch_first=True).eval()
    packed = pack_padded_sequence(torch.randn(3, 6, 4), torch.tensor([6, 4, 2]), batch_first=True)
    own, split = layer(packed), split_recurrent(layer)(packed)
    padded = [pad_packed_sequence(answer[0], batch_first=True)[0] for answer in (own, split)]
    assert torch.allclose(*padded, atol=1e-6)
    assert torch.allclose(own[1][0], split[1][0], atol=1e-6)


def test_dropout_lies_between_the_layers_and_only_in_training() -> None:
    stack: Any = split_recurrent(nn.LSTM(4, 5, 2, dropout=0.5))
    x = torch.randn(3, 2, 4)
    assert stack.training
    assert not torch.equal(stack(x)[0], stack(x)[0])
    stack.eval()
    assert torch.equal(stack(x)[0], stack(x)[0])


def test_gradients_reach_every_weight_and_frozen_ones_stay_frozen() -> None:
    layer = nn.GRU(4, 5, 2)
    layer.weight_ih_l1.requires_grad = False
    stack: Any = split_recurrent(layer)
    stack(torch.randn(3, 2, 4))[0].sum().backward()
    known = dict(stack.named_parameters())
    frozen = known.pop("layers.1.weight_ih_l0")
    assert not frozen.requires_grad
    assert all(parameter.grad is not None for parameter in known.values())


def test_a_projection_is_refused_by_name() -> None:
    module = nn.ModuleDict({"encoder": nn.LSTM(4, 8, 2, proj_size=3)})
    with pytest.raises(ConfigError, match="encoder has proj_size 3; layers with a projection can't be pruned"):
        split_recurrent(module)


def test_states_of_layers_that_differ_read_like_a_tensor_as_far_as_they_can() -> None:
    wide, narrow = torch.ones(2, 5), torch.zeros(2, 3)
    states = LayerStates([wide, wide, narrow, narrow])
    assert len(states) == 4
    assert states[-1] is narrow
    assert torch.equal(states[-2:], torch.stack([narrow, narrow]))
    assert [tuple(state.shape) for state in states] == [(2, 5), (2, 5), (2, 3), (2, 3)]
    with pytest.raises(ShapeError, match="final states of all layers are read as one tensor"):
        states.transpose(0, 1)
