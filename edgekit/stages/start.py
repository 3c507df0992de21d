"""From what the models of a workspace start: from nothing, from the weights that edgekit comes with, or from weights
that are trained on synthetic hands first. Imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from edgekit.data import choose_kind
from edgekit.data.pretraining import PretrainConfig, unlike_shipped
from edgekit.errors import ConfigError
from edgekit.model import Architecture, ModelConfig
from edgekit.model.shipped import same_preprocessing, shipped_like, shipped_shapes
from edgekit.shipped import Box, open_box
from edgekit.stages.data import StageData
from edgekit.workdir.workspace import Workspace


@dataclass(frozen=True)
class Start:
    """What one model starts from. name: of the shipped model. reason: why `auto` found nothing, in words."""

    source: Literal["none", "shipped", "synthetic"] = "none"
    name: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Origin:
    """What is in a model beside the recordings. parents: SHA-256 of the shipped weights, each once, its own first.
    words: the same, and weights of synthetic hands, in phrases for people."""

    parents: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def taught_by(self, teacher: Origin) -> Origin:
        """Of a student with this origin; a teacher from the same weights adds nothing."""
        parents = tuple(dict.fromkeys(self.parents + teacher.parents))
        others = (words for words in teacher.words if words not in self.words)
        return Origin(parents, (*self.words, *(f"taught by a model {words}" for words in others)))


class Starts:
    """What the settings, the recordings and a model's shape make of `pretrain.source`."""

    def __init__(self, workspace: Workspace, data: StageData) -> None:
        self.workspace = workspace
        self.data = data
        self.config = workspace.settings.section("pretrain", PretrainConfig)

    @cached_property
    def box(self) -> Box:
        """What edgekit comes with. Raises ModelFileError."""
        return open_box()

    def of(self, model: ModelConfig) -> Start:
        """Of a model. Raises ConfigError where shipped weights are said and do not fit it, ModelFileError where they
        are damaged."""
        source = self.config.source
        if source == "none" or (source == "auto" and self.workspace.options.recordings is None):
            return Start()
        if source == "synthetic":
            return Start("synthetic")
        reason = self._of_no_use if source == "auto" else ""
        name, unfit = (None, "") if reason else self._fitting(model)
        if name is not None:
            return Start("shipped", name)
        if source == "shipped":
            raise ConfigError(f"--pretrain shipped (pretrain.source): {unfit}; leave it out, or use --pretrain none")
        return Start(reason=reason or unfit)

    def sha256(self, start: Start) -> str:
        """Of the shipped weights' file; "" where it is none of them."""
        return self.box.files[f"{start.name}/model.safetensors"] if start.source == "shipped" else ""

    def origin(self, start: Start) -> Origin:
        """Of a model that nobody taught."""
        if start.source == "shipped":
            sha256 = self.sha256(start)
            return Origin((sha256,), (f"from the shipped weights {sha256[:12]}",))
        return Origin(words=("from weights of synthetic hands",)) if start.source == "synthetic" else Origin()

    def described(self, start: Start) -> dict[str, Any]:
        """What of it decides a stage's outcome, JSON-ready; empty where nothing does."""
        if start.source == "shipped":
            return {"pretrain": {"source": "shipped", "sha256": self.sha256(start)}}
        return {} if start.source == "none" else {"pretrain": self.config.model_dump(mode="json")}

    @cached_property
    def _of_no_use(self) -> str:
        """Why `auto` leaves the shipped weights alone with these recordings, in words; "" where it does not."""
        return unlike_shipped(self.workspace.recordings, every=True) or self.known

    @cached_property
    def known(self) -> str:
        """That the shipped weights were made from some of these takes, in words; "" where they were not."""
        recordings = self.workspace.recordings
        seen = int(self.box.seen(recordings.sequences, recordings.lengths).sum())
        if not seen:
            return ""
        return (
            f"{seen:,} of the {recordings.takes:,} takes are among those that the shipped weights were made from, so"
            " they are no test of what starts there"
        )

    def _fitting(self, model: ModelConfig) -> tuple[str | None, str]:
        """The shipped model of this model's shape and preprocessing; or None, and why."""
        recordings, data = self.workspace.recordings, self.data.config
        shape = Architecture.of(model, recordings.features, recordings.classes)
        name = shipped_like(self.box, shape)
        if name is None:
            known = "; ".join(f"{name} {one.describe()}" for name, one in shipped_shapes(self.box).items())
            return None, f"the model is {shape.describe()}, and no shipped weights have that shape ({known})"
        kind = choose_kind(data.preprocessing, recordings.features)
        if not same_preprocessing(self.box, name, kind, data.displacement):
            return None, "the shipped weights read takes otherwise than data.preprocessing and data.displacement say"
        return name, ""
