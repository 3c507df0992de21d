"""A second opinion on the labels of recordings."""

from __future__ import annotations

from edgekit.data import OutOfFold, Recordings
from edgekit.workdir import needs_extra


def predict_labels(recordings: Recordings) -> OutOfFold:
    """A second opinion on labels from models trained here. Raises MissingExtraError without the training extra."""
    with needs_extra("--out-of-fold"):
        from edgekit.train import predict_out_of_fold
    return predict_out_of_fold(recordings)
