"""What a model says: of one take, and of the last frames of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """The label of one take.

    source: the recordings that it is in. index: the take's place there. label: None where nobody signs: no hand was
    seen, or the answer is weaker than the file's rule asks for. probability: softmax of the logits, 0 to 1, of the most
    probable class, which without a label is the nearest; 0 without a hand. frames_cut: frames of the take that the
    model does not read, up to its last one with a hand. empty: no frame of it has a hand (every number is zero).
    """

    source: str
    index: int
    label: str | None
    probability: float
    frames_cut: int = 0
    empty: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        answer = {"source": self.source, "take": self.index, "label": self.label, "probability": self.probability}
        return {**answer, "frames_cut": self.frames_cut, "empty": self.empty}


@dataclass(frozen=True)
class StreamAnswer:
    """The label of the frames up to one of a stream. frame: its number, from 0. label, probability: as in `Prediction`;
    a hand that is in none of the last five frames is not seen."""

    frame: int
    label: str | None
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return vars(self).copy()
