"""What stays true of the weights while a run trains: in every step, in the weights that are left, and on resuming."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekit.errors import ConfigError, InterruptedRunError
from edgekit.model import RecurrentClassifier
from edgekit.train import Epoch, FitResult, Listener, RunSetup, Takes, TrainingConfig, fit

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]

STEPS = 3  # 18 takes in batches of 8


class Grid:
    """Rounds every weight to a grid, which gets coarser with every epoch until `settled_from`; counts its calls."""

    def __init__(self, settled_from: int = 0) -> None:
        self.settled_from = settled_from
        self.step = 0.0
        self.calls: list[str] = []

    def begin_epoch(self, module: nn.Module, epoch: int) -> None:
        self.calls.append(f"epoch {epoch}")
        self.step = self.step + 0.001 if epoch <= self.settled_from else self.step
        self._round(module)

    def apply(self, module: nn.Module) -> None:
        self.calls.append("apply")
        self._round(module)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.step = state_dict["step"]

    @torch.no_grad()
    def _round(self, module: nn.Module) -> None:
        for parameter in module.parameters():
            parameter.copy_((parameter / self.step).round() * self.step)

    def holds(self, module: nn.Module) -> bool:
        """Every weight is a point of the grid as it is now, up to float32's own rounding."""
        parts = torch.cat([parameter.detach().flatten() for parameter in module.parameters()]) / self.step
        return bool(((parts - parts.round()).abs() < 1e-3).all())


def training(**values: Any) -> TrainingConfig:
    defaults = {
        "epochs": 4,
        "learning_rate": 0.02,
        "batch_size": 8,
        "lr_scheduler": {"type": "constant"},
        "early_stopping": None,
    }
    return TrainingConfig.model_validate({**defaults, **values})


class Fixed(nn.Module):
    """Logits that never change: no epoch is better than the first."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return (torch.tensor([1.0, 0.0, -1.0]) + 0.0 * self.bias).expand(len(x), 3)


def run(
    module: nn.Module,
    learnable: Learnable,
    projection: Grid | None,
    config: TrainingConfig,
    seen: Callable[[], None] = lambda: None,
    honest: int = 100,
    **more: Any,
) -> FitResult:
    """seen: called in every training step, before the optimiser's. honest: later epochs have wrong labels."""
    train, validation = learnable
    x, labels = torch.from_numpy(train.x), torch.from_numpy(train.labels)

    def objective(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        seen()
        return nn.functional.cross_entropy(logits, batch[1])

    def source(epoch: int) -> tuple[Tensor, ...]:
        return x, labels if epoch < honest else (labels + 1) % 3

    return fit(module, source, validation, objective, config, projection=projection, **more)


def test_it_begins_every_epoch_and_follows_every_step(tiny_model: TinyModel, learnable: Learnable) -> None:
    grid = Grid()
    run(tiny_model(), learnable, grid, training(epochs=3))
    assert grid.calls == [call for epoch in range(3) for call in (f"epoch {epoch}", *["apply"] * STEPS)]


def test_it_holds_in_every_step_and_in_the_weights_that_are_left(tiny_model: TinyModel, learnable: Learnable) -> None:
    model, grid, held = tiny_model(), Grid(), list[bool]()
    run(model, learnable, grid, training(), seen=lambda: held.append(grid.holds(model)))
    assert held == [True] * 4 * STEPS
    assert grid.holds(model)


def test_without_it_the_optimiser_would_break_it(tiny_model: TinyModel, learnable: Learnable) -> None:
    model, grid = tiny_model(), Grid()
    grid.begin_epoch(model, 0)
    assert grid.holds(model)
    run(model, learnable, None, training(epochs=1))
    assert not grid.holds(model)


def test_an_epoch_before_it_has_settled_is_never_the_best(tiny_model: TinyModel, learnable: Learnable) -> None:
    """The labels are right in the first 8 epochs only, so the last ones are worse."""
    for settled_from in (0, 13):
        result = run(tiny_model(dropout=0.0), learnable, Grid(settled_from), training(epochs=16), honest=8)
        accuracies = [epoch.val_accuracy for epoch in result.history]
        assert max(accuracies[:8]) > max(accuracies[13:])
        assert result.val_accuracy == max(accuracies[settled_from:])
        assert (result.best_epoch > 13) == (settled_from == 13)


@pytest.mark.parametrize(("settled_from", "expected"), [(0, 4), (5, 9)])
def test_early_stopping_starts_to_judge_when_it_has_settled(
    learnable: Learnable, settled_from: int, expected: int
) -> None:
    config = training(epochs=20, early_stopping={"patience": 3})
    result = run(Fixed(), learnable, Grid(settled_from), config)
    assert len(result.history) == expected
    assert result.best_epoch == settled_from + 1


@pytest.mark.parametrize("settled_from", [0, 3])
def test_the_plateau_starts_to_count_when_it_has_settled(learnable: Learnable, settled_from: int) -> None:
    rule = {"type": "reduce_on_plateau", "factor": 0.5, "patience": 0, "min_lr": 0.01}
    result = run(Fixed(), learnable, Grid(settled_from), training(epochs=6, lr_scheduler=rule))
    rates = [epoch.learning_rate for epoch in result.history]
    assert rates == pytest.approx([0.02] * (settled_from + 2) + [0.01] * (4 - settled_from))


@pytest.mark.parametrize("settled_from", [4, 5])
def test_one_that_settles_after_the_last_epoch_is_refused_before_any_training(
    tiny_model: TinyModel, learnable: Learnable, settled_from: int
) -> None:
    grid = Grid(settled_from)
    with pytest.raises(ConfigError, match=r"training\.epochs: 4 are not enough"):
        run(tiny_model(), learnable, grid, training(epochs=4))
    assert grid.calls == []


@pytest.mark.parametrize("at", [2, 3, 5])
def test_an_interrupted_run_goes_on_with_its_state(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path, at: int
) -> None:
    def interrupt(epoch: Epoch) -> None:
        if epoch.epoch == at:
            raise KeyboardInterrupt

    def weights(resume_file: Path | None = None, listener: Listener | None = None) -> dict[str, Tensor]:
        model = tiny_model()
        stopping = {"patience": 4, "min_delta": 0.5}
        config = training(epochs=8, early_stopping=stopping)
        run(model, learnable, Grid(3), config, setup=RunSetup(resume_file, listener))
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}

    whole, resume_file = weights(), tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        weights(resume_file, interrupt)
    resumed = weights(resume_file)
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())
