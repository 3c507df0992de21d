"""The columns `hand` and `aspect` of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.data.layouts.columns import is_number
from edgekit.data.pictures import ASPECT, ASPECTS_ALLOWED, HAND, HANDS_ALLOWED, wrong_aspects, wrong_hands
from edgekit.errors import DataError

Place = Callable[[int], str]


def parse_aspects(cells: Sequence[str], place: Place) -> NDArray[np.float64]:
    """float64 (rows,), NaN for an empty cell. place: a row's index in words. Raises DataError for what is no number."""
    numbers = {cell: _parse(cell) for cell in dict.fromkeys(cells)}
    for cell, number in numbers.items():
        if number is None:
            raise DataError(f"{place(cells.index(cell))}: {ASPECT} is {cell[:40]!r}; {ASPECTS_ALLOWED}")
    return np.array([numbers[cell] for cell in cells], dtype=np.float64)


def _parse(cell: str) -> float | None:
    if not cell.strip():
        return math.nan
    return float(cell) if is_number(cell) else None


def refuse_bad_pictures(hand: Sequence[str] | None, aspect: NDArray[np.float64] | None, place: Place) -> None:
    """Raises DataError for the first row whose hand or aspect can't be one. place: a row's index in words."""
    if hand is not None:
        wrong = wrong_hands(np.array(hand, dtype=np.str_)).tolist()
        if wrong:
            raise DataError(f"{place(wrong[0])}: {HAND} is {hand[wrong[0]][:40]!r}; {HANDS_ALLOWED}")
    if aspect is not None:
        wrong = wrong_aspects(aspect).tolist()
        if wrong:
            raise DataError(f"{place(wrong[0])}: {ASPECT} is {aspect[wrong[0]]:g}; {ASPECTS_ALLOWED}")
