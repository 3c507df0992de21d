"""Every fault is recognised in a run that really has it, and an ordinary run has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from edgekit.model import RecurrentClassifier, predict_logits
from edgekit.results import Finding
from edgekit.train import (
    Epoch,
    FitResult,
    Fitted,
    Takes,
    TrainingConfig,
    diagnose,
    live_findings,
    poor_generalisation,
    train_model,
)

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]


def trained(model: RecurrentClassifier, train: Takes, validation: Takes, **config: Any) -> FitResult:
    plain = {"lr_scheduler": {"type": "constant"}, "early_stopping": None, "learning_rate": 0.02, "batch_size": 8}
    return train_model(model, train, validation, TrainingConfig.model_validate({**plain, **config}))


def found_in(model: RecurrentClassifier, train: Takes, validation: Takes, **config: Any) -> list[str]:
    """Names of the findings of a real run."""
    result = trained(model, train, validation, **config)
    logits, labels = torch.from_numpy(predict_logits(model, train.x)), torch.from_numpy(train.labels)
    accuracy = float((logits.argmax(1) == labels).float().mean())
    loss = float(torch.nn.functional.cross_entropy(logits, labels))
    fitted = Fitted(accuracy, loss, result.val_accuracy, result.val_loss)
    return [finding.name for finding in diagnose(result.history, fitted)]


def noise(takes: int, seed: int) -> Takes:
    """Nothing that could be learned but by heart."""
    rng = np.random.default_rng(seed)
    return Takes(rng.normal(0.5, 0.2, (takes, 6, 63)).astype(np.float32), np.arange(takes) % 3)


def test_an_ordinary_run_has_no_finding(tiny_model: TinyModel, learnable: Learnable) -> None:
    assert found_in(tiny_model(), *learnable, epochs=15) == []


def test_what_is_learned_by_heart_is_overfitting(tiny_model: TinyModel) -> None:
    model = tiny_model(dropout=0.0, hidden_size=24)
    assert found_in(model, noise(18, 0), noise(60, 1), epochs=30) == ["overfitting"]


def test_a_model_of_one_unit_underfits(tiny_model: TinyModel) -> None:
    model = tiny_model(hidden_size=1, dense=1, dropout=0.0)
    assert found_in(model, noise(120, 0), noise(60, 1), epochs=40, learning_rate=0.01) == ["underfitting"]


def test_a_tiny_learning_rate_is_a_loss_that_does_not_fall(tiny_model: TinyModel, learnable: Learnable) -> None:
    model = tiny_model(dropout=0.0)
    assert found_in(model, *learnable, epochs=6, learning_rate=1e-7) == ["loss not falling"]


def test_a_huge_learning_rate_explodes(tiny_model: TinyModel, learnable: Learnable) -> None:
    assert found_in(tiny_model(), *learnable, epochs=4, learning_rate=1e3) == ["exploding gradients"]


def test_the_norms_are_those_before_clipping(tiny_model: TinyModel, learnable: Learnable) -> None:
    """They do not depend on where they are clipped, as long as the step is none."""
    norms = []
    for clip_norm in (1e-6, 1e6):
        result = trained(
            tiny_model(dropout=0.0), *learnable, epochs=1, batch_size=100, clip_norm=clip_norm, learning_rate=1e-9
        )
        epoch = result.history[0]
        assert epoch.gradient_norm_mean == epoch.gradient_norm_max > 0.1
        norms.append(epoch.gradient_norm_max)
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)
    several = trained(tiny_model(), *learnable, epochs=1, batch_size=3).history[0]
    assert several.gradient_norm_max > several.gradient_norm_mean > 0


def epochs(losses: list[float], accuracy: float = 0.1, norm: float = 2.0) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(k, len(losses), loss, accuracy, loss, accuracy, 1e-3, k, 0.0, norm, norm)
        for k, loss in enumerate(losses, 1)
    )


def test_the_thresholds_are_the_specifications() -> None:
    history = epochs([3.0, 2.0, 1.0], 0.9)
    assert diagnose(history, Fitted(0.951, 0.1, 0.799, 0.9))[0].name == "overfitting"
    assert diagnose(history, Fitted(0.949, 0.1, 0.799, 0.9)) == ()
    assert diagnose(history, Fitted(0.951, 0.1, 0.801, 0.9)) == ()
    assert diagnose(history, Fitted(0.99, 0.1, 0.85, 1.2))[0].fact.startswith("validation loss 1.20 is 1.10 above")


def test_a_run_that_still_improves_does_not_underfit() -> None:
    low = Fitted(0.5, 1.0, 0.5, 1.0)
    falling = [3.0 - 0.05 * k for k in range(30)]
    assert [finding.name for finding in diagnose(epochs(falling, 0.5), low)] == ["underfitting"]
    rising = tuple(
        Epoch(k, 30, loss, k / 60, loss, k / 60, 1e-3, k, 0.0, 2.0, 2.0) for k, loss in enumerate(falling, 1)
    )
    assert diagnose(rising, low) == ()
    assert diagnose(epochs(falling[:8], 0.5), low) == ()


def test_a_good_model_whose_loss_stays_is_no_fault() -> None:
    assert live_findings(epochs([0.7] * 8, 0.99)) == ()
    assert live_findings(epochs([3.0] * 4)) == ()
    assert [finding.name for finding in live_findings(epochs([3.0] * 5))] == ["loss not falling"]


def test_exploding_is_a_norm_or_a_loss() -> None:
    assert live_findings(epochs([3.0, 2.9], norm=99.0)) == ()
    assert "101 in epoch 1 (> 100)" in live_findings(epochs([3.0, 2.9], norm=101.0))[0].fact
    assert "7 in epoch 2" in live_findings(epochs([3.0, 7.0]))[0].fact


@pytest.mark.parametrize(
    ("validation", "test", "poor"), [(0.99, 0.6, True), (0.79, 0.3, False), (0.99, 0.81, False), (0.81, 0.79, False)]
)
def test_good_validation_and_a_poor_test_is_poor_generalisation(validation: float, test: float, poor: bool) -> None:
    found = poor_generalisation(validation, test)
    assert (found is not None) == poor


def test_advice_is_one_line_and_json_ready() -> None:
    found = poor_generalisation(0.9, 0.5)
    assert isinstance(found, Finding)
    assert set(found.to_dict()) == {"name", "fact", "advice"}
    assert "\n" not in found.fact + found.advice
