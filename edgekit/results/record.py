"""Takes that were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RecordResult:
    """What `edgekit record` did. takes: of each class, by this signer in this session, that the file holds now. wanted:
    of each class. recorded, thrown: takes of this run. ended: why it ended early, in words; empty where it did not.
    faulty: whether that was the camera's end, or the video's, and not the person's."""

    path: Path
    signer: str
    session: str
    takes: Mapping[str, int]
    wanted: int
    recorded: int
    thrown: int
    ended: str = ""
    faulty: bool = False

    @property
    def missing(self) -> int:
        """Takes that are still to be recorded."""
        return sum(max(self.wanted - number, 0) for number in self.takes.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"schema_version": 1, **vars(self), "path": str(self.path), "missing": self.missing}
