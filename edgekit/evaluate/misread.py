"""Takes that a model read wrong, beside takes of the same classes that it read right: for people to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.evaluate.predictions import are_probabilities, softmax

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

#: Takes that are kept to be shown, and of each pair of classes before others have their turn.
MOST_SHOWN, MOST_A_PAIR = 24, 2


@dataclass(frozen=True, eq=False)
class ReadTake:
    """A take and what a model made of it.

    frames: float32 (time, features), as the model read them. title: where people find it. true, answer: names of
    classes. probability: of the answer, softmax of the logits, 0 to 1; true_probability: of the true class.
    """

    frames: F32
    title: str
    true: str
    answer: str
    probability: float
    true_probability: float


@dataclass(frozen=True, eq=False)
class Misread:
    """wrong, takes: how many of how many takes were read wrong. shown: some of them, at most MOST_SHOWN, those of the
    pairs of classes that are confused most often first. right: of each class in them, the surest take of it that was
    read right; a class without one is not there."""

    takes: int
    wrong: int
    shown: tuple[ReadTake, ...]
    right: Mapping[str, ReadTake]


def find_misread(x: F32, labels: I64, logits: F32, class_names: Sequence[str], titles: Sequence[str]) -> Misread:
    """x float32 (takes, time, features); labels int64 (takes,), indices into class_names; logits float32 (takes,
    classes), or probabilities; titles: one a take. Ties go to the earlier take, so that the same answers give the same
    choice."""
    probabilities = logits if are_probabilities(logits) else softmax(logits)
    answers = logits.argmax(axis=1)

    def read(take: int) -> ReadTake:
        return ReadTake(
            frames=x[take].copy(),
            title=titles[take],
            true=class_names[labels[take]],
            answer=class_names[answers[take]],
            probability=float(probabilities[take, answers[take]]),
            true_probability=float(probabilities[take, labels[take]]),
        )

    wrong = np.flatnonzero(answers != labels)
    shown = _chosen([(int(labels[k]), int(answers[k]), int(k)) for k in wrong], probabilities)
    classes = sorted({int(each) for k in shown for each in (labels[k], answers[k])})
    surest = {k: _surest(np.flatnonzero((labels == k) & (answers == k)), probabilities[:, k]) for k in classes}
    right = {class_names[k]: read(take) for k, take in surest.items() if take is not None}
    return Misread(len(x), len(wrong), tuple(map(read, shown)), right)


def _chosen(wrong: Sequence[tuple[int, int, int]], probabilities: F32) -> list[int]:
    """Takes to show. wrong: (true class, answer, take). The commonest pairs first, in each the surest mistakes."""
    pairs = Counter((true, answer) for true, answer, _ in wrong)
    ranked = sorted(wrong, key=lambda one: (-pairs[one[:2]], one[:2], -float(probabilities[one[2], one[1]]), one[2]))
    seen: Counter[tuple[int, int]] = Counter()
    first: list[int] = []
    later: list[int] = []
    for true, answer, take in ranked:
        seen[true, answer] += 1
        (first if seen[true, answer] <= MOST_A_PAIR else later).append(take)
    return [*first, *later][:MOST_SHOWN]


def _surest(takes: I64, probabilities: F32) -> int | None:
    return int(takes[probabilities[takes].argmax()]) if len(takes) else None
