"""What a reader found, before `Recordings` refuses what can't be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32, Bools, largest_number
from edgekit.data.recordings import Names, Recordings

#: What stands beside a file's takes when they are synthetic: accuracy on them has to be called so.
SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class BadFrame:
    """Frame `frame` of take `take` holds NaN, infinite or impossible numbers; both count from 0."""

    take: int
    frame: int


@dataclass(frozen=True, eq=False)
class Raw:
    """Recordings as `Recordings` has them, field by field; numbers may be NaN or infinite, labels out of range."""

    sequences: NDArray[Any]
    lengths: NDArray[Any]
    labels: NDArray[Any]
    class_names: tuple[str, ...]
    source: str
    signer: NDArray[Any] | None = None
    session: NDArray[Any] | None = None
    take_names: NDArray[Any] | None = None
    synthetic: bool = False

    def checked(self) -> Recordings:
        """Raises DataError for the first fault."""
        return Recordings(**vars(self))

    def repaired(self) -> tuple[Recordings, tuple[BadFrame, ...]]:
        """With zeros for frames that hold NaN, infinite or impossible numbers, as if no hand had been found in them,
        and which those are. Raises DataError for any other fault."""
        if self.sequences.dtype.kind not in "fiu" or self.sequences.ndim != 3:
            return self.checked(), ()
        sequences = as_float32(self.sequences)
        finite: Bools = np.asarray((np.abs(sequences) <= largest_number(sequences.shape[2])).all(axis=2))
        bad = tuple(BadFrame(int(take), int(frame)) for take, frame in np.argwhere(~finite))
        repaired = np.where(finite[..., None], sequences, np.float32(0))
        return replace(self, sequences=repaired).checked(), bad


def as_float32(values: NDArray[Any]) -> F32:
    """Numbers too large for float32 become infinite, without a warning."""
    with np.errstate(over="ignore"):
        converted: F32 = values.astype(np.float32, copy=False)
    return converted


def pad(takes: Sequence[F32]) -> tuple[F32, NDArray[np.int64]]:
    """Takes (frames, features) of one feature count as (sequences padded with zeros, lengths)."""
    lengths = np.array([len(take) for take in takes], dtype=np.int64)
    padded = np.zeros((len(takes), int(lengths.max()), takes[0].shape[1]), dtype=np.float32)
    for row, take in zip(padded, takes, strict=True):
        row[: len(take)] = take
    return padded, lengths


def own_frames(recordings: Recordings, take: int) -> F32:
    """The frames (frames, features) of one take, without padding."""
    frames: F32 = recordings.sequences[take, : recordings.lengths[take]]
    return frames


def distinct_names(recordings: Recordings) -> Names | None:
    """The takes' names where each has one of its own, else None."""
    names = recordings.take_names
    return names if names is not None and len(np.unique(names)) == len(names) else None
