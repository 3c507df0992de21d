"""What a stage that trains a model found: figures of its run, what is wrong with it, and what it ran on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgekit.results.data import DataDescription


@dataclass(frozen=True)
class Finding:
    """name: of the fault. fact: what was measured, and the threshold. advice: what to do."""

    name: str
    fact: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class StageFinding:
    """A finding, and the stage whose model it is about."""

    stage: str
    finding: Finding

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, in one level."""
        return {"stage": self.stage, **self.finding.to_dict()}


@dataclass(frozen=True)
class UsedHardware:
    """What training ran on. accelerator: cpu, cuda or cuda:N; accelerators: processes that shared each batch.
    precision: fp32 or bf16. threads: None on GPUs."""

    accelerator: str
    accelerators: int
    precision: str
    threads: int | None = None


@dataclass(frozen=True)
class TeacherCheck:
    """How the answers of a teacher that edgekit did not train fit the labels of `takes` training takes.

    accuracy: with its outputs as they are taken; accuracy_otherwise: in the order that fits best. chance: what the same
    answers would have, dealt out at random. verdict: see `edgekit.evaluate.OrderCheck`.
    """

    takes: int
    accuracy: float
    accuracy_otherwise: float
    chance: float
    verdict: str


@dataclass(frozen=True)
class TeacherDescription:
    """A teacher that edgekit did not train. said: how the user called it. class_names: where the names of its outputs
    are from. probabilities: whether its outputs were those. check: None where nobody wanted to know."""

    said: str
    form: str
    parameters: int
    class_names: str
    probabilities: bool
    check: TeacherCheck | None = None


@dataclass(frozen=True)
class LearningCurve:
    """How a stage's run went, from its log: one number an epoch in each column, losses in nats, accuracies as ratios.

    loss, accuracy: on training takes as the run saw them, augmented. best_epoch: whose weights were kept, from 1.
    """

    stage: str
    best_epoch: int
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    val_loss: tuple[float, ...]
    val_accuracy: tuple[float, ...]

    @property
    def epochs(self) -> int:
        """How many there are."""
        return len(self.loss)


@dataclass(frozen=True, kw_only=True)
class TrainingFigures:
    """A trained model's run: accuracies are ratios, losses in nats, of the weights that were kept.

    parameters: of the model. epochs: that were run; best_epoch: whose weights were kept, from 1. val_per_class:
    accuracy by class. train_accuracy, train_loss: on training takes as they are, without augmentation. hardware: where
    it ran. teacher: only of a student whose teacher edgekit did not train. What is None or empty is not known in
    records of an older edgekit.
    """

    parameters: int
    data: DataDescription
    epochs: int
    best_epoch: int
    val_accuracy: float
    val_loss: float
    elapsed_s: float
    stopped_early: bool
    val_per_class: Mapping[str, float] = field(default_factory=dict)
    train_accuracy: float | None = None
    train_loss: float | None = None
    diagnosis: tuple[Finding, ...] = ()
    hardware: UsedHardware | None = None
    teacher: TeacherDescription | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `teacher` only where there is one."""
        tree = asdict(self)
        if self.teacher is None:
            del tree["teacher"]
        return tree


@dataclass(frozen=True, kw_only=True)
class PruningFigures(TrainingFigures):
    """A pruned model's recovery, and what went.

    sparsity: part of the parameters that was removed, or is zero with method unstructured. zeros: parameters that are
    exactly 0. layer_zeros_ratio: part of each layer's, by its name. hidden_sizes, dense: units that are left. scope:
    None with method structured.
    """

    method: str = "structured"
    scope: str | None = None
    sparsity: float
    parameters_before: int
    parameters_after: int
    zeros: int = 0
    layer_zeros_ratio: Mapping[str, float] = field(default_factory=dict)
    hidden_sizes: tuple[int, ...]
    dense: int
