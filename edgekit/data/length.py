"""Takes of any length to sequences of one length."""

from __future__ import annotations

import numpy as np

from edgekit.data.hand import F32, I64, frames_seen
from edgekit.errors import DataError


def fit_length(sequences: F32, lengths: I64, sequence_length: int = 30) -> F32:
    """sequences (takes, frames, features) as float32 (takes, sequence_length, features).

    Longer takes keep their first `sequence_length` frames. Shorter ones are padded at the end with their last
    frame that has a hand (any number not zero), so that a lost last frame is not repeated; frames inside a
    take stay as they are. A take without any hand stays all zeros. Frames behind `lengths` are never read.
    Raises DataError when sequence_length < 1 or `lengths` does not fit.
    """
    takes, frames, _ = sequences.shape
    if sequence_length < 1:
        raise DataError(f"sequence_length must be at least 1, got {sequence_length}")
    if lengths.shape != (takes,) or (takes and not 1 <= lengths.min() <= lengths.max() <= frames):
        raise DataError(f"lengths must be {takes} numbers in 1..{frames}, got shape {lengths.shape}")
    own = np.arange(frames) < lengths[:, None]
    seen = frames_seen(sequences) & own
    last_seen = frames - 1 - seen[:, ::-1].argmax(axis=1)
    position = np.arange(sequence_length)
    index = np.where(position < lengths[:, None], position, last_seen[:, None])
    fitted: F32 = np.take_along_axis(sequences, index[..., None], axis=1).astype(np.float32, copy=False)
    fitted[~seen.any(axis=1)] = 0
    return fitted
