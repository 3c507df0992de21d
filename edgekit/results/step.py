"""A step model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.runtime import StateInfo


@dataclass(frozen=True)
class StepResult:
    """What `edgekit step` wrote. source_bytes: size of the file that it was made from. scheme: of both. frames: answers
    that were compared; max_abs_difference: of a logit from the source's, tolerance: what was allowed."""

    source: Path
    path: Path
    size_bytes: int
    source_bytes: int
    sha256: str
    layers: str
    scheme: str
    states: tuple[StateInfo, ...]
    frames: int
    max_abs_difference: float
    tolerance: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        states = [{"input": one.name, "output": one.next_name, "shape": list(one.shape)} for one in self.states]
        return {
            "schema_version": 1,
            **vars(self),
            "source": str(self.source),
            "path": str(self.path),
            "states": states,
        }
