"""JSON as its standard has it, both ways: no NaN, no infinity, no key twice, no number or depth beyond reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from edgekit.errors import NotFiniteError

#: Containers within containers; edgekit writes fewer than ten.
MAX_DEPTH = 100
#: Digits of a whole number: all of 64 bits.
MAX_DIGITS = 20


def json_text(content: Any, *, indent: int | None = None, ascii_only: bool = True) -> str:
    """`content` as JSON. Raises NotFiniteError, which names the place, for NaN and infinity, which are no JSON: whoever
    may have them says null and why."""
    try:
        return json.dumps(content, indent=indent, allow_nan=False, ensure_ascii=ascii_only)
    except ValueError:
        place, value = next(_not_finite(content, ""), ("", ""))
        if not place:
            raise
        raise NotFiniteError(f"{place} is {value}, which JSON can't hold: the figure could not be computed") from None


def parse_json(text: str) -> Any:
    """What a JSON text holds.

    Raises ValueError with one line that says what is wrong, whatever that is: no JSON, NaN or infinity, a key that is
    there twice, a number that 64 bits or a float can't hold, lists or objects more than 100 deep.
    """
    try:
        found = json.loads(
            text, object_pairs_hook=_distinct, parse_constant=_constant, parse_float=_finite, parse_int=_whole
        )
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    _check_depth(found)
    return found


TOO_DEEP = f"lists or objects are more than {MAX_DEPTH} deep"


def _not_finite(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield place or "the content", value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _not_finite(child, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _not_finite(child, f"{place}[{index}]")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(twice)} appears twice")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {_short(digits)} is too large")
    return value


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"the number {_short(digits)} is too large")
    return int(digits)


def _short(digits: str) -> str:
    return digits if len(digits) <= MAX_DIGITS else f"{digits[:8]}... of {len(digits)} characters"


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for holder in level for child in _children(holder) if isinstance(child, dict | list)]
        if not level:
            return
    raise ValueError(TOO_DEEP)


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
