"""What recordings may say of each take's picture: whose hand it shows, and what shape it has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32
from edgekit.errors import DataError

#: Fields of recordings, arrays of an `.npz`, and columns of tables.
HAND, ASPECT = "hand", "aspect"
PICTURE = (HAND, ASPECT)

#: As MediaPipe calls them, which takes every picture for a mirrored one; nothing where nobody knows.
LEFT, RIGHT, UNKNOWN = "L", "R", ""
#: No picture is narrower or wider; one whose width in pixels was taken for it is.
LEAST_ASPECT, LARGEST_ASPECT = 0.01, 100.0

HANDS_ALLOWED = "allowed are L and R, and nothing where it is unknown"
ASPECTS_ALLOWED = (
    f"a picture's width / height is a number from {LEAST_ASPECT:g} to {LARGEST_ASPECT:g}, NaN or empty where it is"
    " unknown"
)


def check_hand(value: Any, takes: int, source: str) -> NDArray[np.str_] | None:
    """`value`, one a take or one for all, as str (takes,) of L, R and nothing; None where no take has any. Raises
    DataError naming the first take at fault."""
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype.kind != "U":
        raise DataError(f"{source}: {HAND} must hold text (L or R), got {array.dtype}; save it as text or leave it out")
    every = _of_takes(array, HAND, takes, source)
    wrong = wrong_hands(every)
    if len(wrong):
        raise DataError(f"{source}: {HAND}{_at(array, wrong[0])} is {str(every[wrong[0]])[:40]!r}; {HANDS_ALLOWED}")
    return every.astype("<U1") if (every != UNKNOWN).any() else None


def check_aspect(value: Any, takes: int, source: str) -> F32 | None:
    """`value`, one a take or one for all, as float32 (takes,), NaN where unknown; None where it is for every take.
    Raises DataError naming the first take at fault."""
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise DataError(
            f"{source}: {ASPECT} must hold numbers (width / height), got {array.dtype}; save it as float32 or leave it"
            " out"
        )
    every = _of_takes(array, ASPECT, takes, source)
    wrong = wrong_aspects(every)
    if len(wrong):
        raise DataError(f"{source}: {ASPECT}{_at(array, wrong[0])} is {every[wrong[0]]}; {ASPECTS_ALLOWED}")
    converted: F32 = every.astype(np.float32)
    return None if np.isnan(converted).all() else converted


def wrong_hands(hands: NDArray[np.str_]) -> NDArray[np.int64]:
    """Indices of what is no hand."""
    return np.flatnonzero(~np.isin(hands, [LEFT, RIGHT, UNKNOWN]))


def wrong_aspects(aspects: NDArray[Any]) -> NDArray[np.int64]:
    """Indices of what is no picture's shape as float32, which is how shapes are kept; NaN is an unknown one."""
    with np.errstate(over="ignore"):
        kept = aspects.astype(np.float32)
    inside = (kept >= np.float32(LEAST_ASPECT)) & (kept <= np.float32(LARGEST_ASPECT))
    return np.flatnonzero(~(inside | np.isnan(kept)))


def _of_takes(array: NDArray[Any], name: str, takes: int, source: str) -> NDArray[Any]:
    """One a take. Raises DataError for anything else than that or one for all."""
    if array.shape == ():
        return np.full(takes, array)
    if array.shape != (takes,):
        raise DataError(
            f"{source}: {name} must have one entry per take ({takes},), or be one for all of them, got shape"
            f" {array.shape}"
        )
    return array


def _at(array: NDArray[Any], take: int) -> str:
    """Which entry, in words; nothing where there is but one."""
    return f"[{take}]" if array.shape else ""
