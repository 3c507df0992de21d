"""Takes that are probably mislabelled, from predictions of models that never saw them: confident learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data.disagreement import Disagreement
from edgekit.data.hand import I64, Bools
from edgekit.data.recordings import Recordings

F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions of models that never saw the take.

    probabilities: float64 (takes, classes); a row of NaN for a take that can't be judged. rule: how they were made, in
    a sentence for people.
    """

    probabilities: F64
    rule: str


@dataclass(frozen=True)
class Mislabel:
    """Take `take` (index) of class `label` looks like `looks_like`; named by `found_by`, the finders "neighbours" and
    "out-of-fold", one or both.

    probability: of `looks_like`, and label_probability of its own class, out of fold; None where that could not judge
    the take. agreeing, distance_ratio: as in `Disagreement`; None where neighbours did not name it.
    """

    take: int
    label: str
    looks_like: str
    found_by: tuple[str, ...]
    probability: float | None
    label_probability: float | None
    agreeing: int | None
    distance_ratio: float | None


def class_thresholds(probabilities: F64, labels: I64) -> F64:
    """Mean self-confidence of each class, float64 (classes,): t_j = mean of p_j(x) over the takes x labelled j.

    Takes with NaN are left out; infinite for a class without any other. Source: Northcutt, Jiang, Chuang 2021,
    "Confident Learning", equation 2.
    """
    judged = np.isfinite(probabilities).all(axis=1)
    thresholds = np.full(probabilities.shape[1], np.inf)
    for label in np.unique(labels[judged]):
        thresholds[label] = probabilities[judged & (labels == label), label].mean()
    return thresholds


def confident_classes(probabilities: F64, labels: I64) -> I64:
    """The class that each take is confidently predicted as, int64 (takes,); -1 where there is none.

    It is argmax_j p_j over those j with p_j >= t_j (`class_thresholds`), where that is the most probable class of all.
    A take whose class differs from its label is off the diagonal of the confident joint (Northcutt et al. 2021,
    equation 1): probably mislabelled.
    """
    judged: Bools = np.asarray(np.isfinite(probabilities).all(axis=1))
    p = np.where(judged[:, None], probabilities, 0.0)
    best = p.argmax(axis=1)
    sure = judged & (p[np.arange(len(p)), best] >= class_thresholds(probabilities, labels)[best])
    return np.where(sure, best, -1).astype(np.int64)


def join_finders(
    recordings: Recordings, neighbours: Sequence[Disagreement], predicted: OutOfFold | None
) -> tuple[Mislabel, ...]:
    """One entry a take in file order, whoever named it. Where they name different classes, neighbours' counts."""
    near = {found.take: found for found in neighbours}
    confident = np.full(recordings.takes, -1) if predicted is None else _confident(recordings, predicted)
    named = np.flatnonzero((confident >= 0) & (confident != recordings.labels))
    return tuple(
        _mislabel(recordings, take, near.get(take), int(confident[take]), predicted)
        for take in sorted({*near, *named.tolist()})
    )


def _confident(recordings: Recordings, predicted: OutOfFold) -> I64:
    return confident_classes(predicted.probabilities, recordings.labels)


def _mislabel(
    recordings: Recordings, take: int, near: Disagreement | None, confident: int, predicted: OutOfFold | None
) -> Mislabel:
    names, label = recordings.class_names, int(recordings.labels[take])
    finders = (("neighbours", near is not None), ("out-of-fold", confident not in (-1, label)))
    other = names[confident] if near is None else near.looks_like
    row = None if predicted is None else predicted.probabilities[take]
    judged = row is not None and bool(np.isfinite(row).all())
    return Mislabel(
        take=take,
        label=names[label],
        looks_like=other,
        found_by=tuple(name for name, found in finders if found),
        probability=round(float(row[names.index(other)]), 4) if judged and row is not None else None,
        label_probability=round(float(row[label]), 4) if judged and row is not None else None,
        agreeing=None if near is None else near.agreeing,
        distance_ratio=None if near is None else near.distance_ratio,
    )
