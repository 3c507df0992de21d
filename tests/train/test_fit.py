"""The training loop: what is minimised, what is kept, what is reported, and what stays quiet."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from edgekit.data import AugmentConfig
from edgekit.errors import ConfigError
from edgekit.model import RecurrentClassifier, predict_logits
from edgekit.train import (
    EarlyStoppingConfig,
    Epoch,
    LossConfig,
    RegularizationConfig,
    RunSetup,
    Takes,
    TrainingConfig,
    fit,
    train_model,
)

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]


def training(**values: Any) -> TrainingConfig:
    """A short run at a constant learning rate without early stopping, unless told otherwise."""
    defaults = {
        "epochs": 4,
        "learning_rate": 0.02,
        "batch_size": 8,
        "lr_scheduler": {"type": "constant"},
        "early_stopping": None,
    }
    return TrainingConfig.model_validate({**defaults, **values})


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def figures(history: tuple[Epoch, ...]) -> list[dict[str, float]]:
    """Everything but the times."""
    return [{k: v for k, v in epoch.to_dict().items() if not k.endswith("_s")} for epoch in history]


class Fixed(nn.Module):
    """Logits that do not depend on the input and, with `gain` 0, never change: all gradients are exactly 0."""

    def __init__(self, logits: tuple[float, ...] = (1.0, 0.0, -1.0), gain: float = 0.0) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))
        self.register_buffer("logits", torch.tensor(logits))
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        return (self.logits + self.gain * self.bias).expand(len(x), 3)


# Learning.


def test_a_tiny_model_learns_what_can_be_learned(tiny_model: TinyModel, learnable: Learnable) -> None:
    model = tiny_model()
    result = train_model(model, *learnable, training(epochs=15), augmentation=AugmentConfig(noise=0.0))
    assert result.val_accuracy == 1.0
    assert result.history[-1].loss < 0.7 * result.history[0].loss


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(
    tiny_model: TinyModel, learnable: Learnable
) -> None:
    runs = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(runs))  # whatever ran before must not matter
        model = tiny_model()
        result = train_model(model, *learnable, training(), augmentation=AugmentConfig(), seed=seed)
        runs.append((figures(result.history), weights(model)))
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])
    assert runs[0][0] != runs[2][0]


def test_the_takes_are_untouched(tiny_model: TinyModel, learnable: Learnable) -> None:
    before = [(takes.x.copy(), takes.labels.copy()) for takes in learnable]
    train_model(tiny_model(), *learnable, training(epochs=2), augmentation=AugmentConfig())
    for takes, (x, labels) in zip(learnable, before, strict=True):
        np.testing.assert_array_equal(takes.x, x)
        np.testing.assert_array_equal(takes.labels, labels)


def test_every_epoch_asks_the_source_for_its_own_tensors(tiny_model: TinyModel, learnable: Learnable) -> None:
    train, validation = learnable
    asked = []

    def source(epoch: int) -> tuple[Tensor, ...]:
        asked.append(epoch)
        return torch.from_numpy(train.x), torch.from_numpy(train.labels)

    fit(tiny_model(), source, validation, lambda z, b: nn.functional.cross_entropy(z, b[1]), training(epochs=3))
    assert asked == [0, 1, 2]


# The loss.


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing_is_cross_entropy_against_the_softened_labels(learnable: Learnable, smoothing: float) -> None:
    train, validation = learnable
    train = Takes(train.x, np.zeros_like(train.labels))  # of one class: over all classes alike smoothing would cancel
    result = train_model(Fixed(), train, validation, training(epochs=1), loss=LossConfig(label_smoothing=smoothing))
    logits = np.array([1.0, 0.0, -1.0])
    log_q = logits - np.log(np.exp(logits).sum())
    targets = np.eye(3)[train.labels] * (1 - smoothing) + smoothing / 3
    assert result.history[0].loss == pytest.approx(-(targets * log_q).sum(axis=1).mean(), rel=1e-5)
    # Validation is scored without it, and over all its takes whatever the batches.
    assert result.history[0].val_loss == pytest.approx(-log_q[validation.labels].mean(), rel=1e-5)
    assert result.history[0].val_accuracy == (validation.labels == 0).mean()


def test_an_epochs_loss_is_the_mean_over_takes_not_over_batches(learnable: Learnable) -> None:
    train, validation = learnable
    losses = [
        train_model(Fixed(), train, validation, training(epochs=1, batch_size=size)).history[0].loss
        for size in (1, 5, 18, 100)
    ]
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-5)


class Still(nn.Module):
    """Linear, recurrent and other weights that get gradients of exactly 0, so that only weight decay moves them."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(63, 2, batch_first=True)
        self.norm = nn.LayerNorm(2)
        self.dense = nn.Linear(2, 3)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.fill_(1e-3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dense(self.norm(self.recurrent(x)[0].mean(dim=1))) * 0.0
        return y


def test_weight_decay_is_twice_l2_and_only_on_the_kernels_of_linear_layers(learnable: Learnable) -> None:
    model, l2, learning_rate, eps = Still(), 1e-4, 1e-4, 1e-7
    before = weights(model)
    train_model(
        model,
        *learnable,
        training(epochs=1, batch_size=100, learning_rate=learning_rate),
        regularization=RegularizationConfig(l2_weight=l2),
    )
    after = weights(model)
    assert [name for name in after if not torch.equal(after[name], before[name])] == ["dense.weight"]
    # The first step of Adam is lr * g / (|g| + eps), g the gradient 2 * l2 * w of Keras's l2 * ||w||^2.
    gradient = 2 * l2 * 1e-3
    step = learning_rate * gradient / (gradient + eps)
    torch.testing.assert_close(
        before["dense.weight"] - after["dense.weight"], torch.full((3, 2), step), rtol=1e-3, atol=0
    )


def test_without_l2_nothing_decays(learnable: Learnable) -> None:
    model = Still()
    before = weights(model)
    train_model(model, *learnable, training(), regularization=RegularizationConfig(l2_weight=0.0))
    assert same(weights(model), before)


def test_gradients_are_clipped_to_the_global_norm(tiny_model: TinyModel, learnable: Learnable) -> None:
    train, validation = learnable
    norms: list[float] = []
    model = tiny_model(dropout=0.0)

    def objective(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        return 1e4 * nn.functional.cross_entropy(logits, batch[1])

    def spy(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.cat([g.flatten() for g in gradients]).norm()))

    handle = register_optimizer_step_post_hook(spy)
    try:
        source = (torch.from_numpy(train.x), torch.from_numpy(train.labels))
        fit(model, lambda _: source, validation, objective, training(epochs=1, clip_norm=0.25))
    finally:
        handle.remove()
    assert norms == pytest.approx([0.25] * 3, rel=1e-3)


# Modes.


@pytest.mark.parametrize("start", ["train", "eval"])
def test_dropout_works_in_training_whatever_the_mode_before(
    tiny_model: TinyModel, learnable: Learnable, start: str
) -> None:
    model = tiny_model()
    getattr(model, start)()
    modes: list[tuple[bool, bool]] = []
    model.dropout.register_forward_hook(lambda module, *_: modes.append((module.training, torch.is_grad_enabled())))
    train_model(model, *learnable, training(epochs=2))
    assert (True, True) in modes
    assert all(training == gradients for training, gradients in modes)  # and never in validation
    assert not any(module.training for module in model.modules())


def test_a_model_in_evaluation_mode_trains_as_one_in_training_mode(tiny_model: TinyModel, learnable: Learnable) -> None:
    models = [tiny_model().train(), tiny_model().eval(), tiny_model(dropout=0.0)]
    for model in models:
        train_model(model, *learnable, training(epochs=2))
    assert same(weights(models[0]), weights(models[1]))
    assert not same(weights(models[0]), weights(models[2]))


# What is kept.


def misleading(train: Takes, honest: int) -> Callable[[int], tuple[Tensor, ...]]:
    """An epoch source whose labels are wrong after so many epochs."""

    def source(epoch: int) -> tuple[Tensor, ...]:
        labels = torch.from_numpy(train.labels)
        return torch.from_numpy(train.x), labels if epoch < honest else (labels + 1) % 3

    return source


def cross_entropy(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
    return nn.functional.cross_entropy(logits, batch[1])


def test_the_weights_of_the_best_epoch_are_what_is_left(tiny_model: TinyModel, learnable: Learnable) -> None:
    train, validation = learnable
    model = tiny_model(dropout=0.0)
    result = fit(model, misleading(train, 8), validation, cross_entropy, training(epochs=16))
    scores = [(epoch.val_accuracy, -epoch.val_loss) for epoch in result.history]
    assert result.best_epoch == 1 + scores.index(max(scores)) < 16
    assert result.history[-1].val_accuracy < result.val_accuracy
    logits = torch.from_numpy(predict_logits(model, validation.x))
    labels = torch.from_numpy(validation.labels)
    assert float((logits.argmax(1) == labels).float().mean()) == pytest.approx(result.val_accuracy)
    assert float(nn.functional.cross_entropy(logits, labels)) == pytest.approx(result.val_loss, rel=1e-5)


def test_the_last_weights_are_left_where_the_settings_say_so(tiny_model: TinyModel, learnable: Learnable) -> None:
    train, validation = learnable
    model = tiny_model(dropout=0.0)
    result = fit(model, misleading(train, 8), validation, cross_entropy, training(epochs=16, keep="last"))
    assert result.best_epoch == 16
    assert result.val_accuracy == result.history[-1].val_accuracy < max(epoch.val_accuracy for epoch in result.history)
    answers = predict_logits(model, validation.x).argmax(1)
    assert float((answers == validation.labels).mean()) == pytest.approx(result.val_accuracy)


def test_ties_of_accuracy_go_to_the_lower_validation_loss(learnable: Learnable) -> None:
    train, _ = learnable
    validation = Takes(train.x[train.labels == 0], train.labels[train.labels == 0])
    only_first = Takes(validation.x, validation.labels)
    model = Fixed(gain=1.0)  # always right, and surer with every step
    result = train_model(model, only_first, validation, training(epochs=3), loss=LossConfig(label_smoothing=0.0))
    assert [epoch.val_accuracy for epoch in result.history] == [1.0] * 3
    assert result.best_epoch == 3


def test_early_stopping_counts_epochs_without_improvement(learnable: Learnable) -> None:
    config = training(epochs=20, early_stopping={"patience": 3})
    result = train_model(Fixed(), *learnable, config)
    assert len(result.history) == 4
    assert result.stopped_early
    assert result.best_epoch == 1


def test_early_stopping_waits_for_the_least_number_of_epochs(learnable: Learnable) -> None:
    config = training(epochs=20, min_epochs=7, early_stopping=EarlyStoppingConfig(patience=2))
    assert len(train_model(Fixed(), *learnable, config).history) == 7


def test_a_run_to_the_last_epoch_did_not_stop_early(learnable: Learnable) -> None:
    result = train_model(Fixed(), *learnable, training(epochs=3, early_stopping={"patience": 10}))
    assert not result.stopped_early
    assert [epoch.epoch for epoch in result.history] == [1, 2, 3]


# What is reported.


def test_the_listener_hears_every_epoch_once(tiny_model: TinyModel, learnable: Learnable) -> None:
    heard: list[Epoch] = []
    result = train_model(tiny_model(), *learnable, training(epochs=3), setup=RunSetup(listener=heard.append))
    assert tuple(heard) == result.history
    assert [(epoch.epoch, epoch.epochs) for epoch in heard] == [(1, 3), (2, 3), (3, 3)]
    times = [epoch.elapsed_s for epoch in heard]
    assert times == sorted(times)
    assert result.elapsed_s == times[-1] > 0
    assert heard[0].left_s == pytest.approx(2 * heard[0].elapsed_s)
    assert heard[-1].left_s == 0


def rates(learnable: Learnable, epochs: int, **rule: Any) -> list[float]:
    config = training(epochs=epochs, learning_rate=0.01, lr_scheduler=rule)
    return [epoch.learning_rate for epoch in train_model(Fixed(), *learnable, config).history]


def test_the_reported_learning_rate_is_the_phases(learnable: Learnable) -> None:
    found = rates(learnable, 5, type="phases", milestones=(3, 5), phase_factors=(0.5, 0.1))
    assert found == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.001])


def test_the_reported_learning_rate_is_the_cosines(learnable: Learnable) -> None:
    found = rates(learnable, 4, type="cosine", min_lr=0.0)
    assert found == pytest.approx([0.005 * (1 + math.cos(math.pi * k / 4)) for k in range(4)])


def test_the_learning_rate_falls_after_patience_epochs_on_a_plateau_to_its_floor(learnable: Learnable) -> None:
    """val_loss never improves after epoch 1: with patience 1, epochs 2 and 3 are one too many, so 4 starts lower."""
    found = rates(learnable, 9, type="reduce_on_plateau", factor=0.5, patience=1, min_lr=0.004)
    assert found == pytest.approx([0.01] * 3 + [0.005] * 2 + [0.004] * 4)


# What goes wrong.


class Poisoned(nn.Module):
    """A linear model; its `after`-th training step and later ones have the loss NaN."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.head = nn.Linear(63, 3)
        self.after = after
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += self.training
        y: Tensor = self.head(x.mean(dim=1)) * (float("nan") if self.steps >= self.after else 1.0)
        return y


@pytest.mark.parametrize(("after", "epoch"), [(1, 1), (4, 2)])
def test_a_loss_that_is_no_number_is_one_clear_error(learnable: Learnable, after: int, epoch: int) -> None:
    with pytest.raises(ConfigError, match=rf"became nan in epoch {epoch}, batch 1, .*; reduce training.learning_rate"):
        train_model(Poisoned(after), *learnable, training())


def test_weights_that_a_last_step_broke_are_never_kept(tiny_model: TinyModel, learnable: Learnable) -> None:
    """The training loss is finite, its gradients are not: the step that would spoil the weights is not made."""
    train, validation = learnable
    model = tiny_model()
    before = weights(model)

    def objective(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        return (logits * 0.0).sqrt().sum()  # 0, with an infinite slope: the step makes the weights NaN

    source = (torch.from_numpy(train.x), torch.from_numpy(train.labels))
    with pytest.raises(ConfigError, match="gradient norm became nan in epoch 1, batch 1"):
        fit(model, lambda _: source, validation, objective, training(epochs=2, batch_size=100))
    assert same(weights(model), before)


def test_a_validation_loss_that_is_no_number_is_one_clear_error_too(learnable: Learnable) -> None:
    class Fragile(Fixed):
        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = super().forward(x) * (1.0 if self.training else float("nan"))
            return y

    with pytest.raises(ConfigError, match="val_loss became nan in epoch 1, so it was stopped"):
        train_model(Fragile(), *learnable, training())


def test_the_message_names_the_settings_of_the_stage(learnable: Learnable) -> None:
    setup = RunSetup(section="prune.recovery.training")
    with pytest.raises(ConfigError, match=r"reduce prune.recovery.training.learning_rate \(now 0.02\) or prune."):
        train_model(Poisoned(1), *learnable, training(), setup=setup)


def test_an_error_of_the_users_module_comes_through_as_it_is(learnable: Learnable) -> None:
    class Broken(Fixed):
        def forward(self, x: Tensor) -> Tensor:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        train_model(Broken(), *learnable, training())


# Silence.

QUIET = """
import numpy as np
from edgekit.data import Normalisation
from edgekit.model import ModelConfig, build_model
from edgekit.train import Takes, TrainingConfig, train_model

normalisation = Normalisation("standard", False, np.zeros(4, np.float32), np.ones(4, np.float32))
model = build_model(ModelConfig(hidden_size=2, dense=2), normalisation, classes=2)
takes = Takes(np.random.default_rng(0).random((4, 3, 4), np.float32), np.array([0, 1, 0, 1]))
train_model(model, takes, takes, TrainingConfig(epochs=2))
"""


def test_nothing_is_printed(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = training(epochs=2, early_stopping={"patience": 1})
    train_model(tiny_model(), *learnable, config, setup=RunSetup(tmp_path / "resume.ckpt"))
    assert capfd.readouterr() == ("", "")


def test_nothing_is_printed_or_warned_of_in_a_fresh_process_either(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", QUIET], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []  # and no lightning_logs


# Where it runs.


def test_it_runs_in_a_thread_of_a_process_that_ignores_ctrl_c(tiny_model: TinyModel, learnable: Learnable) -> None:
    """As in a Ray worker of a command that was started in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ThreadPoolExecutor(1) as pool:
            result = pool.submit(train_model, tiny_model(), *learnable, training(epochs=1)).result()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(result.history) == 1
