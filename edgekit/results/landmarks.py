"""Landmarks of pictures, as recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class LandmarksResult:
    """What `edgekit landmarks` wrote.

    takes: of each class. signers: how many people, 0 where unknown. hands: takes by what most of their frames show, L
    or R. frames: all; lost: those without a hand. pictures: that came. rates: takes by the frames a second that were
    kept, rounded; sources: takes by those of their video, 0 where it says none. stills: takes of a single picture.
    shapes: takes by width / height of their pictures.
    without_hand, unreadable: takes that were left out, the latter with the reason. cut: videos that ended early.
    others: files that are neither video nor picture. continued: takes of an interrupted run, not read again.
    """

    path: Path
    tracker: str
    takes: Mapping[str, int]
    signers: int
    num_hands: int
    hands: Mapping[str, int]
    frames: int
    lost: int
    pictures: int
    rates: Mapping[int, int]
    sources: Mapping[int, int]
    most_rate: float | None
    seconds: float
    stills: int = 0
    without_hand: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    continued: int = 0
    shapes: Mapping[str, int] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """Takes that were asked for and are not in the file."""
        return len(self.without_hand) + len(self.unreadable)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        rates = {name: {str(k): n for k, n in getattr(self, name).items()} for name in ("rates", "sources")}
        lists = {name: list(getattr(self, name)) for name in ("without_hand", "unreadable", "cut", "others")}
        return {"schema_version": 1, **vars(self), "path": str(self.path), **rates, **lists, "left_out": self.left_out}
