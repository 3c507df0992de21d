"""Numbers of a file as float32, and what that changed: rounding is said, never done in silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32
from edgekit.data.remarks import Remark

#: Types whose every number float32 holds.
EXACT = tuple(np.dtype(name) for name in ("float32", "float16", "int8", "uint8", "int16", "uint16"))
CHUNK = 2**20


def as_float32(values: NDArray[Any]) -> F32:
    """Numbers too large for float32 become infinite, without a warning."""
    with np.errstate(over="ignore", under="ignore"):
        converted: F32 = values.astype(np.float32, copy=False)
    return converted


def find_rounded(values: NDArray[Any], converted: F32) -> NDArray[np.int64]:
    """Flat indices of finite numbers that `converted` holds otherwise than `values` does."""
    if values.dtype.newbyteorder("=") in EXACT:
        return np.empty(0, dtype=np.int64)
    flat, made = values.reshape(-1), converted.reshape(-1)
    found = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(flat), CHUNK):
        before, after = flat[start : start + CHUNK], made[start : start + CHUNK]
        found.append(start + np.flatnonzero(np.isfinite(after) & (after.astype(np.longdouble) != before)))
    return np.concatenate(found)


def find_other_digits(values: NDArray[np.float64], converted: F32) -> NDArray[np.int64]:
    """What `find_rounded` finds, of numbers that were text: a number that float32 tells from its neighbours by all the
    digits that were written is the same (0.1 is, though no binary number is a tenth)."""
    flat, made = values.reshape(-1), converted.reshape(-1)
    found = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(flat), CHUNK):
        differs = start + find_rounded(flat[start : start + CHUNK], made[start : start + CHUNK])
        found.append(differs[~_same_digits(flat[differs], made[differs].astype(np.float64))])
    return np.concatenate(found)


def _same_digits(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether `before` has at most nine significant digits, and `after` the same ones: nine tell every float32 from its
    neighbours."""
    same = np.zeros(len(before), dtype=np.bool_)
    with np.errstate(all="ignore"):
        exponent = np.floor(np.log10(np.abs(before)))
        for digits in range(9, 0, -1):
            left = np.flatnonzero(~same)
            scale = 10.0 ** (digits - 1 - exponent[left])
            scaled = before[left] * scale
            whole = np.rint(scaled)
            same[left] = (np.abs(scaled - whole) < 1e-5) & (np.rint(after[left] * scale) == whole)
    return same


@dataclass
class Rounding:
    """Counts over all arrays of some recordings. first: the place of the first number, and what became of it."""

    numbers: int = 0
    changed: int = 0
    worst_ratio: float = 0.0
    types: tuple[str, ...] = ()
    first: str = ""

    def convert(self, values: NDArray[Any], place: Callable[[tuple[int, ...]], str]) -> F32:
        """`values` as float32. place: a number's index, in words."""
        converted = as_float32(values)
        self.add(values, converted, find_rounded(values, converted), values.dtype.name, place)
        return converted

    def add(
        self,
        values: NDArray[Any],
        converted: F32,
        changed: NDArray[np.int64],
        source: str,
        place: Callable[[tuple[int, ...]], str],
    ) -> None:
        """Count `changed` (flat indices). source: what the numbers were, such as float64."""
        self.numbers += values.size
        if not len(changed):
            return
        before = values.reshape(-1)[changed].astype(np.float64)
        after = converted.reshape(-1)[changed].astype(np.float64)
        with np.errstate(divide="ignore", over="ignore"):
            worst = float(np.max(np.abs(after - before) / np.abs(before)))
        self.worst_ratio = max(self.worst_ratio, worst)
        self.changed += len(changed)
        self.types = tuple(dict.fromkeys((*self.types, source)))
        if not self.first:
            where = np.unravel_index(int(changed[0]), values.shape)
            self.first = (
                f"{place(tuple(int(k) for k in where))}: {float(before[0])!r} is {converted.reshape(-1)[changed[0]]}"
            )

    def remarks(self) -> tuple[Remark, ...]:
        """None where every number came through as it was."""
        if not self.changed:
            return ()
        text = (
            f"numbers rounded from {' and '.join(self.types)} to float32: {self.changed:,} of {self.numbers:,}, by at"
            f" most {self.worst_ratio:.1g} of the number; the first"
        )
        return (Remark("rounded", text, (self.first,)),)
