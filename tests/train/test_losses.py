"""Focal loss: what it is without its two settings, what it leaves out, and that it stays finite."""

from __future__ import annotations

import math

import pydantic
import pytest
import torch
from torch import nn

from edgekit.train import LossConfig, focal_loss, supervised_loss

LOGITS = torch.randn(16, 5, generator=torch.Generator().manual_seed(0)) * 3
LABELS = torch.arange(16) % 5


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_focus_it_is_cross_entropy(smoothing: float) -> None:
    found = focal_loss(LOGITS, LABELS, alpha=1.0, gamma=0.0, label_smoothing=smoothing)
    torch.testing.assert_close(found, nn.functional.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_a_take_counts_less_by_the_power_of_what_is_missing(gamma: float) -> None:
    for logits, label in zip(LOGITS, LABELS, strict=True):
        one, kind = logits[None], label[None]
        missing = 1.0 - torch.softmax(one, dim=1)[0, label]
        expected = 0.25 * missing**gamma * nn.functional.cross_entropy(one, kind)
        torch.testing.assert_close(focal_loss(one, kind, 0.25, gamma), expected, rtol=1e-4, atol=1e-7)


def test_an_example_by_hand() -> None:
    """p = (1/2, 1/4, 1/4), class 0, e = 0.3: y = (0.8, 0.1, 0.1)."""
    logits = torch.tensor([[math.log(2.0), 0.0, 0.0]])
    expected = 0.25 * (0.8 * 0.5**2 * math.log(2) + 2 * 0.1 * 0.75**2 * math.log(4))
    assert float(focal_loss(logits, torch.tensor([0]), 0.25, 2.0, 0.3)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradient_are_finite_at_the_ends(gamma: float, label: int, smoothing: float) -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([label]), 0.25, gamma, smoothing)
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_the_gradient_is_that_of_the_formula() -> None:
    logits = LOGITS.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: focal_loss(z, LABELS, 0.25, 2.0, 0.1), (logits,))


def test_the_type_chooses_the_loss_and_its_defaults() -> None:
    focal = LossConfig(type="focal")
    assert (focal.alpha, focal.gamma, focal.label_smoothing) == (0.25, 2.0, 0.1)
    torch.testing.assert_close(supervised_loss(focal)(LOGITS, LABELS), focal_loss(LOGITS, LABELS, 0.25, 2.0, 0.1))
    torch.testing.assert_close(
        supervised_loss(LossConfig())(LOGITS, LABELS),
        nn.functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.1),
    )
    assert LossConfig.model_validate({"type": "focal", "alpha": None, "gamma": 0.0}).gamma == 0.0


@pytest.mark.parametrize("said", [{"alpha": 0.5}, {"gamma": 1.0}, {"alpha": 0.5, "gamma": 1.0}])
def test_focals_settings_are_refused_where_they_would_do_nothing(said: dict[str, float]) -> None:
    with pytest.raises(pydantic.ValidationError, match=r"only for type focal, .*--set loss\.type=focal.*=null"):
        LossConfig.model_validate(said)
