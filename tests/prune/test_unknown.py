"""Layers that keep all units because of what they are: each is named, with the reason, and nothing fails or warns."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.distill import DistillConfig, distill_model
from edgekit.errors import ConfigError, InputError, ShapeError
from edgekit.prune import PruneConfig, prune_model
from edgekit.prune.structure import study
from edgekit.train import RunSetup, Takes, TrainingConfig

TAKES = torch.randn(8, 6, 63, generator=torch.Generator().manual_seed(1))
NEVER = RunSetup(listener=lambda _: pytest.fail("it trained"))
ONCE = DistillConfig(training=TrainingConfig(epochs=1, batch_size=9, early_stopping=None), copies=1)


class Own(nn.Module):
    """An LSTM, a part called between, and a head."""

    def __init__(self, between: nn.Module, width: int = 12) -> None:
        super().__init__()
        self.lstm, self.between = nn.LSTM(63, 12, batch_first=True), between
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.between(self.lstm(x)[0]).mean(dim=1))
        return logits


class Subclass(nn.Linear):
    """Of which nothing is known."""


def old_norm() -> nn.Module:
    with pytest.warns(FutureWarning, match="deprecated"):
        return nn.utils.weight_norm(nn.Linear(12, 12))


def tied() -> nn.Module:
    two = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12))
    two[1].weight = two[0].weight
    return two


NAMED: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "weight_norm": (
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(12, 12)), "between", "weight is computed from other",
    ),
    "weight_norm by hooks": (old_norm, "between", "weight is computed from other parameters; .*remove_weight_norm"),
    "spectral_norm": (
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(12, 12)), "between", "remove_parametrizations",
    ),
    "a subclass": (lambda: Subclass(12, 12), "between", "a class derived from Linear computes is not known"),
    "attention": (
        lambda: nn.TransformerEncoderLayer(12, 2, 20, batch_first=True), "between.self_attn", "belong to its heads",
    ),
    "tied": (tied, "between.0", "shares a weight with between.1"),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_it_is_named_with_the_reason(name: str) -> None:
    make, layer, words = NAMED[name]
    torch.manual_seed(0)
    structure = study(Own(make()).eval(), TAKES)
    assert layer not in structure.widths
    assert re.search(words, structure.left[layer]), structure.left


def test_attention_is_followed_in_plain_operations() -> None:
    """torch's fast path would skip the layers inside."""
    torch.manual_seed(0)
    structure = study(Own(NAMED["attention"][0]()).eval(), TAKES)
    assert "between.linear1" in structure.widths


@pytest.mark.parametrize("name", ["weight_norm", "weight_norm by hooks", "tied"])
def test_it_learns(learnable: tuple[Takes, Takes], name: str) -> None:
    torch.manual_seed(0)
    student = Own(NAMED[name][0]())
    before = [each.clone() for each in student.parameters()]
    distill_model(student, student, *learnable, ONCE)
    changed = [not torch.equal(old, new) for old, new in zip(before, student.parameters(), strict=True)]
    assert all(changed)


class Says(nn.Module):
    """A module that computes with its layers what a function says."""

    def __init__(self, says: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.says, self.inner = says, Own(nn.Identity())

    def forward(self, x: Tensor) -> Any:
        return self.says(self, x)


def without_gradient(self: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        return self.inner(x)  # type: ignore[no-any-return]


def overwritten(self: Any, x: Tensor) -> Tensor:
    y = torch.relu_(self.inner.lstm(x)[0])
    return self.inner.head(y[:, -1])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (without_gradient, "can't learn: in training mode its logits have no gradient"),
        (overwritten, "can't learn: in training mode one of the variables needed"),
        (lambda s, x: (s.inner(x), x) if s.training else s.inner(x), "in training mode it gives tuple"),
    ],
)
def test_what_can_not_learn_is_one_message(
    learnable: tuple[Takes, Takes], says: Callable[[Any, Tensor], Any], words: str
) -> None:
    with pytest.raises(ShapeError, match=words):
        distill_model(Own(nn.Identity()), Says(says), *learnable, ONCE, setup=NEVER)
    with pytest.raises(ShapeError, match=words):
        prune_model(Says(says), Own(nn.Identity()), *learnable, PruneConfig(recovery=ONCE), setup=NEVER)


def test_scripted_modules_and_half_precision_are_refused(learnable: tuple[Takes, Takes]) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        scripted = Own(torch.jit.trace(nn.Linear(12, 12), TAKES[:, :, :12]))
    with pytest.raises(ConfigError, match="between is scripted or traced by"):
        prune_model(scripted, Own(nn.Identity()), *learnable, PruneConfig(recovery=ONCE), setup=NEVER)
    halves = Says(lambda s, x: s.inner(x.to(torch.float16))).to(torch.float16)
    with pytest.raises(InputError, match=r"inner\.lstm\.weight_ih_l0 and \d+ more parameters are float16"):
        distill_model(Own(nn.Identity()), halves, *learnable, ONCE, setup=NEVER)


def test_takes_stay_as_they_were_whatever_a_module_writes_into_them(learnable: tuple[Takes, Takes]) -> None:
    before = [part.x.copy() for part in learnable]
    torch.manual_seed(0)
    writing = Says(lambda s, x: s.inner(x.add_(1.0)))
    prune_model(writing, writing, *learnable, PruneConfig(recovery=ONCE))
    assert all(np.array_equal(part.x, old) for part, old in zip(learnable, before, strict=True))
