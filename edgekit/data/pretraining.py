"""The settings of pretraining, and what it is of no use for. Loads without torch."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from edgekit.config import StageConfig
from edgekit.data import Recordings, SynthConfig
from edgekit.data.synthetic.matching import refuse_unlike


class PretrainConfig(StageConfig):
    """What a model learns before it sees the recordings."""

    source: Literal["none", "synthetic"] = Field("none", description="start from weights trained on these hands")
    people: int = Field(150, ge=1, le=100_000, description="synthetic people")
    takes_per_letter: int = Field(4, ge=2, le=1000, description="takes of each letter by each of them")
    epochs: int = Field(8, ge=1, le=1000, description="over all their takes")
    batch_size: int = Field(128, ge=1, description="takes per step")
    learning_rate: float = Field(3e-3, gt=0.0, description="Adam's first learning rate; it falls as a cosine")

    @property
    def takes(self) -> int:
        """Synthetic takes of one epoch."""
        return self.people * self.takes_per_letter * len(SynthConfig().class_names)

    def summary(self) -> str:
        """What it is, in a few words for people."""
        return f"{self.takes:,} takes of {self.people} synthetic people, {self.epochs} epochs"

    def described(self) -> dict[str, Any]:
        """What decides a stage's outcome; empty where nothing is pretrained."""
        return {} if self.source == "none" else {"pretrain": self.model_dump(mode="json")}


def refuse_pretraining(config: PretrainConfig, recordings: Recordings) -> None:
    """Raises DataError, before anything is trained, for recordings that synthetic letters of one hand can't help."""
    if config.source != "none":
        refuse_unlike("--pretrain synthetic (pretrain.source)", "leave it out, or use --pretrain none", recordings)
