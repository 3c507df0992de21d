"""Faults of single takes: hands that are lost or do not move, and takes that are there twice."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np

from edgekit.data.hand import Bools, frames_seen, frames_with_hand
from edgekit.data.recordings import Recordings

#: A take of which more than this part of the frames has no hand is listed.
UNSEEN_RATIO = 0.5
#: A take of which more than this part of the steps from frame to frame changes nothing is frozen.
FROZEN_RATIO = 0.5

Indices = tuple[int, ...]


def own_frames_seen(recordings: Recordings) -> Bools:
    """Bool (takes, frames): frames that belong to the take, not to its padding, and have a hand."""
    return _own(recordings) & frames_with_hand(recordings.sequences)


def takes_with_numbers(recordings: Recordings) -> Bools:
    """Bool (takes,): those with any number that is not zero. A hand is one; so is a pose without any hand."""
    return np.asarray((_own(recordings) & frames_seen(recordings.sequences)).any(axis=1))


def _own(recordings: Recordings) -> Bools:
    return np.asarray(np.arange(recordings.sequences.shape[1]) < recordings.lengths[:, None])


def find_lost_hands(recordings: Recordings, seen: Bools) -> tuple[Indices, Indices, Indices]:
    """Takes that hold nothing; others with a hand in fewer than half of their frames; takes whose last frame has none,
    though others have."""
    found, empty = seen.sum(axis=1), ~takes_with_numbers(recordings)
    sparse = ~empty & (found < (1.0 - UNSEEN_RATIO) * recordings.lengths)
    last = seen[np.arange(recordings.takes), recordings.lengths - 1]
    return _indices(empty), _indices(sparse), _indices((found > 0) & ~last)


def find_frozen(recordings: Recordings, seen: Bools) -> Indices:
    """Takes in which the hand does not move: of the pairs of neighbouring frames that both have a hand, more than half
    hold the same numbers."""
    pairs = seen[:, 1:] & seen[:, :-1]
    same = pairs & (recordings.sequences[:, 1:] == recordings.sequences[:, :-1]).all(axis=2)
    return _indices(same.sum(axis=1) > FROZEN_RATIO * pairs.sum(axis=1))


def find_duplicates(recordings: Recordings) -> tuple[Indices, ...]:
    """Groups of two or more takes with the same frames, in the order of their first; takes of zeros left out."""
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for take in np.flatnonzero(takes_with_numbers(recordings)):
        frames = np.ascontiguousarray(recordings.sequences[take, : recordings.lengths[take]])
        groups[hashlib.blake2b(frames.data).digest()].append(int(take))
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _indices(mask: Bools) -> Indices:
    return tuple(np.flatnonzero(mask).tolist())
