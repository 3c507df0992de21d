"""The stages and their order: what each is made from, and how. Imports torch; needs the extra `train`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from edgekit.data import AugmentConfig, DataConfig, SynthConfig, training_note
from edgekit.data.pretraining import PretrainConfig
from edgekit.distill import DistillConfig, distill_model
from edgekit.evaluate import OrderCheck
from edgekit.export import Standardisation, verify_parity
from edgekit.model import (
    VARIANTS,
    ModelConfig,
    RecurrentClassifier,
    build_model,
    load_model,
)
from edgekit.prune import PruneConfig, prune_model
from edgekit.quantize import QuantizeConfig, check_cell, quantize_onnx
from edgekit.quantize.gates import GatesConfig, int8_loss, least_lossy_standardisation
from edgekit.report import cut_text
from edgekit.results import QuantizationFigures, Record, TeacherDescription
from edgekit.stages.guess import Guesses
from edgekit.stages.preflight import check_hardware, check_sparsity
from edgekit.stages.teacher import describe_teacher, fit_text, load_foreign
from edgekit.stages.training_run import (
    deciding,
    export_model,
    leave_model,
    pretraining_of,
    pretraining_setup,
    pruning_figures,
    run_setup,
    training_figures,
)
from edgekit.teacher import ForeignTeacher, check_teacher
from edgekit.train import (
    ALONE,
    FitResult,
    LossConfig,
    RegularizationConfig,
    RunSetup,
    Takes,
    TrainingConfig,
    train_model,
)
from edgekit.train.pretraining import pretrain_model
from edgekit.workdir.dataset import Dataset
from edgekit.workdir.options import is_foreign
from edgekit.workdir.settings import CUSTOM
from edgekit.workdir.workspace import Outcome, Stage, Workspace

STUDENT, PRUNED, QUANTIZED = "distill", "prune", "quantize"


def train_stage_name(name: str) -> str:
    """Of the stage that trains a variant."""
    return f"train {name}"


def alone(run: Callable[[], Outcome]) -> Callable[[], Outcome]:
    """`run`, set up before it computes: nothing that this process did or was told before has a say in what it makes. A
    run of the training loop then sets up the stage's own hardware."""
    return ALONE.applied()(run)


class Stages:
    """All stages of one workspace, built when asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.settings = workspace.settings
        self.data_config = self.settings.section("data", DataConfig)
        self.augmentation = self.settings.augmentation()
        self.gates = self.settings.section("gates", GatesConfig)
        self.pretrain = self.settings.section("pretrain", PretrainConfig)
        #: Of what was made here before and stays, the nearest first.
        self.kept_configs: Sequence[Mapping[str, Any]] = ()
        #: The stages that the command needs.
        self.goal: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Of the recordings."""
        return self.workspace.digest

    @cached_property
    def dataset(self) -> Dataset:
        """Read once a command, and only when a stage needs it."""
        dataset = self.workspace.dataset(self._kept_length() or self.data_config.sequence_length)
        note = training_note(
            dataset.recordings, dataset.split, self.data_config.columns
        )  # raises for what can't be trained
        notes = [note, cut_text(dataset.describe()) if dataset.takes_cut else None]
        for text in notes if self.workspace.options.recordings is not None else ():
            if text:
                self.workspace.watcher.stage("data", "note", text)
        return dataset

    @cached_property
    def sequence_length(self) -> int:
        """Frames of every take: as said; for "auto" what this work directory's models read, where it has some of the
        same data, else what fits the takes to train on."""
        said = self.data_config.sequence_length
        return (self._kept_length() or self.dataset.sequence_length) if said == "auto" else said

    def _kept_length(self) -> int | None:
        """For "auto": of the models that stay. Those that --force makes again have no say."""
        if self.data_config.sequence_length != "auto":
            return None
        here = self._data_key()
        for config in self.kept_configs:
            data = config.get("data", {})
            length = data.get("sequence_length")
            if type(length) is int and all(data.get(key) == value for key, value in here.items()):
                return length
        return None

    def _data_key(self) -> dict[str, Any]:
        """Which takes train: another length is chosen where these are others."""
        which = self.data_config.model_dump(mode="json", include={"columns", "split", "test_sessions", "test_signers"})
        return {**which, "sha256": self.digest}

    def ensure(self, name: str, owned: frozenset[str]) -> Record | None:
        """See `Workspace.ensure`."""
        self.goal = self._closure(name)
        self.keep(*self.goal, again=owned if self.workspace.force else frozenset())
        return self.workspace.ensure(self.table, name, owned)

    def _closure(self, name: str) -> tuple[str, ...]:
        """A stage and all that it is made from, the first first."""
        upstream = (earlier for direct in self.table[name].upstream for earlier in self._closure(direct))
        return tuple(dict.fromkeys((*upstream, name)))

    def keep(self, *nearest: str, again: frozenset[str] = frozenset()) -> None:
        """Look at what was made here before and stays: its sequences' length is kept. again: stages that don't stay."""
        names = dict.fromkeys((*nearest, *self.chain, *self.table))
        records = [self.workspace.record(name) for name in names if name not in again]
        self.kept_configs = [record.config for record in records if record is not None]

    def check_scheme(self) -> None:
        """Raises ConfigError when the student's cell can't have the quantisation scheme, before it is trained."""
        check_cell(self.settings.section("quantize", QuantizeConfig).scheme, self.student_config().type, "student")

    @cached_property
    def teacher_stages(self) -> tuple[str, ...]:
        """The stage that trains the teacher; none for one that edgekit did not train."""
        return () if is_foreign(self.settings.teacher) else (train_stage_name(self.settings.teacher),)

    @cached_property
    def foreign_teacher(self) -> ForeignTeacher | None:
        """The teacher that edgekit did not train, tried on training takes; None for a variant."""
        if self.teacher_stages:
            return None
        return load_foreign(self.workspace, self.train_takes().x, self.dataset.class_names)

    @cached_property
    def teacher_check(self) -> OrderCheck | None:
        """How the answers of a teacher that edgekit did not train fit the labels of the training takes; None for a
        variant, and where nobody wants to know. Raises ConfigError where they don't."""
        teacher = self.foreign_teacher
        if teacher is None or not self.gates.check_teacher:
            return None
        takes = self.train_takes()
        return check_teacher(teacher, takes.x, takes.labels, self.dataset.class_names)

    def check_teacher(self) -> None:
        """Raises ConfigError for a teacher whose answers do not fit the labels, before anything learns from it."""
        _ = self.teacher_check

    @property
    def chain(self) -> tuple[str, ...]:
        """The stages that lead to the INT8 file, in order."""
        return (*self.teacher_stages, STUDENT, PRUNED, QUANTIZED)

    @cached_property
    def table(self) -> Mapping[str, Stage]:
        """Every stage by name."""
        for (
            name
        ) in self.teacher_stages:  # an unknown name is an error here, with a suggestion, before hours of training
            self.model_config(name.removeprefix("train "))
        self.student_config()
        return {
            **{train_stage_name(name): self._train_stage(name) for name in (*VARIANTS, CUSTOM)},
            STUDENT: Stage(
                STUDENT,
                1,
                self.teacher_stages,
                self._student_config,
                self._teacher_inputs,
                alone(self._distill),
                self._guess_distill,
                check=self.check_teacher,
            ),
            PRUNED: Stage(
                PRUNED,
                1,
                (*self.teacher_stages, STUDENT),
                self._prune_config,
                lambda: {**self._teacher_inputs(), **self._made_by(STUDENT)},
                alone(self._prune),
                self._guess_prune,
                check=self.check_teacher,
            ),
            QUANTIZED: Stage(
                QUANTIZED,
                3,
                (PRUNED,),
                self._quantize_config,
                lambda: self._made_by(PRUNED),
                alone(self._quantize),
                trains=False,
            ),
        }

    # What decides whether a stage is up to date.

    def _common_config(self) -> dict[str, Any]:
        return {
            "data": {
                **self.data_config.model_dump(mode="json"),
                "sequence_length": self.sequence_length,
                "sha256": self.digest,
            },
            "augmentation": self.augmentation.model_dump(mode="json"),
            "seed": self.settings.seed,
        }

    def _made_by(self, *names: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in names:
            record = self.workspace.record(name)
            found |= {} if record is None else record.outputs
        return {path: digest for path, digest in found.items() if not path.endswith(".csv")}

    def _teacher_inputs(self) -> dict[str, str]:
        foreign = self.foreign_teacher
        return self._made_by(*self.teacher_stages) if foreign is None else {foreign.said: foreign.digest}

    def model_config(self, name: str) -> ModelConfig:
        """Of the model that a stage `train` makes."""
        return self.settings.model(name)

    def _train_stage(self, name: str) -> Stage:
        def config() -> dict[str, Any]:
            sections = {
                "training": self.settings.section("training", TrainingConfig),
                "loss": self.settings.section("loss", LossConfig),
                "regularization": self.settings.section("regularization", RegularizationConfig),
            }
            dumped = {key: deciding(value) for key, value in sections.items()}
            del dumped["regularization"]["dropout"]  # it is in `model`
            own = {"model": self.model_config(name).model_dump(mode="json"), **self.pretrain.described()}
            return {**self._common_config(), **own, **dumped}

        run = alone(lambda: self._train(name))
        return Stage(train_stage_name(name), 1, (), config, dict, run, lambda: self._guess_train(name))

    def _student_config(self) -> dict[str, Any]:
        return {
            **self._common_config(),
            **self.pretrain.described(),
            "teacher": self.settings.teacher,
            **({} if self.settings.class_names is None else {"class_names": list(self.settings.class_names)}),
            "student": self.student_config().model_dump(mode="json"),
            "distill": deciding(self.settings.section("distill", DistillConfig)),
        }

    def student_config(self) -> ModelConfig:
        """The student's variant with the section `student`."""
        return self.settings.student_model()

    def _prune_config(self) -> dict[str, Any]:
        return {**self._common_config(), "prune": deciding(self.settings.section("prune", PruneConfig))}

    def _quantize_config(self) -> dict[str, Any]:
        return {
            "quantize": self.settings.section("quantize", QuantizeConfig).model_dump(mode="json"),
            "gates": self.gates.model_dump(mode="json"),
        }

    # How long a stage will take.

    def _fresh(self, config: ModelConfig) -> RecurrentClassifier:
        return build_model(config, self.dataset.normalisation, len(self.dataset.class_names), self.settings.seed)

    @cached_property
    def _guesses(self) -> Guesses:
        return Guesses(self.workspace.options, self.dataset, self._fresh, self._augmentation())

    def _guess_train(self, name: str) -> str:
        config = self.settings.section("training", TrainingConfig)
        return self._guesses.training(self.model_config(name), config, self.pretrain)

    def _guess_distill(self) -> str:
        config = self.settings.section("distill", DistillConfig)
        teacher_s = self._teacher_s(config)
        return self._guesses.training(self.student_config(), config.training, self.pretrain, teacher_s)

    def _guess_prune(self) -> str:
        config = self.settings.section("prune", PruneConfig).recovery
        teacher_s = self._teacher_s(config)
        return self._guesses.training(self.student_config(), config.training, PretrainConfig(), teacher_s)

    def _teacher_s(self, config: DistillConfig) -> float:
        """Seconds in which the teacher labels what the student sees; one that edgekit did not train is left out."""
        if not self.teacher_stages:
            return 0.0
        copies = min(config.copies, config.training.epochs) if self._augmentation() else 1
        return self._guesses.labelling_s(self.model_config(self.settings.teacher), config.training, copies)

    # How a stage is made.

    def train_takes(self) -> Takes:
        """The training part."""
        return Takes(*self.dataset.part(self.dataset.split.train))

    def validation_takes(self) -> Takes:
        """The validation part: for early stopping, choices and gates."""
        return Takes(*self.dataset.part(self.dataset.split.validation))

    def _augmentation(self) -> AugmentConfig | None:
        return self.augmentation if self.data_config.augmentation else None

    def _check_ahead(self) -> None:
        """Before the first stage of a job trains: whether the later ones can be made. Raises ConfigError."""
        sizes: dict[str, int] = {}
        if STUDENT in self.goal:
            distill = self.settings.section("distill", DistillConfig)
            sizes["distill.training.batch_size"] = distill.training.batch_size
        if PRUNED in self.goal:
            recovery = self.settings.section("prune", PruneConfig).recovery
            sizes["prune.recovery.training.batch_size"] = recovery.training.batch_size
            check_sparsity(self.settings, self.dataset)
        check_hardware(self.workspace.options, sizes)

    def _setup(self, stage: str, key: Mapping[str, Any], section: str, model: torch.nn.Module) -> RunSetup:
        return run_setup(self.workspace, self.dataset, stage, key, section, model)

    def _pretrain(self, stage: str, model: RecurrentClassifier, key: Mapping[str, Any], setup: RunSetup) -> None:
        """Where wanted: weights from synthetic hands, before the recordings. setup: of the run on the recordings."""
        if self.pretrain.source == "none" or (setup.resume_file and setup.resume_file.exists()):
            return
        name, names, watcher = pretraining_of(stage), self.dataset.class_names, self.workspace.watcher
        watcher.stage(name, "start", self.pretrain.summary())
        started_s = time.monotonic()
        own = pretraining_setup(self.workspace, stage, key, setup, SynthConfig().class_names)
        length = self.sequence_length
        accuracy = pretrain_model(model, names, self.pretrain, self._augmentation(), length, self.settings.seed, own)
        seconds = time.monotonic() - started_s
        watcher.stage(name, "done", f"{seconds:.0f} s, accuracy {accuracy:.3f} on other synthetic people")
        watcher.stage(stage, "start", "from there on the recordings")

    def _train(self, name: str) -> Outcome:
        stage = train_stage_name(name)
        self._check_ahead()
        model = self._fresh(self.model_config(name))
        key = self.table[stage].config()
        setup = self._setup(stage, key, "training", model)
        with setup.hardware.applied():
            self._pretrain(stage, model, key, setup)
            result = train_model(
                model,
                self.train_takes(),
                self.validation_takes(),
                self.settings.section("training", TrainingConfig),
                augmentation=self._augmentation(),
                loss=self.settings.section("loss", LossConfig),
                regularization=self.settings.section("regularization", RegularizationConfig),
                seed=self.settings.seed,
                setup=setup,
            )
            return self._leave(stage, model, result, setup)

    def _leave(
        self,
        stage: str,
        model: RecurrentClassifier,
        result: FitResult,
        setup: RunSetup,
        teacher: TeacherDescription | None = None,
    ) -> Outcome:
        """With an ONNX file of its own, for evaluate and bench; no output of the stage, since it can be written again:
        nothing is trained anew because somebody deleted it."""
        folder = self.folder(stage)
        figures = training_figures(self.dataset, model, result, setup, teacher)
        outcome = leave_model(self.dataset, folder, model, result, figures)
        export_model(self.dataset, model, folder / "model.safetensors", folder / "model.onnx")
        return outcome

    def load(self, stage: str) -> RecurrentClassifier:
        """The model that a finished stage left."""
        return load_model(self.folder(stage))[0]

    def teacher_module(self) -> torch.nn.Module:
        """Raw landmarks to logits in the data's class order, whoever trained it."""
        foreign = self.foreign_teacher
        if foreign is None:
            return self.load(*self.teacher_stages)
        self.workspace.watcher.stage("teacher", "start", foreign.describe())
        if self.teacher_check is not None:
            self.workspace.watcher.stage("teacher", "note", fit_text(self.teacher_check))
        return foreign.module

    def folder(self, stage: str) -> Path:
        """Where a stage keeps its model."""
        names = {STUDENT: "student", PRUNED: "pruned"}
        return self.workspace.path / (names.get(stage) or f"models/{stage.removeprefix('train ')}")

    def _distill(self) -> Outcome:
        self._check_ahead()
        teacher = self.teacher_module()
        config = self.settings.section("distill", DistillConfig)
        student = self._fresh(self.student_config())
        key = {**self._student_config(), **self._teacher_inputs()}
        setup = self._setup(STUDENT, key, "distill.training", student)
        with setup.hardware.applied():
            self._pretrain(STUDENT, student, key, setup)
            result = distill_model(
                teacher,
                student,
                self.train_takes(),
                self.validation_takes(),
                config,
                augmentation=self._augmentation(),
                seed=self.settings.seed,
                setup=setup,
            )
            foreign = self.foreign_teacher
            taught_by = None if foreign is None else describe_teacher(foreign, self.teacher_check)
            return self._leave(STUDENT, student, result, setup, taught_by)

    def _prune(self) -> Outcome:
        teacher, student = self.teacher_module(), self.load(STUDENT)
        config = self.settings.section("prune", PruneConfig)
        key = {**self._prune_config(), **self._teacher_inputs(), **self._made_by(STUDENT)}
        setup = self._setup(PRUNED, key, "prune.recovery.training", student)
        with setup.hardware.applied():
            result = prune_model(
                student,
                teacher,
                self.train_takes(),
                self.validation_takes(),
                config,
                augmentation=self._augmentation(),
                seed=self.settings.seed,
                setup=setup,
            )
            figures = pruning_figures(training_figures(self.dataset, result.model, result.recovery, setup), result)
            return leave_model(self.dataset, self.folder(PRUNED), result.model, result.recovery, figures)

    def export(self, stage: str, target: Path, standardisation: Standardisation = "explicit") -> RecurrentClassifier:
        """Write the fp32 ONNX file of a stage's model to `target`; returns the model."""
        model = self.load(stage)
        export_model(self.dataset, model, self.folder(stage) / "model.safetensors", target, standardisation)
        return model

    def _quantize(self) -> Outcome:
        config, takes = self.settings.section("quantize", QuantizeConfig), self.validation_takes()
        fp32, int8 = self.workspace.path / "model.onnx", self.workspace.path / "model.int8.onnx"
        chosen, trials = least_lossy_standardisation(
            lambda path, name: self.export(PRUNED, path, name), config, self.gates, takes, self.dataset.class_names
        )
        model = self.export(PRUNED, fp32, chosen)
        figures = QuantizationFigures(
            standardisation=chosen,
            standardisation_trials=trials,
            parity=verify_parity(model, fp32, takes.x, self.gates.max_parity_difference),
            quantized=quantize_onnx(fp32, int8, config),
            int8=int8_loss(fp32, int8, takes, self.dataset.class_names),
        )
        return Outcome((fp32, int8), figures)
