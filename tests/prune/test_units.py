"""Recurrent layers as torch-pruning sees them: one node, units that own rows and columns, forwards put back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgekit.prune.units import RECURRENT, RecurrentPruner, traceable_recurrent_layers, unit_magnitude

LAYERS = [
    pytest.param(kind, bidirectional, id=f"{kind.__name__}-{'bi' if bidirectional else 'uni'}")
    for kind in RECURRENT
    for bidirectional in (False, True)
]


def make(kind: type[nn.LSTM] | type[nn.GRU], bidirectional: bool) -> nn.LSTM | nn.GRU:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(5, 4, batch_first=True, bidirectional=bidirectional)


@pytest.mark.parametrize("error", [None, RuntimeError("tracing failed"), KeyboardInterrupt()])
def test_the_forwards_of_torch_are_put_back_whatever_happens(error: BaseException | None) -> None:
    before = [kind.forward for kind in RECURRENT]
    try:
        with traceable_recurrent_layers():
            assert [kind.forward for kind in RECURRENT] != before
            if error is not None:
                raise error
    except BaseException as caught:
        if caught is not error:
            raise
    assert [kind.forward for kind in RECURRENT] == before


@pytest.mark.parametrize(("kind", "bidirectional"), LAYERS)
def test_a_traced_layer_has_the_shapes_of_the_real_one(kind: type[nn.LSTM] | type[nn.GRU], bidirectional: bool) -> None:
    layer, x = make(kind, bidirectional), torch.zeros(2, 3, 5)
    real, real_state = layer(x)
    with traceable_recurrent_layers():
        traced, state = layer(x)
    assert traced.shape == real.shape
    if kind is nn.LSTM:
        assert [part.shape for part in state] == [part.shape for part in real_state]
    else:
        assert state.shape == real_state.shape


@pytest.mark.parametrize(("kind", "bidirectional"), LAYERS)
def test_the_magnitude_of_a_unit_is_the_sum_of_squares_of_all_its_weights(
    kind: type[nn.LSTM] | type[nn.GRU], bidirectional: bool
) -> None:
    layer = make(kind, bidirectional)
    gates = 4 if kind is nn.LSTM else 3
    expected = []
    for suffix in ("_l0", "_l0_reverse") if bidirectional else ("_l0",):
        w_ih, w_hh = getattr(layer, f"weight_ih{suffix}"), getattr(layer, f"weight_hh{suffix}")
        bias = getattr(layer, f"bias_ih{suffix}") + getattr(layer, f"bias_hh{suffix}")
        for j in range(4):
            rows = [gate * 4 + j for gate in range(gates)]
            parts = [w_ih[rows], w_hh[rows], bias[rows], w_hh[:, j]]
            expected.append(sum(float((part.detach() ** 2).sum()) for part in parts))
    torch.testing.assert_close(unit_magnitude(layer), torch.tensor(expected))


@pytest.mark.parametrize(("kind", "bidirectional"), LAYERS)
def test_pruning_outputs_keeps_the_other_units_weights(kind: type[nn.LSTM] | type[nn.GRU], bidirectional: bool) -> None:
    layer, original = make(kind, bidirectional), make(kind, bidirectional)
    gates, kept = 4 if kind is nn.LSTM else 3, [0, 2]
    RecurrentPruner().prune_out_channels(layer, [1, 3, 5, 7] if bidirectional else [1, 3])
    rows = [gate * 4 + j for gate in range(gates) for j in kept]
    assert layer.hidden_size == 2
    for suffix in ("_l0", "_l0_reverse") if bidirectional else ("_l0",):
        assert torch.equal(getattr(layer, f"weight_ih{suffix}"), getattr(original, f"weight_ih{suffix}")[rows])
        assert torch.equal(getattr(layer, f"weight_hh{suffix}"), getattr(original, f"weight_hh{suffix}")[rows][:, kept])
        for bias in ("bias_ih", "bias_hh"):
            assert torch.equal(getattr(layer, f"{bias}{suffix}"), getattr(original, f"{bias}{suffix}")[rows])
    assert layer(torch.zeros(2, 3, 5))[0].shape == (2, 3, 4 if bidirectional else 2)


@pytest.mark.parametrize(("kind", "bidirectional"), LAYERS)
def test_pruning_an_input_that_is_always_zero_changes_nothing(
    kind: type[nn.LSTM] | type[nn.GRU], bidirectional: bool
) -> None:
    layer, original = make(kind, bidirectional), make(kind, bidirectional)
    x = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    x[..., [1, 4]] = 0.0
    RecurrentPruner().prune_in_channels(layer, [1, 4])
    assert layer.input_size == 3
    torch.testing.assert_close(layer(x[..., [0, 2, 3]])[0], original(x)[0], rtol=0, atol=1e-6)


def test_the_two_directions_can_not_lose_different_units() -> None:
    with pytest.raises(ValueError, match="both directions"):
        RecurrentPruner().prune_out_channels(make(nn.LSTM, True), [0, 5])
