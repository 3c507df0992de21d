"""Labelled takes as a training loop reads them, and the epochs made from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from edgekit.data import HAND_FEATURES, AugmentConfig, Mix, augment
from edgekit.errors import ShapeError, require_kind

#: Epoch number, from 0, to the epoch's tensors: x, labels int64 (takes,), and what else the objective wants. It may be
#: called from another thread, one call at a time.
EpochSource = Callable[[int], tuple[Tensor, ...]]


@dataclass(frozen=True, eq=False)
class Takes:
    """x float32 (takes, time, features), raw landmarks; labels int64 (takes,), 0 to classes - 1.

    Other numeric types are converted. Raises ShapeError when the two do not fit, are empty or no numbers, x is not
    finite, or labels are no whole numbers from 0 on.
    """

    x: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", _numbers(self.x, "x", "fiu", np.float32))
        object.__setattr__(self, "labels", _numbers(self.labels, "labels", "iu", np.int64))
        if self.x.ndim != 3 or self.labels.shape != self.x.shape[:1] or not len(self.x):
            raise ShapeError(
                f"takes: expected x (takes, time, features) and labels (takes,), got {self.x.shape} and"
                f" {self.labels.shape}"
            )
        if not np.isfinite(self.x).all():
            raise ShapeError("takes: x holds NaN or infinite values; `edgekit data check` names the takes")
        if self.labels.min() < 0:
            raise ShapeError(f"takes: labels start at {self.labels.min()}; expected 0 to classes - 1")

    def __len__(self) -> int:
        return len(self.x)


def _numbers(values: Any, name: str, kinds: str, wanted: DTypeLike) -> NDArray[Any]:
    """As an array of the wanted type. kinds: of numpy's types that are accepted."""
    try:
        array = np.asarray(values)
    except Exception:  # rows of unequal length, tensors with gradients or on a GPU
        raise ShapeError(f"takes: {name} is {type(values).__name__}, not an array; give a numpy array") from None
    if array.dtype.kind not in kinds:
        what = "whole numbers" if "f" not in kinds else "numbers"
        raise ShapeError(f"takes: {name} is {type(values).__name__} of {array.dtype}; expected {what}")
    return np.ascontiguousarray(array, dtype=wanted)


def require_run(function: str, train: object, validation: object, config: object, kind: type) -> None:
    """Raises InputError where a function that trains was given another kind of thing: takes, or its config, or None."""
    for name, takes in (("train", train), ("validation", validation)):
        require_kind(takes, Takes, f"{function}: {name}", "Takes(x, labels), from edgekit.train")
    require_kind(config, (kind, type(None)), f"{function}: config", f"a {kind.__name__}, or None")


def require_labels(takes: Takes, classes: int, name: str) -> None:
    """Raises ShapeError for labels that a model of so many classes does not know."""
    if takes.labels.max() >= classes:
        raise ShapeError(f"{name}: labels up to {takes.labels.max()} for a model of {classes} classes")


def require_mix(function: str, mix: object, train: Takes, classes: int) -> None:
    """Raises InputError where `mix` is another kind of thing, ShapeError where its takes are no such takes as these."""
    require_kind(mix, (Mix, type(None)), f"{function}: mix", "a Mix, from edgekit.data, or None")
    if not isinstance(mix, Mix):
        return
    if len(mix.signs) != classes:
        raise ShapeError(f"{function}: mix: {len(mix.signs)} signs for a model of {classes} classes; give one each")
    if train.x.shape[2] != HAND_FEATURES:
        raise ShapeError(
            f"{function}: mix: synthetic hands have {HAND_FEATURES} numbers per frame, train {train.x.shape[2]}"
        )


def mixed(takes: Takes, mix: Mix | None, seed: int, epoch: int) -> Takes:
    """The takes of one epoch, those by its new synthetic people last; `takes` itself where nothing is mixed in."""
    if mix is None:
        return takes
    recorded, synthetic = mix.counts(takes.labels)
    x, labels = mix.new_takes(synthetic, takes.x.shape[1], seed, epoch)
    return Takes(np.concatenate([takes.x[:recorded], x]), np.concatenate([takes.labels[:recorded], labels]))


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """The random numbers of one epoch: they depend on nothing but these two, so training can resume anywhere."""
    return np.random.default_rng((seed, epoch))


def augmented(takes: Takes, config: AugmentConfig | None, rng: np.random.Generator) -> NDArray[np.float32]:
    """takes.x with fresh augmentation, or as it is when config is None; float32 (takes, time, features)."""
    return takes.x if config is None else augment(takes.x, config, rng)


def share_of(batch: tuple[Tensor, ...], rank: int, processes: int) -> tuple[tuple[Tensor, ...], float]:
    """One process's part of a batch, and the weight of its mean in the mean over processes, which is then the batch's.

    The parts are equal but for one take. One that would be empty is a single take of weight 0.
    """
    if processes == 1:
        return batch, 1.0
    takes = len(batch[0])
    first, end = takes * rank // processes, takes * (rank + 1) // processes
    if first == end:
        return tuple(tensor[:1] for tensor in batch), 0.0
    return tuple(tensor[first:end] for tensor in batch), (end - first) * processes / takes
