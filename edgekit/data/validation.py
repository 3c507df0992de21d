"""Validation takes out of the training part: within one run, and folds over days or people for tuning."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgekit.data.grouping import days_of, last_of_each, unit_key
from edgekit.data.hand import I64, Bools
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError

#: Takes of one class are recorded back to back in runs of about so many.
RUN_TAKES = 30
#: The part of each run that validates: 5 takes of 30.
RUN_RATIO = 1 / 6

VALIDATION_RULE = (
    "validated on the last sixth, at least one take, of each run of takes of one class in training, which is optimistic"
)


def hold_out_runs(recordings: Recordings, part: I64) -> tuple[I64, I64]:
    """`part` as (train, validation): of each run, the last sixth validates (5 takes of 30).

    A run is neighbouring takes of one class, signer and session in `part`'s order; longer ones count in
    pieces of 30. A run of two or more gives at least one. A class whose runs give none gives the last sixth
    of its takes. Raises DataError when a class has a single take in `part`, or `part` is empty.
    """
    if not len(part):
        raise DataError(f"{recordings.source}: no takes are left to train on; record more or name other test takes")
    labels = recordings.labels[part]
    _refuse_single_takes(recordings, labels)
    signer = None if recordings.signer is None else recordings.signer[part]
    session = None if recordings.session is None else recordings.session[part]
    held = last_of_each(_runs(unit_key(labels, signer, session)), RUN_RATIO)
    without = np.setdiff1d(labels, labels[held])
    rest = np.flatnonzero(np.isin(labels, without))
    held = np.union1d(held, rest[last_of_each(labels[rest], RUN_RATIO)])
    mask = np.zeros(len(part), dtype=np.bool_)
    mask[held] = True
    return part[~mask], part[mask]


def validation_folds(
    recordings: Recordings, train_index: I64, by: Literal["session", "signer"]
) -> list[tuple[I64, I64]]:
    """Honest (train, validation) pairs out of the training part, for choosing recipes and settings.

    train_index: everything that may be used, such as the union of a split's train and validation.
    session: each session in turn validates, the others train. signer: with several signers, each in turn
    validates; with one, the first day trains and the later ones validate. Takes of classes that a fold does
    not train are left out of its validation; folds without validation takes are dropped. Where that leaves no
    fold (one session, unknown signers): the single pair of `hold_out_runs`.
    """
    part = np.sort(np.asarray(train_index, dtype=np.int64))
    groups = _validation_groups(recordings, part, by)
    folds = []
    for group in groups:
        train, validation = part[~group], part[group]
        validation = validation[np.isin(recordings.labels[validation], recordings.labels[train])]
        if len(train) and len(validation):
            folds.append((train, validation))
    return folds or [hold_out_runs(recordings, part)]


def _validation_groups(recordings: Recordings, part: I64, by: str) -> list[Bools]:
    session = None if recordings.session is None else recordings.session[part]
    signer = None if recordings.signer is None else recordings.signer[part]
    if by == "signer" and signer is not None:
        if len(np.unique(signer)) > 1:
            return [signer == name for name in np.unique(signer)]
        return [] if session is None else [days_of(session)[0] > 0]
    if by == "session" and session is not None and len(np.unique(session)) > 1:
        return [session == name for name in np.unique(session)]
    return []


def runs_of(recordings: Recordings) -> I64:
    """A number per take, the same for takes of one run: neighbours of one class, signer and session, longer runs cut
    into pieces of 30."""
    return _runs(unit_key(recordings.labels, recordings.signer, recordings.session))


def _runs(key: I64) -> I64:
    """A number per run of equal neighbours, runs longer than RUN_TAKES cut into pieces."""
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    count = np.diff(np.r_[starts, len(key)])
    position = np.arange(len(key)) - np.repeat(starts, count)
    return np.cumsum(position % RUN_TAKES == 0, dtype=np.int64)


def _refuse_single_takes(recordings: Recordings, labels: I64) -> None:
    count = np.bincount(labels, minlength=recordings.classes)
    single = [recordings.class_names[k] for k in np.flatnonzero(count == 1)]
    if single:
        names = ", ".join(f"'{name}'" for name in single)
        raise DataError(
            f"{recordings.source}: {'class' if len(single) == 1 else 'classes'} {names} with a single take "
            "to train on; record more (50 are recommended, 2 are needed) or drop it"
        )
