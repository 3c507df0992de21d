"""The settings of a search."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, field_validator

from edgekit.config import StageConfig
from edgekit.errors import ConfigError
from edgekit.model import Cell, ModelConfig
from edgekit.quantize.settings import Scheme, check_cell
from edgekit.results.searching import Recipe, StudentPoint
from edgekit.train.settings import MOST_EPOCHS


class StoppingConfig(StageConfig):
    """When a student is hopeless, at each of the looks that a search takes while it is taught.

    It is when it would still be the margin short of what is asked for if its error fell as far, from here on, as that
    of any finished student has fallen from the same look. What is asked for is the accuracy floor, and the accuracy of
    the best file of every finished student that has no more parameters and multiply-adds: who costs more and reads less
    is of no use.
    """

    margin: float = Field(
        default=0.02, gt=0.0, le=1.0, description="accuracy that a student would be short at its best"
    )
    least_trials: int = Field(default=2, ge=1, description="finished students before any is stopped")


class SearchConfig(StageConfig):
    """What is tried, and how. The dense layer grows with the hidden size, in the proportion that the student's settings
    have; what they say of dropout, readout and first weights holds for all."""

    type: tuple[Cell, ...] = Field(default=("lstm",), description="recurrent cells to try")
    hidden_size: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(16, 24, 32, 48, 64), description="units to try; the dense layer grows in proportion"
    )
    num_layers: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(default=(1, 2), description="layers to try")
    bidirectional: tuple[bool, ...] = Field(default=(False, True), description="directions of the first layer to try")
    sparsity: tuple[Annotated[float, Field(ge=0.0, lt=1.0)], ...] = Field(
        default=(0.0, 0.5), description="parts of the parameters to remove, of each student"
    )
    scheme: tuple[Scheme, ...] = Field(
        default=("int8-weights", "int8-dynamic"), description="ways to quantise, of each pruned student"
    )
    epochs: int = Field(default=30, ge=1, le=MOST_EPOCHS, description="epochs of distillation of every student")
    recovery_epochs: int = Field(default=15, ge=1, le=MOST_EPOCHS, description="epochs of recovery after every pruning")
    points: int | None = Field(default=None, ge=1, description="maximum number of students to train; null: all")
    min_accuracy: float | None = Field(
        default=None, gt=0.0, le=1.0, description="least accuracy on validation takes; null: whatever it is"
    )
    stopping: StoppingConfig | None = StoppingConfig()

    @field_validator("type", "hidden_size", "num_layers", "bidirectional", "sparsity", "scheme")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if not values or len(set(values)) != len(values):
            raise ValueError("expected one or more different values")
        return values

    @property
    def students(self) -> tuple[StudentPoint, ...]:
        """The whole grid."""
        axes = (self.type, self.hidden_size, self.num_layers, self.bidirectional)
        return tuple(StudentPoint(*values) for values in itertools.product(*axes))

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """What is made of each student."""
        return tuple(Recipe(*values) for values in itertools.product(self.sparsity, self.scheme))

    def size(self, students: int) -> int:
        """Trials of the whole study, where so many students are left to try."""
        return min(students, self.points or students)


def model_of(point: StudentPoint, template: ModelConfig) -> ModelConfig:
    """A point as the settings of a model, everything else as in the student's own settings."""
    dense = max(1, round(point.hidden_size * template.dense / template.hidden_size))
    return template.model_copy(update={**point.to_dict(), "dense": dense})


def possible(point: StudentPoint, recipe: Recipe) -> str:
    """Why a point's cell can't have the recipe's scheme; empty where it can."""
    try:
        check_cell(recipe.scheme, point.type, "it")
    except ConfigError as error:
        return str(error).removeprefix("it: ").partition(";")[0]
    return ""


def spread(count: int) -> list[int]:
    """0 to count - 1 so that the first few lie all over the range, whenever one stops: 0, the middle, the quarters.

    Van der Corput's sequence in base 2: the bits of 0, 1, 2, ... reversed.
    """
    bits = max(count - 1, 0).bit_length()
    turned = (int(f"{k:0{bits}b}"[::-1], 2) if bits else 0 for k in range(2**bits))
    return [k for k in turned if k < count]


def in_order(points: Sequence[StudentPoint], costs: Sequence[int]) -> tuple[StudentPoint, ...]:
    """The points from cheap to dear, spread. costs: of each."""
    ranked = [point for _, point in sorted(zip(costs, points, strict=True), key=lambda pair: pair[0])]
    return tuple(ranked[k] for k in spread(len(ranked)))
