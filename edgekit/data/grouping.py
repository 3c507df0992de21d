"""Takes grouped by class, person and day: the building blocks of splits and validation."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import I64
from edgekit.data.recordings import Names

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def days_of(session: Names) -> tuple[NDArray[Any], bool]:
    """Rank of each take's day (0 is the earliest), and whether the days are dates.

    When any session has no date, sessions are ranked by their first take instead.
    """
    names, first, inverse = np.unique(session, return_index=True, return_inverse=True)
    dates = [match.group() if (match := _DAY.match(str(name))) else None for name in names]
    if None not in dates:
        _, rank = np.unique(np.array(dates, dtype=np.str_), return_inverse=True)
        return rank[inverse], True
    return np.argsort(np.argsort(first))[inverse], False


def unit_key(labels: I64, *names: Names | None) -> I64:
    """One integer per take, equal where label and all `names` that are known are equal."""
    key = labels
    for name in names:
        if name is not None:
            _, code = np.unique(name, return_inverse=True)
            _, key = np.unique(np.stack([key, code]), axis=1, return_inverse=True)
    return np.asarray(key, dtype=np.int64).reshape(-1)


def last_of_each(key: NDArray[Any], ratio: float) -> I64:
    """Indices of the last `ratio` of the takes of each key, in the order given.

    Rounded down, but at least one where a key has two or more; none where it has one.
    """
    order = np.argsort(key, kind="stable")
    _, start, count = np.unique(key[order], return_index=True, return_counts=True)
    position = np.arange(len(key)) - np.repeat(start, count)
    # A hair of slack: 30 * (1 / 6) must be 5 in floating point, too.
    held = np.where(count >= 2, np.maximum(np.floor(count * ratio + 1e-9), 1), 0)
    last = position >= np.repeat(count - held, count)
    return np.sort(order[last])
