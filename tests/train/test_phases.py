"""The specification's three phases, epoch by epoch, and its plateau rule down to the floor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pydantic
import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from edgekit import train
from edgekit.data import AugmentConfig
from edgekit.distill import teacher_source
from edgekit.model import RecurrentClassifier
from edgekit.train import Takes, TrainingConfig, augmented, epoch_generator, train_model

Learnable = tuple[Takes, Takes]


class Constant(nn.Module):
    """The same logits whatever happens, so that val_loss never falls."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return (self.bias * 0.0).expand(len(x), 3)


def walked(learnable: Learnable, monkeypatch: pytest.MonkeyPatch, **config: Any) -> list[tuple[float, float]]:
    """(learning rate, augmentation probability) of 100 epochs."""
    probabilities: list[float] = []

    def spy(takes: Takes, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        probabilities.append(config.probability)
        return takes.x

    monkeypatch.setattr(train, "augmented", spy)
    settings = TrainingConfig.model_validate({"early_stopping": None, **config})
    history = train_model(Constant(), *learnable, settings, augmentation=AugmentConfig()).history
    return [(epoch.learning_rate, p) for epoch, p in zip(history, probabilities, strict=True)]


def test_the_three_phases_are_literal(learnable: Learnable, monkeypatch: pytest.MonkeyPatch) -> None:
    found = walked(learnable, monkeypatch, lr_scheduler={"type": "phases"})
    assert found == [(0.001, 0.5)] * 20 + [(0.0005, 0.5)] * 40 + [(0.0001, 0.3)] * 40


def test_through_the_scheduler_the_rate_halves_on_a_plateau_down_to_its_floor(
    learnable: Learnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """val_loss is best in epoch 1. More than 5 epochs without a better one: 2 to 7 keep the rate, 8 starts lower, then
    every 6 epochs, until the seventh halving would go below 1e-5."""
    rates = [rate for rate, _ in walked(learnable, monkeypatch, lr_scheduler={"warmup_epochs": 3})]
    assert rates[:7] == [0.001] * 7
    steps = [1e-3 * 0.5 ** ((epoch - 2) // 6) for epoch in range(2, 101)]
    assert rates[1:] == pytest.approx([max(rate, 1e-5) for rate in steps])
    assert rates[-1] == 1e-5


def test_a_later_phase_really_varies_fewer_takes(learnable: Learnable) -> None:
    takes = Takes(np.repeat(learnable[0].x, 40, axis=0), np.repeat(learnable[0].labels, 40))
    config = AugmentConfig(
        **{name: 0.0 for name in AugmentConfig.model_fields if name[-3:] in ("deg", "tio")}, noise=0.0
    )

    def varied(epoch: int) -> float:
        x = augmented(takes, config.at(epoch), epoch_generator(0, epoch))
        return float((x != takes.x).any(axis=(1, 2)).mean())  # moved along x or y: 1 - (1 - p)^2

    assert varied(60) == pytest.approx(0.75, abs=0.06)
    assert varied(61) == pytest.approx(0.51, abs=0.06)


def test_a_milestone_never_raises_the_probability() -> None:
    assert AugmentConfig(probability=0.2).at(61).probability == 0.2
    several = AugmentConfig(probability=0.9, milestones=(3, 5), milestone_probabilities=(0.6, 0.1))
    assert [several.at(epoch).probability for epoch in (1, 2, 3, 4, 5, 6)] == [0.9, 0.9, 0.6, 0.6, 0.1, 0.1]


@pytest.mark.parametrize(
    ("milestones", "probabilities"), [((61,), ()), ((61, 21), (0.3, 0.2)), ((1,), (0.3,)), ((61,), (1.5,))]
)
def test_milestones_that_make_no_sense_are_refused(milestones: Any, probabilities: Any) -> None:
    with pytest.raises(pydantic.ValidationError, match="milestone"):
        AugmentConfig(milestones=milestones, milestone_probabilities=probabilities)


def test_distillations_copies_keep_the_probability(
    tiny_model: Callable[..., RecurrentClassifier], learnable: Learnable
) -> None:
    early = AugmentConfig(milestones=(2,), milestone_probabilities=(0.0,))
    source = teacher_source(tiny_model(), learnable[0], early, 4, seed=0)
    assert not np.array_equal(source(3)[0].numpy(), learnable[0].x)


def test_adam_is_the_specifications(learnable: Learnable) -> None:
    found: dict[str, Any] = {}

    def keep(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        found.update(optimizer.param_groups[0], kind=type(optimizer))

    handle = register_optimizer_step_post_hook(keep)
    try:
        train_model(Constant(), *learnable, TrainingConfig(epochs=1))
    finally:
        handle.remove()
    assert (found["kind"], found["lr"], found["betas"], found["eps"]) == (torch.optim.Adam, 1e-3, (0.9, 0.999), 1e-7)
    assert not found["amsgrad"]


def test_every_step_of_a_warmup_takes_its_part_of_the_epochs_rate(learnable: Learnable) -> None:
    """8 takes to learn from in batches of 4 are 2 steps an epoch; the phases halve the rate from epoch 2 on."""
    rates: list[float] = []
    hook = register_optimizer_step_post_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    takes, validation = learnable
    rule = {"type": "phases", "milestones": (2,), "phase_factors": (0.5,), "warmup_epochs": 2}
    config = TrainingConfig.model_validate(
        {"epochs": 16, "batch_size": 4, "learning_rate": 0.08, "lr_scheduler": rule, "early_stopping": None}
    )
    try:
        train_model(Constant(), Takes(takes.x[:8], takes.labels[:8]), validation, config)
    finally:
        hook.remove()
    assert rates == pytest.approx([0.02, 0.04, 0.03] + [0.04] * 29)
