"""Takes that look like another class than their own, by nearest neighbours; no training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data.canonical import canonical_landmarks
from edgekit.data.findings import own_frames_seen
from edgekit.data.grouping import unit_key
from edgekit.data.hand import F32, I64, Bools, count_hands
from edgekit.data.layouts.raw import chunks
from edgekit.data.preprocess import normalise_hands
from edgekit.data.recordings import Recordings
from edgekit.data.validation import runs_of

#: Points in time at which takes are compared.
STEPS = 5
#: Neighbours asked, and how many of them have to agree on one other class.
NEIGHBOURS = 5
AGREEING = 3
#: The nearest take of the own class has to be so many times as far as the nearest of the other.
DISTANCE_RATIO = 1.75
#: Takes that each take is compared with, at most.
MOST_COMPARED = 4000
CHUNK = 256


@dataclass(frozen=True)
class Disagreement:
    """Take `take` (index) of class `label` looks like `looks_like`.

    agreeing: how many of its 5 nearest takes are of that class. distance_ratio: how many times as far the nearest take
    of its own class is.
    """

    take: int
    label: str
    looks_like: str
    agreeing: int
    distance_ratio: float


@dataclass(frozen=True)
class Disagreements:
    """What neighbours say of all labels.

    found: in file order. compared_with: takes that each was held against. judged: takes that could be held
    against five or more of their own class; the others are never listed."""

    found: tuple[Disagreement, ...]
    compared_with: int
    judged: int


def find_disagreements(recordings: Recordings) -> Disagreements:
    """Takes of which no nearest neighbour shares the class, most agree on another, and that one is far nearer.

    Distance: Euclidean between poses (see `pose_vectors`). A take's own run (neighbouring takes of its class, signer
    and session, in pieces of 30) is left out, because takes recorded back to back are alike and mislabelled together.
    Where its signer has too few takes of its class outside of that run, only the take itself is: other people alone do
    not show how somebody signs. The constants at the top of this file were tuned on one set of real recordings. More
    than 4000 takes are compared with a sample, even over classes and file.
    """
    seen = own_frames_seen(recordings)
    vectors = pose_vectors(recordings, seen)
    usable = np.flatnonzero(seen.any(axis=1))
    sample = _sample(recordings.labels, usable)
    run = runs_of(recordings)
    outside = _mates(unit_key(recordings.labels, recordings.signer), run, sample) >= NEIGHBOURS
    found: list[Disagreement] = []
    judged = 0
    for start in range(0, len(usable), CHUNK):
        part = usable[start : start + CHUNK]
        distance = _distances(vectors[part], vectors[sample])
        barred = (part[:, None] == sample) | ((run[part][:, None] == run[sample]) & outside[part][:, None])
        distance[barred] = np.inf
        own = recordings.labels[part][:, None] == recordings.labels[sample]
        fair = (own & ~barred).sum(axis=1) >= NEIGHBOURS
        judged += int(fair.sum())
        if len(sample) > NEIGHBOURS:
            found += _judge(recordings, part[fair], sample, distance[fair], own[fair])
    return Disagreements(tuple(found), len(sample), judged)


def pose_vectors(recordings: Recordings, seen: Bools) -> F32:
    """Each take as one vector, float32 (takes, 5 * features): its frames with a hand at 5 even points in time.

    Hands are in canonical form, and normalised (place and distance gone, displacement kept); other features are
    standardised. Zeros for a take without a hand.
    """
    x, hands = recordings.sequences, bool(count_hands(recordings.features))
    hand, aspect = recordings.hand, recordings.aspect
    order = np.argsort(~seen, axis=1, kind="stable")
    last = np.maximum(seen.sum(axis=1) - 1, 0)
    position = np.rint(np.linspace(0.0, 1.0, STEPS) * last[:, None]).astype(np.int64)
    index = np.take_along_axis(order, position, axis=1)[..., None]
    chosen = np.empty((len(x), STEPS, x.shape[2]), dtype=np.float32)
    for part in chunks(x):
        values = canonical_landmarks(
            x[part], None if hand is None else hand[part], None if aspect is None else aspect[part]
        )
        values = normalise_hands(values, displacement=True) if hands else values
        chosen[part] = np.take_along_axis(values, index[part], axis=1)
    if not hands and seen.any():
        mean, std = _moments(x, seen)
        chosen = ((chosen - mean) / np.where(std > 0, std, 1.0)).astype(np.float32)
    chosen[~seen.any(axis=1)] = 0.0
    return chosen.reshape(len(x), -1)


def _moments(x: F32, seen: Bools) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation, float64 (features,), over the frames that are seen."""
    frames, parts = int(seen.sum()), chunks(x)
    mean = sum(x[part][seen[part]].sum(axis=0, dtype=np.float64) for part in parts) / frames
    squares = sum(np.square(x[part][seen[part]] - mean).sum(axis=0) for part in parts)
    return np.asarray(mean), np.sqrt(np.asarray(squares) / frames)


def _sample(labels: I64, usable: I64) -> I64:
    """At most MOST_COMPARED of the usable takes, of each class the same number where it has so many, evenly spread."""
    if len(usable) <= MOST_COMPARED:
        return usable
    classes = np.unique(labels[usable])
    quota = max(1, MOST_COMPARED // len(classes))
    members = (usable[labels[usable] == label] for label in classes)
    chosen = [take[np.unique(np.linspace(0, len(take) - 1, quota).astype(np.int64))] for take in members]
    return np.sort(np.concatenate(chosen))


def _mates(key: I64, run: I64, sample: I64) -> I64:
    """How many mates every take has: how many of the sample share its key (class and signer) but not its run."""
    of_key = np.bincount(key[sample], minlength=int(key.max()) + 1)
    of_run = np.bincount(run[sample], minlength=int(run.max()) + 1)
    mates: I64 = of_key[key] - of_run[run]
    return mates


def _distances(a: F32, b: F32) -> F32:
    """Euclidean, (len(a), len(b))."""
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2.0 * (a @ b.T)
    distances: F32 = np.sqrt(np.maximum(squares, 0.0))
    return distances


def _judge(recordings: Recordings, part: I64, sample: I64, distance: F32, own: Bools) -> list[Disagreement]:
    """Those of `part` that disagree. distance, own (len(part), len(sample)): infinite where barred; of its class."""
    labels = recordings.labels
    nearest = np.argpartition(distance, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
    votes = labels[sample[nearest]]
    own_distance = np.where(own, distance, np.inf).min(axis=1, initial=np.inf)
    found = []
    for row in np.flatnonzero((votes != labels[part][:, None]).all(axis=1)):
        count = np.bincount(votes[row])
        other = int(count.argmax())
        other_distance = float(distance[row, nearest[row]][votes[row] == other].min())
        if count[other] >= AGREEING and own_distance[row] >= DISTANCE_RATIO * other_distance:
            names = recordings.class_names
            ratio = float(own_distance[row]) / max(other_distance, 1e-6)
            found.append(
                Disagreement(int(part[row]), names[labels[part[row]]], names[other], int(count[other]), round(ratio, 2))
            )
    return found
