"""Folds of cross-validation that keep what was recorded together together; the assignment is scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.data import Recordings, runs_of
from edgekit.errors import DataError

Grouping = Literal["signer", "session", "run"]


@dataclass(frozen=True, eq=False)
class Folds:
    """pairs: (train, validation) of int64 indices of takes; each take validates once at most.

    grouping: what is never divided: signers, sessions, or runs (neighbouring takes of one class, signer and session, in
    pieces of 30). left_out: takes that are not used for validation, because their class is not trained without their
    group. rule: how it was made, in a sentence for people.
    """

    pairs: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]
    grouping: Grouping
    left_out: NDArray[np.int64]
    rule: str


def grouped_folds(
    recordings: Recordings, part: NDArray[np.int64], folds: int = 5, by: Grouping = "session", seed: int = 0
) -> Folds:
    """`part` (int64 indices of takes) in `folds` folds over whole groups, classes as even as groups allow.

    by: the coarsest grouping to use. Where signers are unknown, or `part` has one only, sessions are used; where those
    are unknown or one only, runs, which is optimistic. With fewer groups than folds, each group is a fold; there are
    no more folds than takes of the largest class. Takes of classes that a fold does not train are left out of its
    validation. The same seed gives the same folds. Raises DataError when nothing can be validated.
    """
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold

    part = np.sort(np.asarray(part, dtype=np.int64))
    grouping, groups = _groups(recordings, part, by)
    labels = recordings.labels[part]
    count, largest = min(folds, len(np.unique(groups))), int(np.bincount(labels, minlength=1).max())
    if count < 2:
        raise DataError(f"{recordings.source}: {len(part)} takes of one run can't be cross-validated; record more")
    if count == len(np.unique(groups)) or largest < 2:
        divided = LeaveOneGroupOut().split(labels, labels, groups)
    else:
        count = min(count, largest)
        divided = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(labels, labels, groups)
    pairs = []
    for train, validation in divided:
        kept = validation[np.isin(labels[validation], labels[train])]
        if len(kept):
            pairs.append((part[train], part[kept]))
    if not pairs:
        raise DataError(
            f"{recordings.source}: each {grouping} holds classes that no other one holds; record classes in several"
        )
    left_out = np.setdiff1d(part, np.concatenate([validation for _, validation in pairs]))
    return Folds(tuple(pairs), grouping, left_out, _rule(grouping, len(pairs), len(left_out)))


def _groups(recordings: Recordings, part: NDArray[np.int64], by: Grouping) -> tuple[Grouping, NDArray[np.int64]]:
    order: tuple[Literal["signer", "session"], ...] = ("signer", "session")
    known = {"signer": recordings.signer, "session": recordings.session}
    for grouping in order if by == "signer" else order[1:] if by == "session" else ():
        names = known[grouping]
        if names is not None:
            found, groups = np.unique(names[part], return_inverse=True)
            if len(found) > 1:
                return grouping, groups.astype(np.int64)
    return "run", runs_of(recordings)[part]


def _rule(grouping: Grouping, folds: int, left_out: int) -> str:
    text = f"{folds} folds by {grouping}"
    if grouping == "run":
        text += " (neighbouring takes of a class; optimistic, since no signers or sessions tell takes apart)"
    if left_out:
        text += f"; {left_out} takes of classes that only their own {grouping} holds are not used for validation"
    return text
