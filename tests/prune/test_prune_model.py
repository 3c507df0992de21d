"""Pruning with recovery: a smaller model that has learned again, and inputs that stay as they were."""

from __future__ import annotations

import json
from collections.abc import Callable

import pydantic
import pytest
import torch

from edgekit.distill import DistillConfig
from edgekit.errors import ConfigError
from edgekit.model import RecurrentClassifier, predict_logits
from edgekit.prune import PruneConfig, prune_model
from edgekit.train import RunSetup, SchedulerConfig, Takes, TrainingConfig, train_model

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]

#: Fails the test that lets an epoch pass.
NEVER = RunSetup(listener=lambda _: pytest.fail("it trained"))


def config(sparsity: float = 0.5, epochs: int = 10) -> PruneConfig:
    training = TrainingConfig(
        epochs=epochs,
        learning_rate=0.02,
        batch_size=8,
        lr_scheduler=SchedulerConfig(type="constant"),
        early_stopping=None,
    )
    return PruneConfig(sparsity=sparsity, recovery=DistillConfig(training=training))


@pytest.fixture
def trained(tiny_model: TinyModel, learnable: Learnable) -> RecurrentClassifier:
    model = tiny_model(hidden_size=12)
    training = TrainingConfig(epochs=12, learning_rate=0.02, batch_size=8, early_stopping=None)
    assert train_model(model, *learnable, training).val_accuracy == 1.0
    return model


def test_half_of_the_model_goes_and_the_rest_recovers(trained: RecurrentClassifier, learnable: Learnable) -> None:
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    result = prune_model(trained, trained, *learnable, config())
    assert result.before == trained.architecture
    assert result.after == result.model.architecture
    assert result.sparsity == 1 - result.after.parameters / result.before.parameters
    assert 0.5 <= result.sparsity < 0.6
    accuracy = (predict_logits(result.model, learnable[1].x).argmax(axis=1) == learnable[1].labels).mean()
    assert accuracy == result.recovery.val_accuracy >= 8 / 9
    assert not result.model.training
    assert all(torch.equal(trained.state_dict()[name], tensor) for name, tensor in before.items())


def test_the_result_is_json(trained: RecurrentClassifier, learnable: Learnable) -> None:
    result = prune_model(trained, trained, *learnable, config(epochs=1))
    read = json.loads(json.dumps(result.to_dict()))
    assert read["parameters_before"] == result.before.parameters
    assert read["parameters_after"] == result.after.parameters
    assert read["sparsity"] == result.sparsity
    assert read["hidden_sizes"] == list(result.after.hidden_sizes)


def test_a_sparsity_beyond_the_output_layer_is_refused_before_any_training(
    tiny_model: TinyModel, learnable: Learnable
) -> None:
    model = tiny_model(hidden_size=1, dense=1)
    with pytest.raises(ConfigError, match="can't be reached: no layer of this module can lose units"):
        prune_model(model, model, *learnable, config(sparsity=0.5), setup=NEVER)


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, float("nan")])
def test_a_sparsity_out_of_range_is_refused(sparsity: float) -> None:
    with pytest.raises(pydantic.ValidationError):
        PruneConfig(sparsity=sparsity)


@pytest.mark.parametrize("widths", ["recurrent", "uniform", "free"])
def test_zeros_have_no_widths(widths: str) -> None:
    assert PruneConfig(method="unstructured").widths is None
    with pytest.raises(pydantic.ValidationError, match=r"take back what was said with --set prune\.widths=null"):
        PruneConfig(method="unstructured", widths=widths)
