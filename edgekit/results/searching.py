"""What a search over students found: the files it made, which are worth having, and which one it would take."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from edgekit.bench import BenchResult
from edgekit.errors import EdgekitError
from edgekit.evaluate import accuracy_interval
from edgekit.measure import Machine
from edgekit.results.data import DataDescription
from edgekit.results.quantization import Int8Loss
from edgekit.results.tuning import STATES, State

#: Why a file was not made: it is known before training that it would not fit, or can't be.
Ruled = Literal["size", "latency", "memory", "impossible"]
RULED: tuple[Ruled, ...] = ("size", "latency", "memory", "impossible")


@dataclass(frozen=True)
class StudentPoint:
    """One student before it is pruned. bidirectional: of its first layer."""

    type: str
    hidden_size: int
    num_layers: int
    bidirectional: bool

    def describe(self) -> str:
        """`LSTM 32x2, bidirectional`."""
        both = ", bidirectional" if self.bidirectional else ""
        return f"{self.type.upper()} {self.hidden_size}x{self.num_layers}{both}"

    @property
    def name(self) -> str:
        """For files: `lstm-32x2-both`."""
        return f"{self.type}-{self.hidden_size}x{self.num_layers}{'-both' if self.bidirectional else ''}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Recipe:
    """What is made of a student: how much of it is pruned, and how the rest is quantised."""

    sparsity: float
    scheme: str


@dataclass(frozen=True)
class SearchedModel:
    """One file, scored on validation takes. parameters, macs: of the pruned model, macs at batch 1. int8: its accuracy
    there, beside its fp32 parent's. content: the file, until it has its place."""

    point: StudentPoint
    recipe: Recipe
    parameters: int
    macs: int
    size_bytes: int
    sha256: str
    int8: Int8Loss
    content: bytes | None = field(default=None, repr=False)

    @property
    def accuracy(self) -> float:
        """On validation takes."""
        return self.int8.int8_accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high) of its accuracy on such takes, 95 %."""
        return accuracy_interval(round(self.accuracy * self.int8.takes), self.int8.takes)

    @property
    def name(self) -> str:
        """Of its file, without suffix."""
        return f"{self.point.name}-s{self.recipe.sparsity:g}-{self.recipe.scheme}"

    def describe(self) -> str:
        """`LSTM 32x2, sparsity 0.5, int8-weights`."""
        return f"{self.point.describe()}, sparsity {self.recipe.sparsity:g}, {self.recipe.scheme}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `SearchedModel.from_dict` is the way back."""
        kept = {**asdict(replace(self, content=None)), "accuracy": self.accuracy}
        del kept["content"]
        return kept if self.content is None else {**kept, "content": base64.b64encode(self.content).decode()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SearchedModel:
        """Of what `to_dict` made."""
        content = values.get("content")
        model = TypeAdapter(cls).validate_python({**values, "content": None})
        return model if content is None else replace(model, content=base64.b64decode(content))


@dataclass(frozen=True)
class StudentTrial:
    """A student that was taught, and the files made of it. accuracies: of the unpruned student on validation takes, at
    each look. floor: the least accuracy that was asked for then. parameters, macs: of the unpruned student. error: why
    it failed."""

    point: StudentPoint
    state: State
    accuracies: tuple[float, ...]
    parameters: int
    macs: int
    elapsed_s: float
    models: tuple[SearchedModel, ...] = ()
    floor: float | None = None
    error: str | None = None

    @property
    def accuracy(self) -> float | None:
        """Of its best file; None where there is none."""
        return max((model.accuracy for model in self.models), default=None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `StudentTrial.from_dict` is the way back."""
        models = [model.to_dict() for model in self.models]
        return {**asdict(replace(self, models=())), "accuracies": list(self.accuracies), "models": models}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StudentTrial:
        """Of what `to_dict` made."""
        models = tuple(SearchedModel.from_dict(model) for model in values["models"])
        return replace(TypeAdapter(cls).validate_python({**values, "models": ()}), models=models)


@dataclass(frozen=True)
class RuledOut:
    """A file that was not made. reason: in words. excess: how far beyond its limit it would be, as a factor; None where
    it is no matter of more or less."""

    point: StudentPoint
    recipe: Recipe
    kind: Ruled
    reason: str
    excess: float | None = None

    def describe(self) -> str:
        """What it would have been, and why it is not."""
        return f"{self.point.describe()}, sparsity {self.recipe.sparsity:g}, {self.recipe.scheme}: {self.reason}"


@dataclass(frozen=True)
class FrontRow:
    """One file of the front. number: from 1, the smallest file first. latency_p50_s: on this host, all files in turns.
    peak_rss_bytes: of a process that runs it here. verdict: of a bench against the profile; weakest: the row that is
    closest to its limit or furthest beyond, in words. settings: a file that --config takes."""

    number: int
    model: SearchedModel
    file: Path
    latency_p50_s: float
    peak_rss_bytes: int | None
    verdict: Literal["pass", "fail", "undecided"]
    weakest: str
    settings: Path

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        paths = {"file": str(self.file), "settings": str(self.settings)}
        low, high = self.model.interval
        interval = {"accuracy_low": low, "accuracy_high": high}
        return {**vars(self), "model": self.model.to_dict(), **interval, **paths}


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    size: students of the whole study. files: that could be made of all students there are. trials: finished ones first.
    latencies_s: p50 of every file that takes part, by its name. chosen: number of the row that it would take, None
    where none will do; reason: why that one. commands: what makes it the work directory's, in order. failure: raised
    after all has been shown. bench: of the chosen file, no part of the JSON.
    """

    profile: str
    min_accuracy: float | None
    epochs: int
    recovery_epochs: int
    size: int
    files: int
    trials: tuple[StudentTrial, ...]
    ruled_out: tuple[RuledOut, ...]
    latencies_s: Mapping[str, float]
    front: tuple[FrontRow, ...]
    chosen: int | None
    reason: str
    commands: tuple[str, ...]
    picture: Path | None
    data: DataDescription
    machine: Machine | None
    failure: EdgekitError | None = None
    bench: BenchResult | None = None

    @property
    def models(self) -> tuple[SearchedModel, ...]:
        """Every file that was made."""
        return tuple(model for trial in self.trials for model in trial.models)

    def count(self, state: State) -> int:
        """Trials that ended so."""
        return sum(trial.state == state for trial in self.trials)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema_version": 1,
            "kind": "search",
            "profile": self.profile,
            "min_accuracy": self.min_accuracy,
            "epochs": self.epochs,
            "recovery_epochs": self.recovery_epochs,
            "size": self.size,
            "files": self.files,
            "states": {state: self.count(state) for state in STATES},
            "front": [row.to_dict() for row in self.front],
            "chosen": self.chosen,
            "reason": self.reason,
            "commands": list(self.commands),
            "trials": [trial.to_dict() for trial in self.trials],
            "latencies_s": dict(self.latencies_s),
            "ruled_out": [asdict(one) for one in self.ruled_out],
            "picture": None if self.picture is None else str(self.picture),
            "machine": None if self.machine is None else self.machine.to_dict(),
            "data": self.data.to_dict(),
            "failure": None if self.failure is None else str(self.failure),
        }
