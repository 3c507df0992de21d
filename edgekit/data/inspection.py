"""Everything that looking at recordings finds, before it is put into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data.disagreement import Disagreements, find_disagreements
from edgekit.data.doubts import find_doubts
from edgekit.data.findings import Indices, find_duplicates, find_frozen, find_lost_hands, own_frames_seen
from edgekit.data.hand import Bools
from edgekit.data.layouts.raw import BadFrame
from edgekit.data.length import choose_length, used_frames
from edgekit.data.mislabels import Mislabel, OutOfFold, join_finders
from edgekit.data.recordings import Recordings
from edgekit.data.remarks import Remark
from edgekit.data.splits import split_recordings
from edgekit.errors import DataError


@dataclass(frozen=True, eq=False)
class Inspection:
    """Findings about recordings; takes by index.

    seen: bool (takes, frames), frames of a take that have a hand. empty, sparse, ends_without_hand: see
    `find_lost_hands`; frozen: see `find_frozen`. gaps: takes in which frame numbers are missing. sequence_length:
    frames of a take that training would read; cut: takes with a hand behind them. non_finite: frames with NaN,
    infinite or impossible numbers. duplicates: groups of takes with the same numbers. neighbours, mislabels: takes that
    look like another class. remarks: what was found in reading, and in names and shapes.
    """

    seen: Bools
    empty: Indices
    sparse: Indices
    ends_without_hand: Indices
    frozen: Indices
    gaps: Indices
    sequence_length: int
    cut: Indices
    non_finite: tuple[BadFrame, ...]
    duplicates: tuple[Indices, ...]
    duplicates_across_classes: tuple[Indices, ...]
    neighbours: Disagreements
    mislabels: tuple[Mislabel, ...]
    remarks: tuple[Remark, ...]

    @property
    def listed(self) -> set[int]:
        """Takes that a finding names, those left out that are cut or only end without a hand."""
        bad = (frame.take for frame in self.non_finite)
        twice = (take for group in self.duplicates for take in group)
        wrong = (found.take for found in self.mislabels)
        return {*self.empty, *self.sparse, *self.frozen, *self.gaps, *bad, *twice, *wrong}


def inspect_recordings(
    recordings: Recordings, non_finite: Sequence[BadFrame] = (), predicted: OutOfFold | None = None
) -> Inspection:
    """Look for everything. non_finite: frames that `load_leniently` repaired. predicted: a second opinion on labels."""
    seen = own_frames_seen(recordings)
    empty, sparse, ends_without_hand = find_lost_hands(recordings, seen)
    duplicates, remarks = find_duplicates(recordings), find_doubts(recordings)
    sequence_length = choose_length(recordings, _training_part(recordings))
    used = used_frames(recordings.sequences, recordings.lengths)
    neighbours = find_disagreements(recordings)
    return Inspection(
        seen=seen,
        empty=empty,
        sparse=sparse,
        ends_without_hand=ends_without_hand,
        frozen=find_frozen(recordings, seen),
        gaps=tuple(take for remark in remarks if remark.kind == "gaps" for take in remark.takes),
        sequence_length=sequence_length,
        cut=tuple(np.flatnonzero(used > sequence_length).tolist()),
        non_finite=tuple(non_finite),
        duplicates=duplicates,
        duplicates_across_classes=tuple(
            group for group in duplicates if len({recordings.labels[take] for take in group}) > 1
        ),
        neighbours=neighbours,
        mislabels=join_finders(recordings, neighbours.found, predicted),
        remarks=remarks,
    )


def _training_part(recordings: Recordings) -> NDArray[np.int64] | None:
    try:
        return split_recordings(recordings).train
    except DataError:
        return None
