"""How long a run would take, from a few batches of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from edgekit.model import RecurrentClassifier
from edgekit.train import Pace, Takes, TrainingConfig, measure_pace

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]


def test_a_run_takes_its_start_and_every_take_of_every_epoch() -> None:
    pace = Pace(take_s=0.01, run_s=2.0)
    assert pace.training_s(takes=100, validation=30, epochs=5) == pytest.approx(2.0 + 5 * (1.0 + 0.1))
    assert pace.reading_s(300) == pytest.approx(1.0)


def test_the_median_batch_counts_and_nothing_is_changed(tiny_model: TinyModel, learnable: Learnable) -> None:
    """A clock that goes 3 s with every look, and once stands still for an hour: 8 batches are looked at once each."""
    seconds = iter(3.0 * k + (3600.0 if k > 5 else 0.0) for k in range(100))
    model = tiny_model(hidden_size=4)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    pace = measure_pace(model, learnable[0], TrainingConfig(batch_size=10, epochs=50), clock=lambda: next(seconds))
    assert pace.take_s == pytest.approx(3.0 / 10 + 3.0 / 80)
    assert pace.run_s == pytest.approx(3600.0 + 3.0 * 11 - 3.0 * 8)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert model.sequence_length == 30
