"""Takes of any length to sequences of one length, and which one."""

from __future__ import annotations

import numpy as np

from edgekit.data.hand import F32, I64, frames_seen
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError

#: The specification's frames a sequence, and the most that nobody has to ask for.
USUAL_FRAMES, MOST_UNASKED_FRAMES = 30, 1000
#: A take that is longer than the rest of its class by more than this factor may be an accident.
FAR_LONGER = 1.5
#: Of each class, one take in so many may be one, and one at least.
ACCIDENTS = 20


def fit_length(sequences: F32, lengths: I64, sequence_length: int | None = None) -> F32:
    """sequences (takes, frames, features) as float32 (takes, sequence_length, features).

    Longer takes keep their first `sequence_length` frames. Shorter ones are padded at the end with their last
    frame that has a hand (any number not zero), so that a lost last frame is not repeated; frames inside a
    take stay as they are. A take without any hand stays all zeros. Frames behind `lengths` are never read.
    sequence_length None: as `choose_length` says of takes of one class. Raises DataError when sequence_length < 1 or
    `lengths` does not fit.
    """
    takes, frames, _ = sequences.shape
    if sequence_length is not None and sequence_length < 1:
        raise DataError(f"sequence_length must be at least 1, got {sequence_length}")
    if lengths.shape != (takes,) or (takes and not 1 <= lengths.min() <= lengths.max() <= frames):
        raise DataError(f"lengths must be {takes} numbers in 1..{frames}, got shape {lengths.shape}")
    used = used_frames(sequences, lengths)
    if sequence_length is None:
        sequence_length = _fitting(used, np.zeros(takes, np.int64))
    position = np.arange(sequence_length)
    index = np.where(position < lengths[:, None], position, np.maximum(used - 1, 0)[:, None])
    fitted: F32 = np.take_along_axis(sequences, index[..., None], axis=1).astype(np.float32, copy=False)
    fitted[used == 0] = 0
    return fitted


def choose_length(recordings: Recordings, part: I64 | None = None) -> int:
    """Frames a sequence that fit the takes: what `data.sequence_length: auto` means.

    30; where takes are longer, as many as the longest of them has, up to its last frame with a hand. Takes that are
    more than half as long again as the rest of their class don't count, if they are at most one in twenty of it, or a
    single one. At most 1000. Synthetic hands: 30, as the specification says, or as many as each of them has.
    part: int64 indices of the takes that decide, such as those to train on; None: all.
    """
    chosen = np.arange(recordings.takes) if part is None else part
    if recordings.synthetic:
        return _bounded(int(recordings.lengths[chosen].min(initial=recordings.sequences.shape[1])))
    used = used_frames(recordings.sequences, recordings.lengths)
    return _fitting(used[chosen], recordings.labels[chosen])


def used_frames(sequences: F32, lengths: I64) -> I64:
    """Frames of each take up to its last one with a hand, int64 (takes,); 0 for a take without any.

    A take with more of them than a sequence has frames is cut. Shapes as in `fit_length`.
    """
    frames = sequences.shape[1]
    seen = frames_seen(sequences) & (np.arange(frames) < lengths[:, None])
    return np.where(seen.any(axis=1), frames - seen[:, ::-1].argmax(axis=1), 0)


def _fitting(used: I64, labels: I64) -> int:
    """See `choose_length`. used: frames of each take (takes,)."""
    rest = max((_without_accidents(used[labels == label]) for label in np.unique(labels)), default=0)
    longest = int(used.max(initial=0))
    return _bounded(int(used[used <= FAR_LONGER * (rest or longest)].max(initial=0)))


def _without_accidents(used: I64) -> int:
    """The longest of a class when those that may be accidents are left out; 0 where none is left."""
    kept = np.sort(used)[: len(used) - max(1, len(used) // ACCIDENTS)]
    return int(kept.max(initial=0))


def _bounded(frames: int) -> int:
    return min(max(frames, USUAL_FRAMES), MOST_UNASKED_FRAMES)
