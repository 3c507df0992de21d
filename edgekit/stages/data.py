"""The recordings as the stages of a workspace use them: their length, parts, augmentation, and what that decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from edgekit.data import (
    AugmentConfig,
    DataConfig,
    Mix,
    SynthConfig,
    letters_signed,
    mix_for,
    mix_of_synthetic,
    training_note,
)
from edgekit.report import cut_text, mix_text
from edgekit.results import DataDescription, MixDescription
from edgekit.train import Takes
from edgekit.workdir.dataset import Dataset, split_rule
from edgekit.workdir.workspace import Workspace

#: Settings of the mix; only those that hold decide anything.
MIX = ("mix", "mix_share", "mix_least")
#: Settings of the data that change no training.
LATER = ("no_sign",)


class StageData:
    """Takes to train and to validate on, read once a command, and only when a stage needs them."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.config = workspace.settings.section("data", DataConfig)
        self.augmentation = workspace.settings.augmentation()
        #: Settings of what was made here before and stays, the nearest first: its sequences' length is kept.
        self.kept_configs: Sequence[Mapping[str, Any]] = ()
        self._said = False

    @property
    def digest(self) -> str:
        """SHA-256 of the recordings."""
        return self.workspace.digest

    @cached_property
    def dataset(self) -> Dataset:
        """Recordings, cut and split. Raises DataError for what can't be trained on; notes what is worth knowing."""
        dataset = self.workspace.dataset(self._kept_length() or self.config.sequence_length)
        notes = [training_note(dataset.recordings, dataset.split, self.config.columns)]
        notes += [cut_text(dataset.describe())] if dataset.takes_cut else []
        for text in notes if self.workspace.options.recordings is not None else ():
            if text:
                self.workspace.watcher.stage("data", "note", text)
        return dataset

    @cached_property
    def sequence_length(self) -> int:
        """Frames of every take: as said; for "auto" what this work directory's models read, where it has some of the
        same data, else what fits the takes to train on."""
        said = self.config.sequence_length
        return (self._kept_length() or self.dataset.sequence_length) if said == "auto" else said

    def _kept_length(self) -> int | None:
        """For "auto": of the models that stay. Those that --force makes again have no say."""
        if self.config.sequence_length != "auto":
            return None
        here = self._same_takes()
        for config in self.kept_configs:
            data = config.get("data", {})
            length = data.get("sequence_length")
            if type(length) is int and all(data.get(key) == value for key, value in here.items()):
                return length
        return None

    def _same_takes(self) -> dict[str, Any]:
        """Which takes train: another length is chosen where these are others."""
        which = self.config.model_dump(mode="json", include={"columns", "split", "test_sessions", "test_signers"})
        return {**which, "sha256": self.digest}

    def decides(self) -> dict[str, Any]:
        """What of data, augmentation and seed decides every trained model, JSON-ready."""
        read = {"sequence_length": self.sequence_length, "sha256": self.digest, **split_rule(self.config)}
        return {
            "data": {**self.config.model_dump(mode="json", exclude={*MIX, *LATER}), **self._mixed(), **read},
            "augmentation": self.augmentation.model_dump(mode="json"),
            "seed": self.workspace.settings.seed,
        }

    def _mixed(self) -> dict[str, Any]:
        """What of the mix decides every trained model; nothing where there is none, as in a work directory of an older
        edgekit."""
        if self.mix is None:
            return {}
        said: dict[str, Any] = {"mix": "synthetic"}
        said |= {} if self.mix.alone else {"mix_share": self.mix.share}
        return said | ({"mix_least": self.mix.least} if self.mix.least else {})

    @cached_property
    def mix(self) -> Mix | None:
        """The synthetic people of every epoch; None where there are none. Raises DataError where they are said and
        can't be made."""
        if self.workspace.options.recordings is None:
            return mix_of_synthetic(self.config, self.workspace.settings.section("synth", SynthConfig))
        return None if self.config.mix == "none" else mix_for(self.config, self.workspace.recordings)

    @cached_property
    def letters(self) -> Mix | None:
        """Which letters the classes are, where the file for the device shall know when nobody signs; else None."""
        own = self.workspace.options.recordings is None
        synth = self.workspace.settings.section("synth", SynthConfig) if own else None
        return letters_signed(self.config, self.workspace.recordings, synth)

    def describe(self) -> DataDescription:
        """Recordings, their split, and what every epoch of a training holds."""
        described = self.dataset.describe()
        if self.mix is None:
            return described
        counts = self.mix.counts(self.dataset.labels[self.dataset.split.train])
        return replace(described, mix=MixDescription(*counts, len(self.mix.labels)))

    def say_mix(self) -> None:
        """Once a command, when something is trained: a line on what every epoch holds."""
        text = mix_text(self.describe())
        if text and not self._said:
            self.workspace.watcher.stage("data", "note", text)
        self._said = True

    def name_for_people(self) -> str:
        """What models were trained on, for those who only have the model."""
        name = self.dataset.name_for_people()
        if self.mix is None:
            return name
        return f"{name}, others in every epoch" if self.mix.alone else f"{name} and synthetic hands"

    @property
    def augmented(self) -> AugmentConfig | None:
        """How training takes are varied; None where they are not."""
        return self.augmentation if self.config.augmentation else None

    def train_takes(self) -> Takes:
        """The training part."""
        return Takes(*self.dataset.part(self.dataset.split.train))

    def known_takes(self) -> Takes:
        """The training part and the validation part."""
        split = self.dataset.split
        return Takes(*self.dataset.part(np.concatenate([split.train, split.validation])))

    def validation_takes(self) -> Takes:
        """The validation part: for early stopping, choices and gates."""
        return Takes(*self.dataset.part(self.dataset.split.validation))
