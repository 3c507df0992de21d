"""The learning rate's schedules at the epochs where they turn, and configs that contradict themselves."""

from __future__ import annotations

import math

import pydantic
import pytest

from edgekit.config import StageConfig, build
from edgekit.errors import ConfigError
from edgekit.train import EarlyStoppingConfig, LossConfig, RegularizationConfig, SchedulerConfig, TrainingConfig
from edgekit.train.settings import MOST_EPOCHS
from edgekit.tune import TuneConfig


def factors(config: SchedulerConfig, epochs: int, learning_rate: float = 1e-3) -> list[float]:
    return [config.factor_at(epoch, epochs, learning_rate) for epoch in range(1, epochs + 1)]


def test_phases_change_at_the_first_epoch_of_each_phase() -> None:
    """The specification: 1 to epoch 20, a half from 21 to 60, a tenth from 61."""
    found = factors(SchedulerConfig(type="phases"), 100)
    assert found == [1.0] * 20 + [0.5] * 40 + [0.1] * 40


def test_phases_of_ones_own() -> None:
    config = SchedulerConfig(type="phases", milestones=(2, 4, 5), phase_factors=(0.3, 0.2, 0.1))
    assert factors(config, 6) == [1.0, 0.3, 0.3, 0.2, 0.1, 0.1]


def test_a_cosine_starts_at_the_top_is_half_way_in_the_middle_and_falls_towards_its_floor() -> None:
    found = factors(SchedulerConfig(type="cosine", min_lr=1e-4), 100, learning_rate=1e-3)
    assert found[0] == 1.0
    assert found[50] == pytest.approx(0.1 + 0.9 * 0.5)
    assert found[25] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.sqrt(0.5)))
    assert found == sorted(found, reverse=True)
    assert 0.1 < found[-1] < 0.101


def test_a_cosine_never_exceeds_the_learning_rate_even_below_its_floor() -> None:
    assert factors(SchedulerConfig(type="cosine", min_lr=1e-2), 5, learning_rate=1e-3) == [1.0] * 5


@pytest.mark.parametrize("kind", ["constant", "reduce_on_plateau"])
def test_the_other_rules_have_no_schedule(kind: str) -> None:
    assert factors(SchedulerConfig.model_validate({"type": kind}), 10) == [1.0] * 10


def test_a_warmup_rises_evenly_to_the_whole_rate_and_is_absent_by_default() -> None:
    rule = SchedulerConfig(type="cosine", warmup_epochs=2)
    assert [rule.warmth_at(passed, 16) for passed in (0.1, 0.5, 1.0, 2.0, 2.5)] == [0.05, 0.25, 0.5, 1.0, 1.0]
    assert [rule.warmth_at(passed, 4) for passed in (0.1, 0.5, 1.0)] == [0.2, 1.0, 1.0], "an eighth at most"
    assert SchedulerConfig(type="cosine").warmth_at(0.1, 16) == 1.0
    assert SchedulerConfig(type="reduce_on_plateau", warmup_epochs=2).warmth_at(0.1, 16) == 1.0


def test_milestones_and_factors_must_be_equally_many() -> None:
    with pytest.raises(pydantic.ValidationError, match="equally many"):
        SchedulerConfig(milestones=(5,), phase_factors=(0.5, 0.1))


def test_the_defaults_are_the_specifications() -> None:
    training = TrainingConfig()
    assert (training.batch_size, training.epochs, training.learning_rate, training.clip_norm) == (32, 100, 1e-3, 1.0)
    assert training.early_stopping == EarlyStoppingConfig(monitor="val_accuracy", patience=10, min_delta=0.001)
    assert (training.lr_scheduler.factor, training.lr_scheduler.patience) == (0.5, 5)
    assert LossConfig().label_smoothing == 0.1
    assert RegularizationConfig().l2_weight == 1e-4


@pytest.mark.parametrize(
    "values", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"clip_norm": 0.0}, {"optimizer": "sgd"}]
)
def test_values_out_of_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        TrainingConfig.model_validate(values)


@pytest.mark.parametrize(
    ("kind", "key"), [(TrainingConfig, "epochs"), (TrainingConfig, "min_epochs"), (TuneConfig, "epochs")]
)
def test_epochs_beyond_reason_are_a_slip(kind: type[StageConfig], key: str) -> None:
    build(kind, {"epochs": MOST_EPOCHS, key: MOST_EPOCHS}, "x")
    with pytest.raises(ConfigError, match=f"x: {key}: Input should be less than or equal to 100000"):
        build(kind, {key: 10**23}, "x")
