"""What a reader tells of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

EventKind = Literal["hand found", "letter", "letter ended", "word ended", "hand lost"]


@dataclass(frozen=True)
class Event:
    """Something that happened at a frame.

    frame: its number, from 0. time_s: its time, as it was given or counted by the rate. label: the letter, or of "word
    ended" the word; None where a hand is found or lost. probability: of the letter, averaged over the last frames, 0 to
    1; else None. text: everything written so far, words with a space between them.
    """

    kind: EventKind
    frame: int
    time_s: float
    label: str | None
    probability: float | None
    text: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        told = {"event": self.kind, "frame": self.frame, "time_s": round(self.time_s, 4), "label": self.label}
        probability = None if self.probability is None else round(self.probability, 6)
        return {**told, "probability": probability, "text": self.text}
