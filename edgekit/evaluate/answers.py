"""What a model says: of one take, and of the last frames of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """The label of one take.

    source: the recordings that it is in. index: the take's place there. probability: softmax of the logits, 0 to 1.
    frames_cut: frames of the take that the model does not read, up to its last one with a hand. empty: no frame of it
    has a hand (every number is zero), so the label says nothing.
    """

    source: str
    index: int
    label: str
    probability: float
    frames_cut: int = 0
    empty: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        answer = {"source": self.source, "take": self.index, "label": self.label, "probability": self.probability}
        return {**answer, "frames_cut": self.frames_cut, "empty": self.empty}


@dataclass(frozen=True)
class StreamAnswer:
    """The label of the frames up to one of a stream. frame: its number, from 0. probability: as in `Prediction`."""

    frame: int
    label: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return vars(self).copy()
