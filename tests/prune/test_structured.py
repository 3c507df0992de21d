"""Structured pruning: inert units go without a trace, the least go first, and half means half of the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgekit.data import Normalisation
from edgekit.errors import ConfigError
from edgekit.model import Architecture, RecurrentClassifier, build_model, count_parameters, predict_logits, variant
from edgekit.prune import ratio_for, remove_units
from edgekit.prune.structured import resized, widths_at

TinyModel = Callable[..., RecurrentClassifier]

STACKS = [
    pytest.param(
        {"type": cell, "num_layers": layers, "bidirectional": bidirectional, "readout": readout},
        id=f"{cell}-{layers}-{'bi' if bidirectional else 'uni'}-{readout}",
    )
    for cell in ("lstm", "gru")
    for layers in (1, 2, 3)
    for bidirectional in (False, True)
    for readout in ("mean", "final")
]


def random_weights(model: RecurrentClassifier) -> RecurrentClassifier:
    """Every weight and bias from a normal distribution, none of them special."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return model


def readers(model: RecurrentClassifier, layer: int) -> list[torch.Tensor]:
    """The weight matrices whose columns read a recurrent layer's output."""
    if layer + 1 == len(model.recurrent):
        return [model.dense.weight]
    return [w for name, w in model.recurrent[layer + 1].named_parameters() if name.startswith("weight_ih")]


@torch.no_grad()
def scale_unit(model: RecurrentClassifier, layer: int, unit: int, factor: float) -> None:
    """Multiply everything that belongs to a recurrent unit, in both directions, inside and downstream."""
    module = model.recurrent[layer]
    hidden = int(module.hidden_size)  # type: ignore[arg-type]
    for name, parameter in module.named_parameters():
        parameter[unit::hidden] *= factor
        if name.startswith("weight_hh"):
            parameter[:, unit] *= factor
    for matrix in readers(model, layer):
        matrix[:, unit :: hidden if module.bidirectional else matrix.shape[1]] *= factor


@torch.no_grad()
def scale_dense_unit(model: RecurrentClassifier, unit: int, factor: float) -> None:
    model.dense.weight[unit] *= factor
    model.dense.bias[unit] *= factor
    model.output.weight[:, unit] *= factor


def scale_some(model: RecurrentClassifier, recurrent: int, dense: int, factor: float) -> list[list[int]]:
    """Scale so many randomly chosen units of each layer; returns which are left as they were, the dense layer last."""
    rng = np.random.default_rng(5)
    kept = []
    for layer, hidden in enumerate(model.architecture.hidden_sizes):
        order = [int(unit) for unit in rng.permutation(hidden)]
        for unit in order[:recurrent]:
            scale_unit(model, layer, unit, factor)
        kept.append(sorted(order[recurrent:]))
    order = [int(unit) for unit in rng.permutation(model.architecture.dense)]
    for unit in order[:dense]:
        scale_dense_unit(model, unit, factor)
    return [*kept, sorted(order[dense:])]


def takes(frames: int = 5) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).uniform(0.2, 0.8, (6, frames, 63)).astype(np.float32)


@pytest.mark.parametrize("settings", STACKS)
def test_removing_inert_units_leaves_the_logits_alone(tiny_model: TinyModel, settings: dict[str, Any]) -> None:
    model = random_weights(tiny_model(**settings))
    scale_some(model, recurrent=4, dense=6, factor=0.0)
    pruned = remove_units(model, 0.5, frames=5)
    assert pruned.architecture.hidden_sizes == (4,) * settings["num_layers"]
    assert pruned.architecture.dense == 6
    expected = predict_logits(model, takes())
    assert expected.std() > 0.01
    np.testing.assert_allclose(predict_logits(pruned, takes()), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("settings", STACKS)
def test_the_units_of_least_magnitude_are_the_ones_that_go(tiny_model: TinyModel, settings: dict[str, Any]) -> None:
    model = random_weights(tiny_model(**settings))
    kept = scale_some(model, recurrent=3, dense=5, factor=0.1)
    pruned = remove_units(model, 5 / 12, frames=5)
    for layer, units in zip(range(len(model.recurrent)), kept, strict=False):
        gates = 4 if settings["type"] == "lstm" else 3
        rows = [gate * 8 + unit for gate in range(gates) for unit in units]
        for suffix in ("", "_reverse") if model.recurrent[layer].bidirectional else ("",):
            before = getattr(model.recurrent[layer], f"weight_hh_l0{suffix}")
            assert torch.equal(getattr(pruned.recurrent[layer], f"weight_hh_l0{suffix}"), before[rows][:, units])
    assert torch.equal(pruned.dense.bias, model.dense.bias[kept[-1]])
    assert torch.equal(pruned.output.weight, model.output.weight[:, kept[-1]])


@pytest.mark.parametrize("little", [0, 1])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_weights_that_read_a_unit_count_for_it(tiny_model: TinyModel, layers: int, little: int) -> None:
    """Two units of equal weights inside: the one that is read less goes, whether a dense or a recurrent layer reads."""
    model = random_weights(tiny_model(hidden_size=2, dense=4, num_layers=layers))
    with torch.no_grad():
        for parameter in model.recurrent[0].parameters():
            parameter.fill_(0.3)
        for matrix in readers(model, 0):
            matrix[:, little] = 0.1
            matrix[:, 1 - little] = 0.5
    pruned = remove_units(model, 0.5, frames=5)
    assert torch.all(readers(pruned, 0)[0] == 0.5)


def test_a_bidirectional_unit_counts_with_both_directions(tiny_model: TinyModel) -> None:
    """A unit that is small forwards and large backwards stays before one that is middling in both."""
    model = random_weights(tiny_model(hidden_size=2, dense=4, bidirectional=True))
    with torch.no_grad():
        for name, parameter in model.recurrent[0].named_parameters():
            parameter[0::2] = 1.0 if "reverse" in name else 0.01
            parameter[1::2] = 0.3
            if name.startswith("weight_hh"):
                parameter[:, 0], parameter[:, 1] = parameter[0, 0].clone(), 0.3
    pruned = remove_units(model, 0.5, frames=5)
    assert torch.all(pruned.recurrent[0].bias_ih_l0_reverse == 1.0)
    assert torch.all(pruned.recurrent[0].bias_ih_l0 == 0.01)


@pytest.mark.parametrize("settings", STACKS)
def test_the_given_model_is_untouched_and_the_output_layer_keeps_its_classes(
    tiny_model: TinyModel, settings: dict[str, Any]
) -> None:
    model = tiny_model(**settings, classes=5).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pruned = remove_units(model, 0.5, frames=5)
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert model.training
    assert not pruned.training
    assert predict_logits(pruned, takes()).shape == (6, 5)
    assert torch.equal(pruned.output.bias, model.output.bias)
    assert all(p.requires_grad and p.is_leaf for p in pruned.parameters())
    assert pruned.architecture.parameters == count_parameters(pruned)


def test_the_pruned_model_is_differentiable_and_its_preprocessing_the_same(tiny_model: TinyModel) -> None:
    model = tiny_model(num_layers=2, bidirectional=True)
    pruned = remove_units(model, 0.5, frames=5).train()
    pruned(torch.from_numpy(takes())).square().mean().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in pruned.parameters())
    assert torch.equal(pruned.preprocess.mean, model.preprocess.mean)
    assert torch.equal(pruned.preprocess.std, model.preprocess.std)


def test_nothing_goes_at_a_sparsity_of_zero(tiny_model: TinyModel) -> None:
    model = tiny_model()
    assert ratio_for(model.architecture, 0.0) == 0.0
    pruned = remove_units(model, 0.0, frames=5)
    assert pruned.architecture == model.architecture
    np.testing.assert_array_equal(predict_logits(pruned, takes()), predict_logits(model, takes()))


@pytest.mark.parametrize(
    ("hidden", "dense", "ratio", "expected"),
    [
        (12, 16, 5 / 12, (7, 10)),  # int(12 * (1 - 5 / 12)) is 6, not 7
        (10, 10, 0.9, (1, 1)),  # int(10 * (1 - 0.9)) is 0
        (2, 64, 61 / 64, (1, 3)),  # the narrow layer keeps its last unit
        (1, 16, 0.5, (1, 8)),
        (8, 1, 0.5, (4, 1)),
    ],
)
def test_the_widths_are_exact_whatever_the_rounding(
    tiny_model: TinyModel, hidden: int, dense: int, ratio: float, expected: tuple[int, int]
) -> None:
    pruned = remove_units(tiny_model(hidden_size=hidden, dense=dense), ratio, frames=5)
    assert (pruned.architecture.hidden_sizes[0], pruned.architecture.dense) == expected


def test_a_model_pruned_once_can_be_pruned_again(tiny_model: TinyModel) -> None:
    model = tiny_model(num_layers=2, bidirectional=True, hidden_size=9, dense=11)
    once = remove_units(model, 1 / 3, frames=5)
    twice = remove_units(once, 0.5, frames=5)
    assert once.architecture.hidden_sizes == (6, 6)
    assert twice.architecture.hidden_sizes == (3, 3)


def test_the_forwards_of_torch_are_back_after_a_failed_removal(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = nn.LSTM.forward, nn.GRU.forward
    model = tiny_model()
    remove_units(model, 0.5, frames=5)
    assert (nn.LSTM.forward, nn.GRU.forward) == before

    def fail(self: RecurrentClassifier, x: torch.Tensor) -> torch.Tensor:
        raise ValueError("tracing failed")

    monkeypatch.setattr(RecurrentClassifier, "classify", fail)
    with pytest.raises(ValueError, match="tracing failed"):
        remove_units(model, 0.5, frames=5)
    assert (nn.LSTM.forward, nn.GRU.forward) == before


# How many units make half of the parameters.


def candidates(architecture: Architecture) -> list[float]:
    """Every ratio at which some layer loses one more unit, counted without floats."""
    sizes = {*architecture.hidden_sizes, architecture.dense}
    return sorted({gone / size for size in sizes for gone in range(size)})


def left(architecture: Architecture, ratio: float) -> int:
    hidden, dense = widths_at(architecture, ratio)
    return resized(architecture, hidden, dense).parameters


@pytest.mark.parametrize("name", ["edge", "balanced", "base", "accurate"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9])
def test_the_ratio_is_the_smallest_that_removes_enough(
    normalisation: Normalisation, name: str, bidirectional: bool, sparsity: float
) -> None:
    architecture = build_model(variant(name, {"bidirectional": bidirectional}), normalisation, 26).architecture
    allowed = (1 - sparsity) * architecture.parameters
    ratio = ratio_for(architecture, sparsity)
    assert left(architecture, ratio) <= allowed
    smaller = [r for r in candidates(architecture) if r < ratio]
    assert min(left(architecture, r) for r in smaller) > allowed


def test_more_sparsity_never_leaves_more_parameters(tiny_model: TinyModel) -> None:
    architecture = tiny_model(hidden_size=13, dense=17).architecture
    counts = [left(architecture, ratio_for(architecture, s)) for s in np.linspace(0.0, 0.9, 19)]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_half_of_the_students_parameters_really_go(normalisation: Normalisation, bidirectional: bool) -> None:
    model = build_model(variant("edge", {"bidirectional": bidirectional}), normalisation, 26)
    pruned = remove_units(model, ratio_for(model.architecture, 0.5))
    tensors = sum(p.numel() for p in pruned.parameters())
    assert 0.45 * count_parameters(model) < tensors <= 0.5 * count_parameters(model)


@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("settings", STACKS[::2])
def test_every_stack_loses_what_was_asked_for(tiny_model: TinyModel, settings: dict[str, Any], sparsity: float) -> None:
    model = tiny_model(**settings, hidden_size=10, dense=15)
    pruned = remove_units(model, ratio_for(model.architecture, sparsity), frames=5)
    assert count_parameters(pruned) <= (1 - sparsity) * count_parameters(model)


def test_widths_are_what_is_left_and_never_nothing() -> None:
    architecture = Architecture("lstm", 63, (12, 7), False, 30, 5)
    for ratio in [gone / 30 for gone in range(30)]:
        hidden, dense = widths_at(architecture, ratio)
        assert dense == 30 - math.floor(round(ratio * 30, 6))
        assert min(*hidden, dense) >= 1


def test_an_impossible_sparsity_is_a_clear_error(tiny_model: TinyModel) -> None:
    with pytest.raises(ConfigError, match=r"prune\.sparsity: 0\.999 is more than this model can lose"):
        ratio_for(tiny_model(classes=26).architecture, 0.999)
