"""Which takes train, validate and test: by day or by person, never at random.

Takes are recorded back to back, so a random part leaks: it reads 0.99 whatever happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekit.data.grouping import days_of, last_of_each, unit_key
from edgekit.data.hand import I64, Bools
from edgekit.data.recordings import Names, Recordings
from edgekit.data.validation import VALIDATION_RULE, hold_out_runs
from edgekit.errors import ConfigError, DataError, did_you_mean

SplitBy = Literal["session", "signer"]

#: Least part of all takes that the test days hold.
TEST_RATIO = 0.2


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint int64 index arrays that together hold every take.

    train, validation: the training part; validation is for early stopping within one run and known to be
    optimistic. test: looked at once, at the end.
    rule: how it was made, in a sentence for people.
    unseen: those of `test` that training can't have prepared for, to be reported apart: split by session,
    takes whose signer has no take of that class in train or validation; by signer (nobody tested was trained
    on), takes of classes without any.
    """

    train: I64
    validation: I64
    test: I64
    rule: str
    unseen: I64


def split_recordings(
    recordings: Recordings,
    by: SplitBy = "session",
    test_sessions: Sequence[str] = (),
    test_signers: Sequence[str] = (),
) -> Split:
    """Split by day or by person.

    session: tests on the latest days that together hold at least a fifth of the takes. A day is the
    YYYY-MM-DD that a session starts with; when one has none, sessions count as days in the order of their
    first take. With fewer than two days: the last fifth of each class (and signer) in file order.
    signer: tests on the fewest signers that together hold at least a fifth of the takes, those with most takes first
    and the last of them with no more than it needs; trains on all others. Who has more than half of the takes trains.
    To train on one signer alone, name all others for testing.
    test_sessions, test_signers: name the test part instead.
    Raises DataError when the recordings can't be split so (unknown names, no signers, nothing left, a class
    with a single take to train on), ConfigError when the names given belong to the other split.
    """
    if by not in ("session", "signer"):
        raise ConfigError(f"split must be session or signer, got {by!r}")
    _check_names_match(by, test_sessions, test_signers)
    if recordings.takes == 0:
        raise DataError(f"{recordings.source}: holds no takes")
    if by == "signer":
        test, rule = _test_signers(recordings, test_signers)
    else:
        test, rule = _test_sessions(recordings, test_sessions)
    part = np.flatnonzero(~test)
    train, validation = hold_out_runs(recordings, part)
    unseen = _unseen(recordings, test, by)
    return Split(train, validation, np.flatnonzero(test), f"{rule}; {VALIDATION_RULE}", unseen)


def _check_names_match(by: SplitBy, test_sessions: Sequence[str], test_signers: Sequence[str]) -> None:
    if by == "session" and test_signers:
        raise ConfigError("test_signers needs split=signer; this is split=session")
    if by == "signer" and test_sessions:
        raise ConfigError("test_sessions needs split=session; this is split=signer")


def _test_signers(recordings: Recordings, named: Sequence[str]) -> tuple[Bools, str]:
    signer = recordings.signer
    if signer is None:
        raise DataError(f"{recordings.source}: signers are unknown; record them or use split=session")
    if named:
        return _named(signer, named, "signer", recordings.source)
    names, first, takes = np.unique(signer, return_index=True, return_counts=True)
    if len(names) < 2:
        raise DataError(f"{recordings.source}: only one signer ({names[0]}); record another or use split=session")
    order = np.lexsort((first, -takes))
    order = order[int(2 * takes[order[0]] > recordings.takes) :]
    chosen = names[order[_fewest(takes[order], TEST_RATIO * recordings.takes)]]
    test: Bools = np.isin(signer, chosen)
    who = f"{chosen[0]}, a signer" if len(chosen) == 1 else f"{len(chosen)} signers ({', '.join(map(str, chosen))})"
    return test, f"tested on {who} with {test.mean():.0%} of the takes; trained on the other {len(names) - len(chosen)}"


def _fewest(takes: I64, least: float) -> I64:
    """Places in `takes`, which fall, of the fewest that add up to `least`: the largest, and as the last the smallest
    that is enough. All, where that is less."""
    count = int(np.searchsorted(np.cumsum(takes), least - 1e-9)) + 1
    if count > len(takes):
        return np.arange(len(takes))
    enough = np.flatnonzero(takes[: count - 1].sum() + takes >= least - 1e-9)
    return np.append(np.arange(count - 1), enough[-1])


def _test_sessions(recordings: Recordings, named: Sequence[str]) -> tuple[Bools, str]:
    session = recordings.session
    if session is None:
        if named:
            raise DataError(f"{recordings.source}: sessions are unknown, so test_sessions can't be found in it")
        return _test_by_order(recordings, "sessions are unknown")
    if named:
        return _named(session, named, "session", recordings.source)
    rank, dated = days_of(session)
    takes = np.bincount(rank)
    if len(takes) < 2:
        return _test_by_order(recordings, "there is only one day" if dated else "there is only one session")
    enough = np.cumsum(takes[::-1]) >= TEST_RATIO * recordings.takes - 1e-9
    count = min(int(enough.argmax()) + 1, len(takes) - 1)
    test: Bools = rank >= len(takes) - count
    unit, order = ("day", "") if dated else ("session", " (sessions without dates, in the order of their first take)")
    which = f"latest {unit}" if count == 1 else f"latest {count} {unit}s"
    return test, f"tested on the {which}, {test.mean():.0%} of the takes{order}"


def _test_by_order(recordings: Recordings, why: str) -> tuple[Bools, str]:
    of_whom = "class" if recordings.signer is None else "class and signer"
    test = np.zeros(recordings.takes, dtype=np.bool_)
    test[last_of_each(unit_key(recordings.labels, recordings.signer), TEST_RATIO)] = True
    return (
        test,
        f"tested on the last {TEST_RATIO:.0%} of the takes of each {of_whom} in file order, because {why}; others of"
        " the same recordings train, which is optimistic",
    )


def _named(have: Names, named: Sequence[str], kind: str, source: str) -> tuple[Bools, str]:
    known = {str(name) for name in have}
    for name in named:
        if name not in known:
            raise DataError(f"{source}: no {kind} '{name}'{did_you_mean(name, known)}")
    test = np.isin(have, np.array(named, dtype=np.str_))
    if test.all():
        raise DataError(f"{source}: the {kind}s named for testing hold every take; leave some to train on")
    return test, f"tested on the {kind}s named ({', '.join(named)})"


def _unseen(recordings: Recordings, test: Bools, by: SplitBy) -> I64:
    key = unit_key(recordings.labels, recordings.signer if by == "session" else None)
    return np.flatnonzero(test & ~np.isin(key, key[~test]))
