"""What all stages that train a model share: a folder, weights, and how a run is set up and begins."""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path
from typing import Any

from edgekit.artifacts import sha256_file
from edgekit.data import SynthConfig
from edgekit.errors import InputError
from edgekit.model import ModelConfig, RecurrentClassifier, load_model
from edgekit.model.shipped import start_from_shipped
from edgekit.runtime import inspect_model
from edgekit.stages.context import Context
from edgekit.stages.no_sign import know_no_sign
from edgekit.stages.start import Origin, Start
from edgekit.stages.training_run import export_model, pretraining_of, pretraining_setup, run_setup
from edgekit.train import ALONE, RunSetup, TrainingConfig
from edgekit.train.pretraining import pretrain_model
from edgekit.workdir.updates import Outcome, Stage


class ModelStage(Stage):
    """A stage that trains a model. section: of the settings, where its TrainingConfig stands. folder: its model's."""

    section: str

    def __init__(self, context: Context, name: str, folder: str) -> None:
        self.context = context
        self.name = name
        self.folder: Path = context.workspace.path / folder

    @property
    def weights(self) -> Path:
        """The file that training leaves."""
        return self.folder / "model.safetensors"

    def load(self) -> RecurrentClassifier:
        """The model that the finished stage left."""
        return load_model(self.folder)[0]

    @property
    def onnx(self) -> Path:
        """Where the ONNX file beside the weights is."""
        return self.folder / "model.onnx"

    def leave_onnx(self, model: RecurrentClassifier) -> None:
        """An ONNX file beside the weights, for evaluate and bench; no output of the stage, since it can be written
        again: nothing is trained anew because somebody deleted it. It knows when nobody signs, where the classes are
        letters; the weights beside it stay as they were trained."""
        known = know_no_sign(self.context, model)
        if known.note:
            self._note(known.note)
        export_model(self.context.data, known.model, self.weights, self.onnx, self.origin, no_sign=known.rule)

    def keep_onnx(self, model: RecurrentClassifier) -> None:
        """`leave_onnx`, unless the file is there, of these weights, and has no rule that nobody wants."""
        try:
            metadata = inspect_model(self.onnx).metadata if self.onnx.exists() else None
        except InputError:
            metadata = None
        ruled = metadata is not None and metadata.no_sign is not None
        own = metadata is not None and metadata.parents[:1] == (sha256_file(self.weights),)
        if not own or (ruled and self.context.data.letters is None):
            self.leave_onnx(model)

    def run(self) -> Outcome:
        """Make it, set up before anything is computed: nothing that this process did or was told before has a say in
        what it makes. The training loop then sets up the stage's own hardware."""
        with ALONE.applied():
            return self.make()

    @property
    @abstractmethod
    def model(self) -> ModelConfig:
        """What its model looks like when its training begins, or before it is pruned. Raises ConfigError."""

    @property
    @abstractmethod
    def training(self) -> TrainingConfig:
        """How its model is trained."""

    @abstractmethod
    def make(self) -> Outcome:
        """Train the model."""

    def key(self) -> dict[str, Any]:
        """What decides the outcome; a run interrupted under another one is not gone on with."""
        return {**self.config(), **self.inputs()}

    def setup(self, model: RecurrentClassifier) -> RunSetup:
        """What surrounds the run that trains `model`."""
        workspace, dataset, batch_size = self.context.workspace, self.context.data.dataset, self.training.batch_size
        name, key, section = self.name, self.key(), self.section
        self.context.data.say_mix()
        return run_setup(workspace, dataset, name, key, model, section=section, batch_size=batch_size)

    @property
    def start(self) -> Start:
        """What its model starts from. Raises ConfigError where that was said and can't be."""
        return self.context.starts.of(self.model)

    @property
    def origin(self) -> Origin:
        """What is in its model beside the recordings."""
        return self.context.starts.origin(self.start)

    def guess_training(self, before_s: float = 0.0) -> str:
        """How long its run will take, for people. before_s: what else it has to do."""
        pretrain = self.context.starts.config if self.start.source == "synthetic" else None
        shipped = ", from the shipped weights" if self.start.source == "shipped" else ""
        return self.context.guesses.training(self.model, self.training, pretrain, before_s) + shipped

    def begin(self, model: RecurrentClassifier, setup: RunSetup) -> None:
        """Where its model does not start from nothing: weights, in place. setup: of the run on the recordings."""
        start, starts = self.start, self.context.starts
        if start.source == "synthetic":
            self._pretrain(model, setup)
        elif start.source == "shipped":
            names = self.context.data.dataset.class_names
            kept = start_from_shipped(model, names, starts.box, start.name)
            self._note(f"starts from the shipped {start.name}'s weights, for {kept} of {len(names)} classes")
            if starts.known:
                self._note(starts.known)
        elif start.reason:
            self._note(f"starts from nothing: {start.reason}")

    def _note(self, text: str) -> None:
        self.context.workspace.watcher.stage(self.name, "note", text)

    def _pretrain(self, model: RecurrentClassifier, setup: RunSetup) -> None:
        """Weights from synthetic hands, before the recordings. setup: of the run on the recordings."""
        context, config = self.context, self.context.starts.config
        if setup.resume_file and setup.resume_file.exists():
            return
        name, data, watcher = pretraining_of(self.name), context.data, context.workspace.watcher
        watcher.stage(name, "start", config.summary())
        started_s = time.monotonic()
        own = pretraining_setup(context.workspace, self.name, self.key(), setup, SynthConfig().class_names)
        names, seed = data.dataset.class_names, context.settings.seed
        accuracy = pretrain_model(model, names, config, data.augmented, data.sequence_length, seed, own)
        seconds = time.monotonic() - started_s
        watcher.stage(name, "done", f"{seconds:.0f} s, accuracy {accuracy:.3f} on other synthetic people")
        watcher.stage(self.name, "start", "from there on the recordings")
