"""The recordings that a result was made from, and how they were split."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class MixDescription:
    """Takes of every epoch of a training: recorded, and by new synthetic people, who sign `classes` of the classes."""

    recorded: int
    synthetic: int
    classes: int


@dataclass(frozen=True, kw_only=True)
class DataDescription:
    """Recordings and their split, in takes.

    source: a path, or the generator. sha256: of the recordings, not of the settings that split them. features: numbers
    a frame. sequence_length: frames that are read of every take; None in records of an older edgekit. takes_cut: takes
    with a hand behind those; longest_frames: frames of the longest take. test_unseen: takes of the test part whose
    class their signer did not record in training. rule: how the parts were chosen, for people.
    mix: what every epoch holds where synthetic people are mixed in; None elsewhere, and in evaluations.
    """

    source: str
    synthetic: bool
    sha256: str
    takes: int
    classes: int
    features: int
    sequence_length: int | None = None
    takes_cut: int = 0
    longest_frames: int = 0
    train: int
    validation: int
    test: int
    test_unseen: int = 0
    rule: str = ""
    mix: MixDescription | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)
