"""How far apart the outputs of two files are. Outputs are those of all runs, run after run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: All outputs of a run, run after run.
Arrays = Sequence[NDArray[Any]]


def largest_difference(one: Arrays, other: Arrays) -> tuple[float, float]:
    """(largest absolute difference of float outputs, infinite where only one of them is finite; largest of `one`)."""
    worst = largest = 0.0
    for left, right in zip(one, other, strict=True):
        if left.dtype.kind != "f" or not left.size:
            continue
        left, right = left.astype(np.float64), right.astype(np.float64)
        with np.errstate(invalid="ignore"):
            same = (left == right) | (np.isnan(left) & np.isnan(right))
            apart = np.where(same, 0.0, np.abs(left - right))
        worst = max(worst, float(apart.max()) if np.isfinite(apart).all() else math.inf)
        largest = max(largest, float(np.abs(left[np.isfinite(left)]).max(initial=0.0)))
    return worst, largest


def mean_difference(one: Arrays, other: Arrays) -> float:
    """Over all numbers of float outputs that are finite in both."""
    total, count = 0.0, 0
    for left, right in zip(one, other, strict=True):
        if left.dtype.kind == "f" and left.size:
            both = np.isfinite(left) & np.isfinite(right)
            total += float(np.abs(left[both].astype(np.float64) - right[both]).sum())
            count += int(both.sum())
    return total / count if count else 0.0


def changed_labels(one: Arrays, other: Arrays, runs: int) -> tuple[int, int]:
    """(rows of the first float output with two or more columns, those whose largest column differs); of a model without
    any float output, which answers with labels themselves: (its whole numbers, those that differ)."""
    outputs = len(one) // runs
    for position in range(outputs):
        if one[position].dtype.kind == "f" and one[position].ndim > 1 and one[position].shape[-1] > 1:
            pairs = list(zip(one[position::outputs], other[position::outputs], strict=True))
            changed = sum(int((left.argmax(-1) != right.argmax(-1)).sum()) for left, right in pairs)
            return sum(left.size // left.shape[-1] for left, _ in pairs), changed
    if any(array.dtype.kind == "f" for array in one):
        return 0, 0
    whole = [pair for pair in zip(one, other, strict=True) if pair[0].dtype.kind in "iu"]
    return sum(left.size for left, _ in whole), sum(_apart(left, right) for left, right in whole)


def _apart(left: NDArray[Any], right: NDArray[Any]) -> int:
    """How many numbers differ: all where there are more or fewer, as a model may give that finds things."""
    return int((left != right).sum()) if left.shape == right.shape else left.size
