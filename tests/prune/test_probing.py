"""Who reads a unit, found by experiment; and what can't be pruned is left alone, with the reason."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import own_modules
import pytest
import torch
from own_modules import made
from torch import Tensor, nn

from edgekit.errors import ConfigError
from edgekit.model import RecurrentClassifier, split_recurrent
from edgekit.prune import ratio_for, remove_units
from edgekit.prune.choosing import uniform_plans
from edgekit.prune.importance import magnitudes
from edgekit.prune.probing import probe_layers
from edgekit.prune.removal import removal_error, silenced, without_units
from edgekit.prune.structure import Structure, study, without_zero_states

TinyModel = Callable[..., RecurrentClassifier]
TAKES = torch.randn(8, 6, 63, generator=torch.Generator().manual_seed(1))


def ready(module: nn.Module) -> nn.Module:
    return without_zero_states(split_recurrent(module), TAKES)


def studied(name: str) -> tuple[nn.Module, Structure]:
    module = ready(made(name))
    return module, study(module, TAKES)


def half_of(structure: Structure) -> dict[str, list[int]]:
    return {layer: units for b in structure.bundles for layer, units in b.units(range(1, len(b.groups), 2)).items()}


@pytest.mark.parametrize("name", own_modules.ALL)
def test_every_layer_but_the_answers_can_lose_units_together(name: str) -> None:
    module, structure = studied(name)
    left = {layer for layer, why in structure.left.items() if why != "it has one unit"}
    assert left == set()
    assert structure.units > 0
    assert removal_error(module, structure.layers, half_of(structure), TAKES) is None


@pytest.mark.parametrize("name", own_modules.ALL)
def test_inert_units_go_without_a_trace(name: str) -> None:
    """Of a module in which some units are read by nothing; LayerNorm would see them, so those modules are left out."""
    module, structure = studied(name)
    inert = silenced(module, structure.layers, half_of(structure))
    if any(isinstance(part, nn.LayerNorm) for part in module.modules()):
        pytest.skip("a LayerNorm's mean is of all its inputs, read or not")
    with torch.no_grad():
        before, after = inert(TAKES), without_units(inert, structure.layers, half_of(structure))(TAKES)
        assert (before - module(TAKES)).abs().max() > 1e-3, "they were not inert before"
    assert (after - before).abs().max() <= 1e-5 * max(1.0, float(before.abs().max()))


def test_columns_are_those_that_a_hand_would_find() -> None:
    module, structure = studied("convolved")
    readers = structure.layers["conv"].readers
    assert dict(readers["norm"]) == {k: k for k in range(10)}
    assert dict(readers["lstm"]) == {k: k for k in range(10)}
    assert dict(structure.layers["lstm"].readers["head"]) == {8 * t + k: k for t in range(6) for k in range(8)}
    assert structure.answering == ("head",)
    both = probe_layers(ready(made("lstm-1-both")), TAKES)["recurrent"]
    assert dict(both.readers["dense"]) == {12 * d + k: k for d in range(2) for k in range(12)}
    assert module.training is False


def test_layers_that_are_added_up_lose_the_same_units() -> None:
    _, structure = studied("residual")
    (pair,) = [bundle for bundle in structure.bundles if len(bundle.layers) > 1]
    assert pair.layers == ("first", "second")
    assert all(sorted(name for name, _ in group) == ["first", "second"] for group in pair.groups)
    assert all(len({unit for _, unit in group}) == 1 for group in pair.groups)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("readout", ["mean", "final"])
def test_it_takes_the_same_units_as_torch_pruning_where_that_works(
    tiny_model: TinyModel, cell: str, layers: int, bidirectional: bool, readout: str
) -> None:
    """Two ways that share no tracing: torch-pruning's autograd graph, and probing. Equal to the last bit."""
    settings = {"type": cell, "num_layers": layers, "bidirectional": bidirectional, "readout": readout}
    model = tiny_model(**settings)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    ratio = ratio_for(model.architecture, 0.5)
    structure = study(model.eval(), TAKES)
    plans = uniform_plans(structure, magnitudes(model, structure))
    expected = remove_units(model, ratio, 6)
    found: list[Any] = [without_units(model, structure.layers, plan()) for plan in plans]
    (same,) = [one for one in found if one.architecture == expected.architecture][:1]
    assert all(torch.equal(same.state_dict()[key], value) for key, value in expected.state_dict().items())


class Around(nn.Module):
    """An LSTM, a function of its outputs, and a head."""

    def __init__(self, between: Callable[[nn.Module, Tensor], Tensor], width: int = 12, **parts: nn.Module) -> None:
        super().__init__()
        self.lstm = nn.LSTM(63, 12, batch_first=True)
        self.between = between
        self.head = nn.Linear(width, 3)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.between(self, self.lstm(x)[0]).mean(dim=1))
        return logits


def whole_states(self: Any, y: Tensor) -> Tensor:
    _, h = self.gru(y)
    states: Tensor = h.transpose(0, 1).flatten(1)
    return states[:, None]


LEFT_ALONE: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "normalised": (lambda: Around(lambda _, y: nn.functional.normalize(y, dim=-1)), "lstm", "mixed before head"),
    "a product with a matrix of the module's own": (
        lambda: Around(lambda _, y: y @ torch.eye(12)), "lstm", "fewer units: Expected size",
    ),
    "attention": (
        lambda: Around(lambda s, y: s.attend(y, y, y)[0], attend=nn.MultiheadAttention(12, 2, batch_first=True)),
        "lstm",
        "mixed before head",
    ),
    "widths that are written down": (
        lambda: Around(lambda _, y: y.reshape(len(y), 6, 2, 6).flatten(2)), "lstm", "fewer units: shape",
    ),
    "halves that are written down": (
        lambda: Around(lambda _, y: torch.cat([y[..., :6].relu(), y[..., 6:].sigmoid()], dim=-1)),
        "lstm",
        "computes something else",
    ),
    "a layer normalisation of two axes": (
        lambda: Around(lambda s, y: s.norm(y), norm=nn.LayerNorm((6, 12))), "lstm", "mixed before head",
    ),
    "weights used elsewhere": (
        lambda: Around(lambda s, y: nn.functional.linear(y, s.extra.weight), extra=nn.Linear(12, 12)),
        "lstm",
        "mixed before head",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_can_not_be_pruned_is_left_alone_and_named(name: str) -> None:
    make, layer, words = LEFT_ALONE[name]
    torch.manual_seed(0)
    structure = study(ready(make().eval()), TAKES)
    assert layer not in structure.widths
    assert re.search(words, structure.left[layer]), structure.left


def test_a_start_of_its_own_keeps_its_layer_and_what_it_starts_from() -> None:
    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = nn.Parameter(torch.zeros(1, 1, 12))
            self.first, self.second = nn.GRU(63, 12, batch_first=True), nn.GRU(12, 12, batch_first=True)
            self.head = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            y, h = self.first(x, self.start.expand(-1, x.size(0), -1).contiguous())
            logits: Tensor = self.head(self.second(y, h)[0][:, -1])
            return logits

    torch.manual_seed(0)
    structure = study(ready(Learned().eval()), TAKES)
    assert structure.left["first"] == "second starts from its units"
    assert "fewer units: Expected hidden size" in structure.left["second"]


def test_layers_whose_states_are_read_as_one_tensor_keep_one_width() -> None:
    torch.manual_seed(0)
    module = ready(Around(whole_states, 3 * 10, gru=nn.GRU(12, 10, 3, batch_first=True)).eval())
    structure = study(module, TAKES)
    (bundle,) = [each for each in structure.bundles if len(each.layers) > 1]
    assert bundle.layers == ("gru.layers.0", "gru.layers.1", "gru.layers.2")
    smaller = without_units(module, structure.layers, bundle.units([0, 4, 7]))
    assert smaller(TAKES).shape == (8, 3)
    assert structure.left == {}


def test_shared_weights_are_not_pruned() -> None:
    def tied() -> nn.Module:
        module = Around(lambda s, y: s.two(s.one(y).relu()), one=nn.Linear(12, 12), two=nn.Linear(12, 12))
        module.two.weight = module.one.weight  # type: ignore[union-attr, assignment]
        return module

    torch.manual_seed(0)
    structure = study(ready(tied().eval()), TAKES)
    assert {"one", "two"}.isdisjoint(structure.widths)


def test_a_layer_that_is_used_twice_is_pruned_once() -> None:
    torch.manual_seed(0)
    module = ready(Around(lambda s, y: s.back(s.twice(s.back(s.twice(y)).tanh())), twice=nn.Linear(12, 9),
                          back=nn.Linear(9, 12)).eval())  # fmt: skip
    structure = study(module, TAKES)
    assert {"lstm", "twice", "back"} <= set(structure.widths)
    (pair,) = [each for each in structure.bundles if "back" in each.layers]
    assert pair.layers == ("back", "lstm"), "twice reads both with the same columns"


def test_studying_leaves_the_module_alone() -> None:
    module = ready(made("zero states"))
    before = copy.deepcopy(module.state_dict())
    study(module, TAKES)
    assert all(torch.equal(module.state_dict()[key], value) for key, value in before.items())
    assert not any("forward" in vars(part) for part in module.modules())


def test_a_module_that_calls_layers_now_and_then_is_refused() -> None:
    class Sometimes(Around):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            y = self.lstm(x)[0]
            y = self.lstm(x)[0] + y if self.calls > 1 else y
            return self.head(y.mean(dim=1))  # type: ignore[no-any-return]

    with pytest.raises(ConfigError, match="lstm is called more often for some takes than for others"):
        study(Sometimes(lambda _, y: y).eval(), TAKES)
