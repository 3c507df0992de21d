"""One trial: a student is taught, pruned to every sparsity, and quantised in every way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.artifacts import scratch_folder, sha256_bytes
from edgekit.data import AugmentConfig, Mix, Normalisation
from edgekit.distill import DistillConfig, distill_model
from edgekit.errors import InputError
from edgekit.export import export_onnx
from edgekit.model import Architecture, RecurrentClassifier, build_model
from edgekit.model.architecture import ModelConfig
from edgekit.prune import PruneConfig, prune_model
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.quantize.gates import int8_loss
from edgekit.results.searching import Recipe, SearchedModel, StudentPoint, StudentTrial
from edgekit.search.answers import TeacherAnswers
from edgekit.search.settings import model_of
from edgekit.study import Report
from edgekit.train import ALONE, Epoch, RunSetup, Takes

#: Parts of distillation after which a student is looked at; after the last one nothing has been pruned yet.
LOOKS = (1 / 3, 2 / 3, 1.0)


class _Hopeless(Exception):
    """Ends a student's training."""


@dataclass(frozen=True, eq=False)
class SearchTask:
    """What all trials share; an `edgekit.study.Task`, whose steps are looks at a student that learns.

    train, validation: x float32 (takes, time, features). wanted: what is made of each student. student: the settings
    that every student has, but for what its point says. pruning: with any sparsity. about: what ONNX files say of their
    origin. floor: the least accuracy that is asked for.
    """

    train: Takes
    validation: Takes
    normalisation: Normalisation
    class_names: tuple[str, ...]
    wanted: Mapping[StudentPoint, tuple[Recipe, ...]]
    student: ModelConfig
    distillation: DistillConfig
    pruning: PruneConfig
    quantization: QuantizeConfig
    augmentation: AugmentConfig | None
    mix: Mix | None
    seed: int
    teacher: TeacherAnswers
    about: Mapping[str, Any]
    floor: float | None = None

    @property
    def steps(self) -> int:
        """One more than there are looks: a student may be given up after each of them."""
        return len(LOOKS) + 1

    def run(self, point: StudentPoint, report: Report) -> StudentTrial:
        """Teach `point`, until `report` says that it is hopeless, and make its files.

        The last epoch's weights count: the best epoch, chosen on the very takes that score, would be optimistic. A loss
        that is no longer finite fails the trial.
        """
        started_s = time.monotonic()
        looks = _Looks(self.distillation.training.epochs, report)
        try:
            with ALONE.applied():
                models = tuple(self._models(point, looks))
        except _Hopeless:
            return self.stopped(point, tuple(looks.accuracies), time.monotonic() - started_s)
        except InputError as error:
            return self.failed(point, str(error).partition(";")[0])
        accuracies, elapsed_s = tuple(looks.accuracies), time.monotonic() - started_s
        return StudentTrial(point, "finished", accuracies, *self.costs(point), elapsed_s, models, self.floor)

    def stopped(self, point: StudentPoint, accuracies: tuple[float, ...], elapsed_s: float) -> StudentTrial:
        """Of a student that was given up."""
        return StudentTrial(point, "pruned", accuracies, *self.costs(point), elapsed_s, floor=self.floor)

    def failed(self, point: StudentPoint, reason: str) -> StudentTrial:
        """Of a student that can't be trained."""
        return StudentTrial(point, "failed", (), *self.costs(point), 0.0, floor=self.floor, error=reason)

    def read_point(self, values: Mapping[str, Any]) -> StudentPoint:
        """Of `StudentPoint.to_dict`."""
        return StudentPoint(**values)

    def read_result(self, values: Mapping[str, Any]) -> StudentTrial:
        """Of `StudentTrial.to_dict`."""
        return StudentTrial.from_dict(values)

    def costs(self, point: StudentPoint) -> tuple[int, int]:
        """Parameters and multiply-adds of the unpruned student."""
        config = model_of(point, self.student)
        shape = Architecture.of(config, self.train.x.shape[2], len(self.class_names))
        return shape.parameters, shape.macs(self.train.x.shape[1])

    def build(self, point: StudentPoint) -> RecurrentClassifier:
        """A fresh student."""
        return build_model(model_of(point, self.student), self.normalisation, len(self.class_names), self.seed)

    def _models(self, point: StudentPoint, looks: _Looks) -> Iterator[SearchedModel]:
        student = self.build(point)
        learning: dict[str, Any] = {"augmentation": self.augmentation, "mix": self.mix, "seed": self.seed}
        setup = RunSetup(listener=looks, section="search", hardware=ALONE)
        distill_model(self.teacher, student, self.train, self.validation, self.distillation, setup=setup, **learning)
        recipes = self.wanted[point]
        for sparsity in dict.fromkeys(recipe.sparsity for recipe in recipes):
            config = self.pruning.model_copy(update={"sparsity": sparsity})
            setup = RunSetup(section="search", hardware=ALONE)
            pruned = prune_model(
                student, self.teacher, self.train, self.validation, config, setup=setup, **learning
            ).model
            yield from (self._file(point, recipe, pruned) for recipe in recipes if recipe.sparsity == sparsity)

    def _file(self, point: StudentPoint, recipe: Recipe, model: RecurrentClassifier) -> SearchedModel:
        """Standardisation stays as nodes of its own; `edgekit quantize` tries the other way, too."""
        takes, names = self.validation, self.class_names
        config = self.quantization.model_copy(update={"scheme": recipe.scheme})
        with scratch_folder("search") as folder:
            fp32, int8 = folder / "model.onnx", folder / "model.int8.onnx"
            export_onnx(model, fp32, class_names=names, **self.about)
            quantize_onnx(fp32, int8, config)
            loss, content = int8_loss(fp32, int8, takes, names), int8.read_bytes()
        shape = model.architecture
        return SearchedModel(
            point=point,
            recipe=recipe,
            parameters=shape.parameters,
            macs=shape.macs(takes.x.shape[1]),
            size_bytes=len(content),
            sha256=sha256_bytes(content),
            int8=loss,
            content=content,
        )


class _Looks:
    """Hears of every epoch, and reports a student's accuracy at some of them."""

    def __init__(self, epochs: int, report: Report) -> None:
        self.at = sorted({max(1, round(part * epochs)) for part in LOOKS})
        self.report = report
        self.accuracies: list[float] = []

    def __call__(self, epoch: Epoch) -> None:
        if epoch.epoch not in self.at:
            return
        self.accuracies.append(epoch.val_accuracy)
        if not self.report(tuple(self.accuracies)):
            raise _Hopeless
