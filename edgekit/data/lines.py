"""A stream's lines: a frame each, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import parse_json
from edgekit.data.pictures import LARGEST_ASPECT, LEAST_ASPECT
from edgekit.errors import DataError

F32 = NDArray[np.float32]

FLOAT32_MAX = float(np.finfo(np.float32).max)
KEYS = ("landmarks", "time_s", "hand", "aspect")


@dataclass(frozen=True, eq=False)
class Frame:
    """landmarks: float32 (features,), None where no hand is seen. time_s: when; hand: L or R; aspect: width / height of
    the picture, 0.01 to 100; None where nobody says."""

    landmarks: F32 | None
    time_s: float | None = None
    hand: str | None = None
    aspect: float | None = None


def parse_line(line: str, number: int, features: int) -> Frame:
    """One line: a JSON list of `features` numbers; or `null`, an empty list or zeros for a lost hand; or an object with
    such a list as "landmarks" and, as far as they are known, "time_s", "hand" and "aspect".

    number: the line's, from 1. Raises DataError that names it.
    """
    value = _value(line, number, features)
    if not isinstance(value, dict):
        return Frame(_landmarks(value, line, number, features))
    unknown = [key for key in value if key not in KEYS]
    if unknown or "landmarks" not in value:
        got = f"unknown {unknown[0]!r}" if unknown else "no landmarks"
        raise DataError(f"line {number}: {got}; an object holds landmarks, and may hold time_s, hand, aspect")
    time_s, aspect = (_number(value.get(key), key, number) for key in ("time_s", "aspect"))
    hand = value.get("hand")
    if hand not in (None, "L", "R"):
        raise DataError(f"line {number}: hand is {str(hand)[:20]!r}; expected L, R or null")
    if aspect is not None and not LEAST_ASPECT <= aspect <= LARGEST_ASPECT:
        raise DataError(
            f"line {number}: aspect is {aspect:g}; expected width / height, {LEAST_ASPECT:g} to {LARGEST_ASPECT:g}"
        )
    landmarks = _landmarks(value["landmarks"], line, number, features)
    if landmarks is not None and aspect is not None and np.abs(landmarks).max() > FLOAT32_MAX / LARGEST_ASPECT:
        raise DataError(f"line {number}: a picture of aspect {aspect:g} makes its numbers too large for float32")
    return Frame(landmarks, time_s, hand, aspect)


def parse_landmarks(line: str, number: int, features: int) -> F32 | None:
    """One line that is a JSON list of `features` numbers, float32 (features,); or `null` or an empty list for a lost
    hand: None.

    number: the line's, from 1. Raises DataError that names it.
    """
    return _landmarks(_value(line, number, features), line, number, features)


def _value(line: str, number: int, features: int) -> Any:
    """A byte order mark before the first line is none of it."""
    try:
        return parse_json(line.removeprefix("\ufeff") if number == 1 else line)
    except ValueError as error:
        raise _wrong(line, number, features, f" ({error})") from None


def _landmarks(values: Any, line: str, number: int, features: int) -> F32 | None:
    if values is None or values == []:
        return None
    if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
        raise _wrong(line, number, features, "")
    if len(values) != features:
        raise DataError(f"line {number}: expected {features} numbers, got {len(values)}")
    bad = [value for value in values if not -FLOAT32_MAX <= value <= FLOAT32_MAX]
    if bad:
        raise DataError(f"line {number}: every number must be finite in float32, got {str(bad[0])[:20]}")
    return np.array(values, dtype=np.float32)


def _number(value: Any, key: str, number: int) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not -FLOAT32_MAX <= value <= FLOAT32_MAX:
        raise DataError(f"line {number}: {key} is {str(value)[:20]!r}; expected a finite number or null")
    return float(value)


def _wrong(line: str, number: int, features: int, why: str) -> DataError:
    got = line.strip()[:60]
    return DataError(
        f"line {number}: expected a JSON list of {features} numbers, all finite, or null for no hand, got {got!r}{why}"
    )
