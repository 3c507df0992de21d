"""A search over tiny students, under a teacher that has not learned anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edgekit.data import Normalisation
from edgekit.distill import DistillConfig
from edgekit.model import ModelConfig, build_model
from edgekit.prune import PruneConfig
from edgekit.quantize import QuantizeConfig
from edgekit.results import Int8Loss
from edgekit.results.searching import FrontRow, Recipe, SearchedModel, StudentPoint, StudentTrial
from edgekit.search import SearchTask, remember_answers
from edgekit.train import Takes, TrainingConfig

POINT = StudentPoint("lstm", 8, 1, False)
WHOLE, HALF = Recipe(0.0, "int8-weights"), Recipe(0.5, "int8-weights")

MakeTask = Callable[..., SearchTask]
MakeModel = Callable[..., SearchedModel]
MakeTrial = Callable[..., StudentTrial]


@pytest.fixture
def make_task(learnable: tuple[Takes, Takes], normalisation: Normalisation) -> MakeTask:
    """(recipes of POINT, what else is otherwise): two epochs of each training, a dense layer of 16 at 8 units."""

    def make(*recipes: Recipe, **otherwise: Any) -> SearchTask:
        train, validation = learnable
        short = DistillConfig(copies=2, training=TrainingConfig(epochs=2, early_stopping=None, keep="last"))
        teacher = build_model(ModelConfig(hidden_size=12, dense=8), normalisation, 3, 3)
        task = SearchTask(
            train=train,
            validation=validation,
            normalisation=normalisation,
            class_names=("A", "B", "C"),
            wanted={POINT: recipes or (WHOLE,)},
            student=ModelConfig(hidden_size=8, dense=16),
            distillation=short,
            pruning=PruneConfig(recovery=short),
            quantization=QuantizeConfig(min_elements=32),
            augmentation=None,
            mix=None,
            seed=5,
            teacher=remember_answers(teacher, train, None, 5, [(2, None)]),
            about={"trained_on": "takes of a test"},
        )
        return replace(task, **otherwise)

    return make


@pytest.fixture
def make_model() -> MakeModel:
    """(accuracy on 100 takes, bytes, hidden size, recipe, content)."""

    def make(
        accuracy: float, size: int = 10_000, hidden: int = 8, recipe: Recipe = WHOLE, content: bytes | None = None
    ) -> SearchedModel:
        loss = Int8Loss(100, accuracy, accuracy, 0.0, 0.0, 0, 0, 0)
        return SearchedModel(StudentPoint("lstm", hidden, 1, False), recipe, 100, 1000, size, "5" * 64, loss, content)

    return make


@pytest.fixture
def make_trial() -> MakeTrial:
    """(accuracies at the looks, parameters, macs, files, state, floor)."""

    def make(
        accuracies: tuple[float, ...],
        parameters: int = 100,
        macs: int = 1000,
        models: tuple[SearchedModel, ...] = (),
        state: str = "finished",
        floor: float | None = None,
        point: StudentPoint = POINT,
    ) -> StudentTrial:
        return StudentTrial(point, state, accuracies, parameters, macs, 1.0, models, floor)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_row(make_model: MakeModel, tmp_path: Any) -> Callable[..., FrontRow]:
    """(number, accuracy, bytes, verdict, latency)."""

    def make(number: int, accuracy: float, size: int, verdict: str = "pass", latency_s: float = 1e-4) -> FrontRow:
        model = make_model(accuracy, size, hidden=number)
        weakest = "file size 9.9 KB, allowed 10.0 KB: pass"
        return FrontRow(number, model, tmp_path, latency_s, 57_000_000, verdict, weakest, tmp_path)  # type: ignore[arg-type]

    return make
