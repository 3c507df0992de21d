"""Accuracy of a file and of its float32 parent on the same labelled takes: paired, by class name, with an interval."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import DataError, ModelFileError, ShapeError
from edgekit.evaluate import map_labels, predict_batches
from edgekit.reading import StrPath
from edgekit.runtime import Predictor, open_predictor

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

#: Of the interval of a drop: either end is on the wrong side of the truth in 2.5 % of all cases.
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class LabelledTakes:
    """What accuracy is measured on.

    x: float32 (takes, time, features), as long as the model reads. labels: int (takes,), indices into class_names.
    part, source: which takes of what, for people. synthetic: whether a generator made them. takes_cut: those of them
    that are longer in truth, and lost frames with a hand.
    """

    x: F32
    labels: ArrayLike
    class_names: tuple[str, ...]
    source: str = "the given takes"
    part: str = "all"
    synthetic: bool = False
    takes_cut: int = 0


@dataclass(frozen=True)
class Flips:
    """McNemar's discordant pairs: how two models' answers to the same takes differ.

    lost: takes that the first model answered right and the second wrong; gained: the other way round.
    """

    takes: int
    lost: int
    gained: int

    @property
    def drop(self) -> float:
        """Accuracy of the first model less the second's, a ratio -1..1."""
        return (self.lost - self.gained) / self.takes

    def score(self, drop: float) -> float:
        """How many standard errors the observed drop lies above a supposed one, -1..1; falls as `drop` grows.

        Source: Tango 1998, Statistics in Medicine 17, 891-908, equation for z with the constrained estimate of q21.
        """
        n, difference = self.takes, self.lost - self.gained
        b = (2 * n - difference) * drop - self.lost - self.gained
        c = -self.gained * drop * (1 - drop)
        smaller = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * smaller + drop * (1 - drop))
        distance = difference - n * drop
        return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """(low, high) of the drop: those drops whose score is within the normal quantile of `confidence`.

        Takes without a flip narrow it, and no flip at all is no proof of no drop. It speaks of takes like these, drawn
        independently: other people's takes may do worse. Tango's score interval keeps what it says where flips are
        rare and accuracies near 1: enumerated for drops of 0.5 to 5 points and 50 to 2000 takes, the high end is too
        low in 3 % of all cases at most, the low end too high in 4 % (2.5 % is meant); Newcombe's in up to 32 %.
        """
        quantile = _quantile(confidence)
        return self._end(-1.0, quantile), self._end(1.0, -quantile)

    def _end(self, outer: float, quantile: float) -> float:
        """Where the score is `quantile`, between the observed drop and `outer`, by bisection to 1e-9."""
        inner = self.drop
        while abs(outer - inner) > 1e-9:
            middle = (inner + outer) / 2
            within = abs(self.score(middle)) <= abs(quantile)
            inner, outer = (middle, outer) if within else (inner, middle)
        return inner

    def judge(self, limit: float, confidence: float = CONFIDENCE) -> Literal["pass", "fail", "undecided"]:
        """Whether the whole interval is at most `limit`, beyond it, or neither."""
        low, high = self.interval(confidence)
        return "pass" if high <= limit else "fail" if low > limit else "undecided"

    def takes_needed(self, limit: float, confidence: float = CONFIDENCE) -> int | None:
        """Takes in all with which `judge` decides if flips stay as frequent as they are; None when no number does.

        The score grows with the root of the number of takes.
        """
        score = abs(self.score(limit))
        return math.ceil(self.takes * (_quantile(confidence) / score) ** 2) if score > 1e-6 else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the drop and its interval."""
        low, high = self.interval()
        return {**vars(self), "drop": self.drop, "low": low, "high": high, "confidence": CONFIDENCE}


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


@dataclass(frozen=True)
class Parent:
    """The float32 parent on the same takes. sha256: None where only the manifest is left of it.

    max_abs_difference, mean_abs_difference: of the two files' logits, over all takes and classes; labels_changed: takes
    with another answer. All three are information, no limit.
    """

    path: str
    sha256: str | None
    accuracy: float
    flips: Flips
    max_abs_difference: float
    mean_abs_difference: float
    labels_changed: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "flips": self.flips.to_dict()}


@dataclass(frozen=True)
class Accuracy:
    """How a file did on labelled takes.

    accuracy: ratio of right answers among `takes`. outcomes: "1" for right and "0" for wrong, one a take, and
    takes_sha256 of what they are answers to; None where only a sum is left. excluded: takes of the
    excluded_classes, which this model or its parent does not know. takes_cut: see `LabelledTakes`.
    """

    accuracy: float
    takes: int
    part: str
    source: str
    synthetic: bool = False
    outcomes: str | None = None
    takes_sha256: str | None = None
    excluded: int = 0
    excluded_classes: tuple[str, ...] = ()
    parent: Parent | None = None
    takes_cut: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        about = {"excluded_classes": list(self.excluded_classes)}
        return {**vars(self), **about, "parent": None if self.parent is None else self.parent.to_dict()}


@dataclass(frozen=True, eq=False)
class _Answers:
    """Of one file to some takes. logits float32 (takes, classes of the model), names: of these classes."""

    predictor: Predictor
    logits: F32
    names: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.str_]:
        """The names of the predicted classes (takes,)."""
        names: NDArray[np.str_] = np.array(self.names)[self.logits.argmax(axis=1)]
        return names


def score_accuracy(model: StrPath, takes: LabelledTakes, parent: StrPath | None = None) -> Accuracy:
    """Run `model` and, where given, its float32 parent on the same takes and compare by class name.

    Takes of a class that one of the two does not know are left out and counted. A file whose takes change each other's
    logits is run one take at a time (`Predictor.scoring_batch`). Raises ModelFileError for a file that holds no class
    names, DataError when no take is left, ShapeError for takes that a file can't take.
    """
    model = Path(model)
    parent = None if parent is None else Path(parent)
    opened = [_open(path) for path in (model, parent) if path is not None]
    common = tuple(name for name in opened[0][1] if all(name in names for _, names in opened))
    mapped = map_labels(takes.labels, takes.class_names, common)
    if len(mapped) != len(takes.x):
        raise ShapeError(f"{len(mapped)} labels for {len(takes.x)} takes; expected as many")
    kept = mapped >= 0
    if not kept.any():
        raise DataError(f"{model}: knows none of the classes of these takes: {', '.join(takes.class_names[:8])}")
    x, true = takes.x[kept], np.array(common)[mapped[kept]]
    answers = [_Answers(predictor, predict_batches(predictor, x), names) for predictor, names in opened]
    right = [answer.labels == true for answer in answers]
    return Accuracy(
        accuracy=float(right[0].mean()),
        takes=len(x),
        part=takes.part,
        source=takes.source,
        synthetic=takes.synthetic,
        outcomes="".join("1" if one else "0" for one in right[0]),
        takes_sha256=_digest(x, true),
        excluded=int((~kept).sum()),
        excluded_classes=_excluded(takes, common),
        parent=_compare(answers, right, common) if parent is not None else None,
        takes_cut=takes.takes_cut,
    )


def _open(path: Path) -> tuple[Predictor, tuple[str, ...]]:
    predictor = open_predictor(path)
    if predictor.info.metadata is None:
        raise ModelFileError(f"{path}: holds no class names, so its answers can't be compared with labels by name")
    return predictor, predictor.info.metadata.class_names


def _compare(answers: list[_Answers], right: list[NDArray[np.bool_]], common: tuple[str, ...]) -> Parent:
    model, parent = answers
    difference = np.abs(_columns(model, common) - _columns(parent, common))
    lost, gained = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
    return Parent(
        path=str(parent.predictor.info.path),
        sha256=parent.predictor.info.sha256,
        accuracy=float(right[1].mean()),
        flips=Flips(len(difference), lost, gained),
        max_abs_difference=float(difference.max()),
        mean_abs_difference=float(difference.mean()),
        labels_changed=int((model.labels != parent.labels).sum()),
    )


def _columns(answers: _Answers, common: tuple[str, ...]) -> F32:
    return answers.logits[:, [answers.names.index(name) for name in common]]


def _excluded(takes: LabelledTakes, common: tuple[str, ...]) -> tuple[str, ...]:
    present = np.unique(np.asarray(takes.labels))
    return tuple(name for k, name in enumerate(takes.class_names) if name not in common and k in present)


def _digest(x: F32, true: NDArray[np.str_]) -> str:
    """SHA-256 of takes and their classes' names."""
    names = "\0".join(true.tolist()).encode("utf-8", "surrogatepass")
    return hashlib.sha256(np.ascontiguousarray(x).tobytes() + names).hexdigest()
