"""What a reader found, before `Recordings` refuses what can't be used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32, largest_number
from edgekit.data.layouts.numbers import as_float32
from edgekit.data.recordings import MOST_CHARACTERS, Names, Recordings
from edgekit.data.remarks import Remark
from edgekit.errors import DataError
from edgekit.reading import FileKind, refuse_large

#: What stands beside a file's takes when they are synthetic: accuracy on them has to be called so.
SYNTHETIC = "synthetic"
#: What found the landmarks, one text for all takes; tables hold it in a column.
TRACKER = "tracker"
#: Of any layout; the limit is that of all its takes together, as float32 and padded to the longest.
RECORDINGS = FileKind("recordings", DataError, 10**9)
#: Takes that are looked at at once, where a look takes memory.
CHUNK_BYTES = 2**26


def one_tracker(names: Iterable[str], source: object) -> str:
    """What found the landmarks, as one text, of what stands beside rows or takes: every name once, in order. Raises
    DataError for one that is too long."""
    found = "; ".join(dict.fromkeys(name for name in names if name))
    if len(found) > MOST_CHARACTERS:
        raise DataError(
            f"{source}: column '{TRACKER}' holds more than {MOST_CHARACTERS:,} characters ({found[:40]!r}...); expected"
            " what found the landmarks, the same in every row"
        )
    return found


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
    remarks: tuple[Remark, ...] = ()
    hand: NDArray[Any] | None = None
    aspect: NDArray[Any] | None = None
    tracker: str = ""

    def checked(self) -> Recordings:
        """Raises DataError for the first fault."""
        return Recordings(**vars(self))

    def repaired(self) -> tuple[Recordings, tuple[BadFrame, ...]]:
        """Recordings with zeros for frames that hold NaN, infinite or impossible numbers, as if they showed no hand,
        and which those are. Raises DataError for any other fault."""
        if self.sequences.dtype.kind not in "fiu" or self.sequences.ndim != 3:
            return self.checked(), ()
        sequences = as_float32(self.sequences)
        bad = tuple(_bad_frames(sequences))
        if bad:
            sequences = sequences.copy()
            sequences[[one.take for one in bad], [one.frame for one in bad]] = 0
        return replace(self, sequences=sequences).checked(), bad


def _bad_frames(sequences: F32) -> list[BadFrame]:
    limit = largest_number(sequences.shape[2])
    found = []
    for part in chunks(sequences):
        with np.errstate(invalid="ignore"):
            fine = (np.abs(sequences[part]) <= limit).all(axis=2)
        found += [BadFrame(part.start + int(take), int(frame)) for take, frame in np.argwhere(~fine)]
    return found


def chunks(sequences: NDArray[Any]) -> list[slice]:
    """Takes in parts of some 64 MB."""
    size = max(1, CHUNK_BYTES // max(1, 4 * sequences[:1].size))
    return [slice(start, min(start + size, len(sequences))) for start in range(0, len(sequences), size)]


def refuse_padded(takes: int, frames: int, features: int, source: object) -> None:
    """Raises DataError where takes as long as the longest would not fit into the limit, before they are made."""
    refuse_large(4 * takes * frames * features, source, RECORDINGS, "with every take as long as the longest would take")


def pad(takes: Sequence[F32], source: object) -> tuple[F32, NDArray[np.int64]]:
    """Takes (frames, features) of one feature count as (sequences padded with zeros, lengths)."""
    lengths = np.array([len(take) for take in takes], dtype=np.int64)
    refuse_padded(len(takes), int(lengths.max()), takes[0].shape[1], source)
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
