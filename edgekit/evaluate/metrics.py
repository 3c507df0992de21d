"""Metrics of predictions against labels.

Classes are mapped by name, never by index: recordings and model may know different classes, in different orders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import DataError, ShapeError
from edgekit.evaluate.intervals import accuracy_interval
from edgekit.evaluate.predictions import predict_batches

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class ClassMetrics:
    """One class. precision, recall, f1: ratios 0..1, 0 where the denominator is 0. support: takes of this
    class.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, eq=False)
class Metrics:
    """How predictions compare with labels.

    accuracy: ratio of right predictions among `takes`. per_class: in the order of class_names. confusion:
    int64 (classes, classes), row the true class, column the predicted one. excluded: takes that were left out
    because the model does not know their class; excluded_classes: the names of those classes.
    """

    accuracy: float
    takes: int
    class_names: tuple[str, ...]
    per_class: Mapping[str, ClassMetrics]
    confusion: I64
    excluded: int = 0
    excluded_classes: tuple[str, ...] = ()

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high) of the accuracy."""
        return accuracy_interval(round(self.accuracy * self.takes), self.takes)

    @property
    def macro(self) -> ClassMetrics:
        """Plain means over the classes that have takes; support: of all."""
        present = [row for row in self.per_class.values() if row.support]
        precision, recall, f1 = (sum(values) / len(present) for values in zip(*map(_ratios, present), strict=True))
        return ClassMetrics(precision, recall, f1, self.takes)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with accuracy, its interval, takes and per_class at the top level."""
        low, high = self.interval
        return {
            "accuracy": self.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "takes": self.takes,
            "macro": vars(self.macro).copy(),
            "per_class": {name: vars(item).copy() for name, item in self.per_class.items()},
            "class_names": list(self.class_names),
            "confusion": self.confusion.tolist(),
            "excluded": self.excluded,
            "excluded_classes": list(self.excluded_classes),
        }


def _ratios(row: ClassMetrics) -> tuple[float, float, float]:
    return row.precision, row.recall, row.f1


def evaluate_predictions(predicted_labels: ArrayLike, labels: ArrayLike, class_names: Sequence[str]) -> Metrics:
    """Metrics of predicted_labels int (takes,) against labels int (takes,), both indices into class_names.

    Raises ShapeError when the lengths differ or a value is no index, DataError when there are no takes.
    """
    classes = len(class_names)
    predicted = _indices(predicted_labels, classes, "predicted_labels")
    true = _indices(labels, classes, "labels")
    if len(predicted) != len(true):
        raise ShapeError(f"{len(predicted)} predictions for {len(true)} labels; expected as many")
    if not len(true):
        raise DataError("no takes to evaluate; give at least one take of a class that the model knows")
    confusion = np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)
    return Metrics(
        accuracy=float(np.trace(confusion) / len(true)),
        takes=len(true),
        class_names=tuple(class_names),
        per_class=_per_class(confusion, class_names),
        confusion=confusion.astype(np.int64),
    )


def _indices(values: ArrayLike, classes: int, name: str) -> I64:
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ShapeError(f"{name}: {given.dtype} of shape {given.shape}; expected integers of shape (takes,)")
    if given.size and not 0 <= given.min() <= given.max() < classes:
        raise ShapeError(f"{name}: values {given.min()}..{given.max()}; expected 0..{classes - 1}")
    return given.astype(np.int64)


def _per_class(confusion: NDArray[np.integer[Any]], class_names: Sequence[str]) -> dict[str, ClassMetrics]:
    hits = np.diag(confusion)
    support, claimed = confusion.sum(axis=1), confusion.sum(axis=0)
    precision = hits / np.maximum(claimed, 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + claimed, 1)
    return {
        name: ClassMetrics(float(precision[k]), float(recall[k]), float(f1[k]), int(support[k]))
        for k, name in enumerate(class_names)
    }


def map_labels(labels: ArrayLike, data_class_names: Sequence[str], model_class_names: Sequence[str]) -> I64:
    """Labels of recordings as the model's indices, by name; -1 where the model does not know the class.

    Raises ShapeError when a label is no index into data_class_names.
    """
    known = {name: index for index, name in enumerate(model_class_names)}
    table = np.array([known.get(name, -1) for name in data_class_names], dtype=np.int64)
    return np.asarray(table[_indices(labels, len(data_class_names), "labels")], dtype=np.int64)


def evaluate_model(
    predict: Callable[[F32], F32],
    x: F32,
    labels: ArrayLike,
    data_class_names: Sequence[str],
    model_class_names: Sequence[str],
    batch: int | None = None,
) -> Metrics:
    """Run `predict` on takes and compare by class name.

    predict: float32 (batch, time, features) to logits (batch, classes of the model). x: float32 (takes, time,
    features). labels: int (takes,), indices into data_class_names. batch: see `predict_batches`. Takes of a class
    that is not in model_class_names are excluded and counted. Raises DataError when none is left, ShapeError
    when shapes do not match, ModelFileError for logits that are no numbers.
    """
    if len(x) != len(np.asarray(labels)):
        raise ShapeError(f"{len(np.asarray(labels))} labels for {len(x)} takes; expected as many")
    kept, mapped, unknown = known_takes(labels, data_class_names, model_class_names)
    logits = predict_batches(predict, x[kept], batch)
    if logits.ndim != 2 or logits.shape[1] != len(model_class_names):
        raise ShapeError(f"logits of shape {logits.shape}; expected (takes, {len(model_class_names)})")
    metrics = evaluate_predictions(logits.argmax(axis=1), mapped[kept], model_class_names)
    return replace(metrics, excluded=int((~kept).sum()), excluded_classes=unknown)


def known_takes(
    labels: ArrayLike, data_class_names: Sequence[str], model_class_names: Sequence[str]
) -> tuple[NDArray[np.bool_], I64, tuple[str, ...]]:
    """Which takes are of a class that the model knows, bool (takes,); all labels as `map_labels` maps them; and the
    names of the classes of the others. Raises DataError where it knows none."""
    mapped = map_labels(labels, data_class_names, model_class_names)
    kept: NDArray[np.bool_] = mapped >= 0
    present = np.unique(np.asarray(labels)[~kept])
    unknown = tuple(data_class_names[k] for k in present)
    if not kept.any():
        raise DataError(
            f"the model knows none of the classes of these {len(mapped)} takes ({_some(unknown)});"
            f" it knows {_some(model_class_names)}"
        )
    return kept, mapped, unknown


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
