"""What a study found: its points, what came of each, and how much of the differences is noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgekit.errors import EdgekitError
from edgekit.results.data import DataDescription

#: How a trial ended; "pruned" is one that was stopped.
State = Literal["finished", "pruned", "failed"]
STATES: tuple[State, ...] = ("finished", "pruned", "failed")


@dataclass(frozen=True)
class Point:
    """One point of the grid."""

    hidden_size: int
    num_layers: int
    dropout: float
    learning_rate: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class TrialResult:
    """accuracies: of the folds that were trained, each after its last epoch. error: why a trial failed."""

    point: Point
    state: State
    accuracies: tuple[float, ...]
    parameters: int
    elapsed_s: float
    error: str | None = None

    @property
    def accuracy(self) -> float | None:
        """Mean over the folds; None when there is none."""
        return float(np.mean(self.accuracies)) if self.accuracies else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `TrialResult.from_dict` is the way back."""
        return {**asdict(self), "accuracies": list(self.accuracies), "accuracy": self.accuracy}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialResult:
        """Of what `to_dict` made."""
        kept = {key: value for key, value in values.items() if key != "accuracy"}
        return cls(**{**kept, "point": Point(**kept["point"]), "accuracies": tuple(kept["accuracies"])})


@dataclass(frozen=True)
class TuneResult:
    """What a study found. trials: best first, then those that were stopped, then those that failed.

    size: points of the whole study. noise: the standard error of a trial's mean over its folds, the median over the
    finished trials; None for fewer than two folds. best_file, train_command: None when no trial finished.
    """

    variant: str
    grouping: str
    rule: str
    epochs: int
    size: int
    trials: tuple[TrialResult, ...]
    noise: float | None
    saved_folds_ratio: float
    best_file: Path | None
    train_command: str | None
    data: DataDescription

    @property
    def failure(self) -> EdgekitError | None:
        """When no trial finished: why the first one failed."""
        if self.best_file is not None:
            return None
        reason = next((trial.error for trial in self.trials if trial.error), "none was tried")
        return EdgekitError(f"tune: no trial finished; the first one's reason: {reason}")

    @property
    def finished(self) -> tuple[TrialResult, ...]:
        """The trials that trained every fold, best first."""
        return tuple(trial for trial in self.trials if trial.state == "finished")

    def count(self, state: State) -> int:
        """Trials that ended so."""
        return sum(trial.state == state for trial in self.trials)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema_version": 1,
            "variant": self.variant,
            "grouping": self.grouping,
            "rule": self.rule,
            "epochs": self.epochs,
            "size": self.size,
            "states": {state: self.count(state) for state in STATES},
            "trials": [trial.to_dict() for trial in self.trials],
            "noise": self.noise,
            "saved_folds_ratio": self.saved_folds_ratio,
            "best_file": None if self.best_file is None else str(self.best_file),
            "train_command": self.train_command,
            "data": self.data.to_dict(),
        }
