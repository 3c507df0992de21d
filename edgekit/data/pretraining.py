"""The settings of pretraining, and what it is of no use for. Loads without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.config import StageConfig
from edgekit.data import HAND_FEATURES, Recordings, SynthConfig
from edgekit.data.synthetic.matching import refuse_unlike
from edgekit.errors import DataError
from edgekit.shipped import open_box


class PretrainConfig(StageConfig):
    """What a model has learned before it sees the recordings. All but source is of synthetic."""

    source: Literal["none", "auto", "shipped", "synthetic"] = Field(
        default="none",
        description="what models start from. shipped: the weights that edgekit comes with; synthetic: weights trained"
        " on synthetic hands first; auto: shipped, where all classes are called by a letter and a frame is one hand,"
        " for models of the shipped ones' shape",
    )
    people: int = Field(default=150, ge=1, le=100_000, description="synthetic people")
    takes_per_letter: int = Field(default=4, ge=2, le=1000, description="takes of each letter by each of them")
    epochs: int = Field(default=8, ge=1, le=1000, description="over all their takes")
    batch_size: int = Field(default=128, ge=1, description="takes per step")
    learning_rate: float = Field(default=3e-3, gt=0.0, description="Adam's first learning rate; it falls as a cosine")

    @property
    def takes(self) -> int:
        """Synthetic takes of one epoch."""
        return self.people * self.takes_per_letter * len(SynthConfig().class_names)

    def summary(self) -> str:
        """What it is, in a few words for people."""
        return f"{self.takes:,} takes of {self.people} synthetic people, {self.epochs} epochs"


def refuse_pretraining(config: PretrainConfig, recordings: Recordings) -> None:
    """Raises DataError, before anything is trained, for recordings that what was said can't help: synthetic letters of
    one hand, or weights that were made from such."""
    if config.source == "shipped":
        reason = unlike_shipped(recordings)
        if reason:
            raise DataError(f"--pretrain shipped (pretrain.source): {reason}; leave it out, or use --pretrain none")
    if config.source == "synthetic":
        refuse_unlike("--pretrain synthetic (pretrain.source)", "leave it out, or use --pretrain none", recordings)


def unlike_shipped(recordings: Recordings, every: bool = False) -> str:
    """Why the weights that edgekit comes with are of no use for recordings, in words; "" where they are of use.

    every: whether all classes have to be called by a letter, rather than one. Raises ModelFileError.
    """
    box = open_box()
    if recordings.features != box.features:
        two = " (two hands)" if recordings.features == 2 * HAND_FEATURES else ""
        return (
            f"the shipped weights read {box.features} numbers per frame, {recordings.source} has"
            f" {recordings.features}{two}"
        )
    others = [name for name in recordings.class_names if name.upper() not in box.class_names]
    if len(others) == recordings.classes or (every and others):
        some = ", ".join(others[:8]) + (", ..." if len(others) > 8 else "")
        return (
            f"the shipped weights read {box.reads()}, and {'not every' if every else 'no'} class of"
            f" {recordings.source} is called by one ({some})"
        )
    return ""
