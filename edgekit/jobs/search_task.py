"""What a search in a work directory is made of: its task, and what decides its numbers. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.distill import DistillConfig
from edgekit.errors import ConfigError
from edgekit.profiles import Profile
from edgekit.prune import PruneConfig
from edgekit.quantize import QuantizeConfig
from edgekit.results.searching import RuledOut, StudentPoint
from edgekit.search import SearchConfig, SearchTask, TeacherAnswers, remember_answers
from edgekit.search.board import SearchBoard, plan_of
from edgekit.stages.start import Origin
from edgekit.stages.table import Stages
from edgekit.stages.training_run import deciding
from edgekit.train import TrainingConfig
from edgekit.workdir.workspace import Workspace

#: Settings of a search that decide which students there are, and no student's numbers.
GRID = {"type", "hidden_size", "num_layers", "bidirectional", "sparsity", "scheme", "points", "min_accuracy"}


@dataclass(frozen=True)
class Search:
    """A search that may begin. points: students to try, in their order. ruled_out: files that certainly don't fit.
    profile_said: as the user called it."""

    workspace: Workspace
    stages: Stages
    profile: Profile
    profile_said: str
    config: SearchConfig
    task: SearchTask
    points: tuple[StudentPoint, ...]
    ruled_out: tuple[RuledOut, ...]

    @property
    def folder(self) -> Path:
        """Where all of it goes."""
        return self.workspace.path / "search"

    @property
    def study(self) -> Path:
        """Its trials."""
        return self.folder / "study.db"

    @property
    def models(self) -> Path:
        """The files that trials leave."""
        return self.folder / "models"

    def board(self, key: Mapping[str, Any], in_time: Callable[[], bool], listener: Any) -> SearchBoard:
        """The study, opened."""
        plan = plan_of(self.config, self.points, self.task, self.models)
        return SearchBoard(self.study, plan, key, self.models, in_time, listener)


def search_task(stages: Stages, config: SearchConfig, *, alone: bool) -> SearchTask:
    """What the trials share, with a teacher that has not answered yet. alone: whether one trial has the machine."""
    data, settings = stages.data, stages.workspace.settings
    dataset = data.dataset
    distillation = settings.section("distill", DistillConfig)
    pruning = settings.section("prune", PruneConfig)
    recovery = _shorter(pruning.recovery, config.recovery_epochs, alone)
    for section, taught in (("distill", distillation), ("prune.recovery", pruning.recovery)):
        if taught.states:
            raise ConfigError(
                f"{section}.states: {taught.states:g}; all students of a search learn from answers that the teacher"
                f" gives once, without states; give --set {section}.states=0"
            )
    if pruning.steps > config.recovery_epochs:
        raise ConfigError(
            f"search.recovery_epochs: {config.recovery_epochs} for prune.steps {pruning.steps}; each needs one at least"
        )
    return SearchTask(
        train=data.train_takes(),
        validation=data.validation_takes(),
        normalisation=dataset.normalisation,
        class_names=dataset.class_names,
        wanted=dict.fromkeys(config.students, config.recipes),
        student=settings.student_model(),
        distillation=_shorter(distillation, config.epochs, alone),
        pruning=pruning.model_copy(update={"recovery": recovery}),
        quantization=QuantizeConfig(min_elements=stages.quantized.quantize.min_elements),
        augmentation=data.augmented,
        mix=data.mix,
        seed=settings.seed,
        teacher=TeacherAnswers(None),
        about=_about(stages),
        floor=config.min_accuracy,
    )


def _shorter(config: DistillConfig, epochs: int, alone: bool) -> DistillConfig:
    """As many epochs as a search has, all of them, and the last one's weights."""
    training = config.training
    prefetch = False if training.prefetch == "auto" and not alone else training.prefetch
    shorter: Mapping[str, Any] = {"epochs": epochs, "min_epochs": 1, "early_stopping": None, "keep": "last"}
    changed: TrainingConfig = training.model_copy(update={**shorter, "prefetch": prefetch})
    return config.model_copy(update={"training": changed, "copies": min(config.copies, epochs)})


def _about(stages: Stages) -> dict[str, Any]:
    """What ONNX files say of their origin: no student of a search starts from weights of its own."""
    own, data = stages.teacher.own, stages.data
    origin = Origin() if own is None else Origin().taught_by(own.origin)
    return {
        "parents": origin.parents,
        "trained_on": ", ".join((data.name_for_people(), *origin.words)),
        "data_sha256": data.dataset.digest,
        "split": data.dataset.split_settings,
    }


def with_answers(task: SearchTask, stages: Stages) -> SearchTask:
    """The task with a teacher that has answered all that students will ask, once."""
    mix = task.mix
    taught, recovered = (None, None) if mix is None else (mix.apart(), mix.apart().apart())
    runs = [(task.distillation.copies, taught), (task.pruning.recovery.copies, recovered)]
    answers = remember_answers(stages.teacher.module(), task.train, task.augmentation, task.seed, runs)
    return replace(task, teacher=answers)


def search_key(stages: Stages, task: SearchTask, config: SearchConfig) -> dict[str, Any]:
    """What decides the trials' numbers and which are given up, JSON-ready."""
    settings = stages.workspace.settings
    shape = {"type", "hidden_size", "num_layers", "bidirectional"}
    pruning = {key: value for key, value in deciding(task.pruning).items() if key != "sparsity"}
    return {
        **stages.data.decides(),
        "teacher": settings.teacher,
        "teacher_files": stages.teacher.inputs(),
        **({} if settings.class_names is None else {"class_names": list(settings.class_names)}),
        "student": {**task.student.model_dump(mode="json", exclude=shape), "dense": _dense_ratio(task)},
        "distill": _without_epochs(deciding(task.distillation)),
        "prune": {**pruning, "recovery": _without_epochs(pruning["recovery"])},
        "quantize": task.quantization.model_dump(mode="json", exclude={"scheme"}),
        "search": config.model_dump(mode="json", exclude=GRID),
    }


def _without_epochs(config: dict[str, Any]) -> dict[str, Any]:
    """Of a `DistillConfig`: the section `search` says how many."""
    return {**config, "training": {key: value for key, value in config["training"].items() if key != "epochs"}}


def _dense_ratio(task: SearchTask) -> float:
    """Units of the dense layer for each hidden one, which is what is left of both in every student."""
    return task.student.dense / task.student.hidden_size
