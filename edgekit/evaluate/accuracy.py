"""Accuracy of a file and of its float32 parent on the same labelled takes: paired, by class name, with an interval."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import ConfigError, ShapeError
from edgekit.evaluate.class_names import check_count, contradiction, kept_names
from edgekit.evaluate.intervals import Flips, accuracy_interval
from edgekit.evaluate.metrics import Metrics, evaluate_predictions, known_takes
from edgekit.evaluate.misread import Misread, find_misread
from edgekit.evaluate.order import check_order, complaint, doubt
from edgekit.evaluate.predictions import predict_batches
from edgekit.evaluate.seen import Roles, Seen
from edgekit.reading import StrPath
from edgekit.runtime import NativePredictor, Predictor, open_native, open_predictor

F32 = NDArray[np.float32]

NOBODY_KNOWS = Roles(None, "the file does not say what it was trained on")


@dataclass(frozen=True, eq=False)
class LabelledTakes:
    """What accuracy is measured on.

    x: float32 (takes, time, features), as long as the model reads. labels: int (takes,), indices into class_names.
    part, source: which takes of what, for people. synthetic: whether a generator made them. takes_cut: those of them
    that are longer in truth, and lost frames with a hand. roles: what each was to the model. titles: where people find
    each; empty: by its number.
    """

    x: F32
    labels: ArrayLike
    class_names: tuple[str, ...]
    source: str = "the given takes"
    part: str = "all"
    synthetic: bool = False
    takes_cut: int = 0
    roles: Roles = NOBODY_KNOWS
    titles: tuple[str, ...] = ()


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
    excluded_classes, which this model or its parent does not know. takes_cut: see `LabelledTakes`. seen: how many of
    the takes the model has learned from. notes: what keeps the figures from being taken at their word, a sentence each.
    metrics, misread: class by class, and takes that were read wrong, to look at; no part of the JSON.
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
    seen: Seen | None = None
    notes: tuple[str, ...] = ()
    metrics: Metrics | None = field(default=None, compare=False)
    misread: Misread | None = field(default=None, compare=False)

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high) of the accuracy."""
        return accuracy_interval(round(self.accuracy * self.takes), self.takes)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the interval of the accuracy."""
        low, high = self.interval
        return {
            **{name: value for name, value in vars(self).items() if name not in ("metrics", "misread")},
            "low": low,
            "high": high,
            "excluded_classes": list(self.excluded_classes),
            "parent": None if self.parent is None else self.parent.to_dict(),
            "seen": None if self.seen is None else self.seen.to_dict(),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class _Answers:
    """Answers of one file to some takes.

    logits: float32 (takes, classes of the model). names: of these classes; named: whether the file or somebody says
    them.
    """

    predictor: Predictor | NativePredictor
    logits: F32
    names: tuple[str, ...]
    named: bool

    @property
    def labels(self) -> NDArray[np.str_]:
        """The names of the predicted classes (takes,)."""
        names: NDArray[np.str_] = np.array(self.names)[self.logits.argmax(axis=1)]
        return names


def score_accuracy(
    model: StrPath, takes: LabelledTakes, parent: StrPath | None = None, class_names: Sequence[str] | None = None
) -> Accuracy:
    """Run `model` and, where given, its float32 parent on the same takes and compare by class name. A model that ends
    in .so is a library of `edgekit compile`.

    class_names: of the model's outputs, and of the parent's where it holds none; without them a file that holds none is
    taken in the order of the takes' classes, which is said, and which its answers have to bear out. Takes of a class
    that one of the two does not know are left out and counted. A file whose takes change each other's logits is run one
    take at a time (`Predictor.scoring_batch`). Raises ConfigError for names that are not as many as outputs, or an
    order that is not the file's; DataError when no take is left, ShapeError for takes that a file can't take.
    """
    opened = [_open(Path(model), takes, class_names, own=class_names is None)]
    opened += [] if parent is None else [_open(Path(parent), takes, class_names)]
    common = tuple(name for name in opened[0][1] if all(name in names for _, names, _ in opened))
    if len(np.asarray(takes.labels)) != len(takes.x):
        raise ShapeError(f"{len(np.asarray(takes.labels))} labels for {len(takes.x)} takes; expected as many")
    kept, mapped, excluded = known_takes(takes.labels, takes.class_names, common)
    x, true = takes.x[kept], np.array(common)[mapped[kept]]
    answers = [_Answers(predictor, predict_batches(predictor, x), names, named) for predictor, names, named in opened]
    right, seen = [answer.labels == true for answer in answers], takes.roles.among(kept)
    notes = [note for answer in answers for note in _order_notes(answer, true)]
    notes.append(seen.note(len(x)))
    return Accuracy(
        accuracy=float(right[0].mean()),
        takes=len(x),
        part=takes.part,
        source=takes.source,
        synthetic=takes.synthetic,
        outcomes="".join("1" if one else "0" for one in right[0]),
        takes_sha256=_digest(x, true),
        excluded=int((~kept).sum()),
        excluded_classes=excluded,
        parent=_compare(answers, right, common) if parent is not None else None,
        takes_cut=takes.takes_cut,
        seen=seen,
        notes=tuple(note for note in notes if note is not None),
        metrics=_metrics(answers[0], true, excluded=int((~kept).sum()), excluded_classes=excluded),
        misread=_misread(answers[0], takes, kept, true),
    )


def _open(
    path: Path, takes: LabelledTakes, class_names: Sequence[str] | None, own: bool = True
) -> tuple[Predictor | NativePredictor, tuple[str, ...], bool]:
    """The open file, the names of its outputs, and whether somebody says them. own: whether its own names win."""
    native = path.suffix == ".so"
    predictor: Predictor | NativePredictor = open_native(path) if native else open_predictor(path)
    metadata = predictor.info.metadata
    if metadata is not None and own:
        return predictor, metadata.class_names, True
    names = takes.class_names if class_names is None else kept_names(class_names)
    outputs = predictor.classes or predict_batches(predictor, takes.x[:1]).shape[1]
    if class_names is not None:
        check_count(class_names, outputs, path)
    elif len(names) != outputs:
        raise ConfigError(
            f"{path}: {outputs} outputs for {len(names)} classes of the takes; name the class of each, first to last,"
            " with --class-names NAME,NAME,..."
        )
    return predictor, names, class_names is not None


def _order_notes(answer: _Answers, true: NDArray[np.str_]) -> list[str | None]:
    """What to say of the names of a file's outputs: that they are assumed, that the file calls them otherwise, that
    another order fits clearly better, or that its answers are hardly better than chance.

    Raises ConfigError where classes were assumed and the answers speak against it.
    """
    path = answer.predictor.info.path
    check = check_order(answer.logits.argmax(axis=1), _indices(answer, true), len(answer.names))
    wrong = complaint(check, answer.names, answer.named)
    if wrong is not None and not answer.named:
        raise ConfigError(f"{path}: {wrong}")
    if answer.named:
        metadata = answer.predictor.info.metadata
        own = None if metadata is None else metadata.class_names
        return [contradiction(answer.names, own, path), None if wrong is None else f"{path}: {wrong}"]
    return [f"{path} holds no class names: its outputs are taken in the data's order of classes", doubt(check)]


def _metrics(answer: _Answers, true: NDArray[np.str_], **left_out: Any) -> Metrics:
    """Class by class, in the model's order. true: names of classes (takes,)."""
    found = evaluate_predictions(answer.logits.argmax(axis=1), _indices(answer, true), answer.names)
    return replace(found, **left_out)


def _misread(answer: _Answers, takes: LabelledTakes, kept: NDArray[np.bool_], true: NDArray[np.str_]) -> Misread:
    """kept: bool (takes,), those that were read; true: names of their classes."""
    index = np.flatnonzero(kept)
    titles = [takes.titles[k] if takes.titles else f"take {k}" for k in index]
    return find_misread(takes.x[kept], _indices(answer, true), answer.logits, answer.names, titles)


def _indices(answer: _Answers, true: NDArray[np.str_]) -> NDArray[np.int64]:
    index = {name: k for k, name in enumerate(answer.names)}
    return np.array([index[name] for name in true.tolist()], dtype=np.int64)


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


def _digest(x: F32, true: NDArray[np.str_]) -> str:
    """SHA-256 of takes and their classes' names."""
    names = "\0".join(true.tolist()).encode("utf-8", "surrogatepass")
    return hashlib.sha256(np.ascontiguousarray(x).tobytes() + names).hexdigest()
