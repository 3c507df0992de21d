"""What training looks at itself: what it refuses, and one line about what is cheap to see."""

from __future__ import annotations

import shlex

import numpy as np

from edgekit.data.advice import BALANCE_RATIO, ONE_CLASS, RECOMMENDED_TAKES
from edgekit.data.doubts import find_doubts
from edgekit.data.findings import find_duplicates, own_frames_seen
from edgekit.data.hand import largest_number
from edgekit.data.recordings import Recordings
from edgekit.data.splits import Split
from edgekit.errors import DataError


def refuse_impossible(recordings: Recordings, preprocessing: str = "auto") -> None:
    """Raises DataError for classes that nobody can tell apart, for frames and numbers that are swapped (unless
    `preprocessing` says what the numbers are), and for the first number that nothing measured reaches; see
    `largest_number`."""
    for remark in find_doubts(recordings):
        if remark.refused and (preprocessing == "auto" or remark.kind != "shape"):
            raise DataError(f"{recordings.source}: {remark.refusal()}")
    x, limit = recordings.sequences, largest_number(recordings.features)
    if max(float(x.max(initial=0)), -float(x.min(initial=0))) > limit:
        take, frame, feature = np.argwhere(np.abs(x) > limit)[0]
        raise DataError(
            f"{recordings.source}: take {take}, frame {frame}, feature {feature}: {x[take, frame, feature]:g} is beyond"
            f" {limit:g}, which nothing measured reaches; record again, or drop"
            f" (`edgekit data clean {shlex.quote(recordings.source)} kept.npz`)"
        )


def training_note(recordings: Recordings, split: Split, columns: str | None = None) -> str | None:
    """One line about what is cheap to see before training; None where nothing is. columns: as they were read with.
    Raises DataError for one class."""
    count = np.bincount(recordings.labels, minlength=recordings.classes)
    if np.count_nonzero(count) == 1:
        raise DataError(f"{recordings.source}: {ONE_CLASS}")
    seen = own_frames_seen(recordings)
    part = np.zeros(recordings.takes, dtype=np.bool_)
    part[split.test] = True
    groups = (part[list(group)] for group in find_duplicates(recordings))
    few, empty = int((count < RECOMMENDED_TAKES).sum()), int((~seen.any(axis=1)).sum())
    shared = sum(bool(group.any() and not group.all()) for group in groups)
    least = count[count > 0].min()
    problems = (
        (few, f"{few} of {len(count)} classes with fewer than {RECOMMENDED_TAKES} takes"),
        (count.max() > BALANCE_RATIO * least, f"unbalanced classes ({least} to {count.max()} takes)"),
        (empty, f"takes without any hand: {empty}"),
        (shared, f"identical takes in training and test: {shared}"),
    )
    doubts = (remark.short for remark in find_doubts(recordings) if remark.short)
    found = "; ".join([*(text for true, text in problems if true), *doubts])
    with_columns = "" if columns is None else f" --columns {shlex.quote(columns)}"
    return f"{found}. `edgekit data check {shlex.quote(recordings.source)}{with_columns}` says where" if found else None
