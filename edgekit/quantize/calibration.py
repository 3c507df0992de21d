"""Inputs to prove a file on: takes of the user's, or made-up ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.layouts.npz import read_arrays
from edgekit.errors import DataError
from edgekit.runtime.guard import Port

Feeds = Mapping[str, NDArray[Any]]

#: Numbers of an input that are made up at most, and of all outputs that are compared.
MOST = 2**24
#: How many inputs are made up, of the sizes that work.
MADE_UP = 3
#: Sizes tried for open axes: the first of an input, the others, and the sides of pictures; and what fills whole numbers
#: and flags; 16000 is what most models of sound want as their rate.
_SOUND = (1, 576, 320)
_TRIED = (
    *((sizes, whole) for sizes in ((4, 4, 64), (1, 4, 64), (1, 1, 1), (1, 64, 48), _SOUND) for whole in (1, 0)),
    (_SOUND, 16000),
)
_KINDS = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(int64)": np.int64,
    "tensor(int32)": np.int32, "tensor(int16)": np.int16, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16, "tensor(uint32)": np.uint32, "tensor(uint64)": np.uint64, "tensor(bool)": np.bool_,
}  # fmt: skip


def made_up(inputs: Sequence[Port]) -> Iterator[list[Feeds] | str]:
    """Inputs to try one set after another, or the reason why there are none. Floats are normal, seeded; whole numbers
    1, then 0, at last 16000."""
    for item in inputs:
        if item.type not in _KINDS:
            yield f"input '{item.name}' is {item.type}, for which nothing can be made up"
            return
    for sizes, whole in _TRIED:
        named: dict[str, int] = {}
        shapes = {item.name: _sizes(item.shape, sizes, named) for item in inputs}
        large = next((name for name, shape in shapes.items() if math.prod(shape) > MOST), None)
        if large is not None:
            yield f"input '{large}' is too large to be made up"
            return
        rng = np.random.default_rng(0)
        yield [
            {item.name: _filled(_KINDS[item.type], shapes[item.name], whole, rng) for item in inputs}
            for _ in range(MADE_UP)
        ]


def _sizes(shape: Sequence[int | str | None], tried: tuple[int, int, int], named: dict[str, int]) -> tuple[int, ...]:
    """An open axis that leads, or follows one fixed axis as in the states of recurrent layers, counts takes; the last
    two of four or more axes are a picture's sides. Axes of one name have one size; named: those seen so far."""
    found = []
    for axis, size in enumerate(shape):
        if isinstance(size, int) and size > 0:
            found.append(size)
            continue
        leads = axis == 0 or (axis == 1 and isinstance(shape[0], int) and shape[0] > 0)
        chosen = tried[2 if len(shape) >= 4 and axis >= len(shape) - 2 else 0 if leads else 1]
        found.append(named.setdefault(size, chosen) if isinstance(size, str) and size else chosen)
    return tuple(found)


def _filled(kind: type[Any], shape: tuple[int, ...], whole: int, rng: np.random.Generator) -> NDArray[Any]:
    if issubclass(kind, np.floating):
        return np.asarray(rng.standard_normal(shape), dtype=kind)
    return np.full(shape, whole, kind)


def read_takes(path: Path) -> Mapping[str, NDArray[Any]]:
    """The arrays of an `.npz`. Raises DataError for what is no such archive."""
    return read_arrays(path)


def takes_as_feeds(arrays: Mapping[str, NDArray[Any]], inputs: Sequence[Port], path: Path) -> list[Feeds]:
    """One feed a take: arrays called as the inputs, or `sequences` of a recording for the only input.

    An array with one axis more than its input holds a whole input a take. Otherwise its first axis is divided by the
    input's, which counts as 1 where it is open; one part alone goes with every take. Raises DataError for arrays that
    are missing, do not fit, or hold NaN, infinity or numbers beyond the input's type; other arrays may hold anything.
    """
    parts = {item.name: _parts(_array(arrays, item, len(inputs) == 1, path), item, path) for item in inputs}
    counts = {name: len(each) for name, each in parts.items()}
    takes = max(counts.values(), default=0)
    for name, count in counts.items():
        if count not in (1, takes):
            raise DataError(f"{path}: '{name}' holds {count} takes, others {takes}; give each input as many, or one")
    return [{name: each[k if len(each) > 1 else 0] for name, each in parts.items()} for k in range(takes)]


def _array(arrays: Mapping[str, NDArray[Any]], item: Port, only: bool, path: Path) -> NDArray[Any]:
    name = item.name if item.name in arrays or not only else "sequences" if "sequences" in arrays else item.name
    if name not in arrays:
        found = ", ".join(arrays) or "none"
        raise DataError(f"{path}: no array '{item.name}', as the model's input is called (found: {found})")
    if item.type not in _KINDS:
        raise DataError(f"{path}: input '{item.name}' is {item.type}, which arrays of numbers can't be")
    array = arrays[name]
    wanted = np.dtype(_KINDS[item.type])
    if not np.can_cast(array.dtype, wanted, "same_kind") or array.dtype.kind not in "fiub":
        raise DataError(f"{path}: '{name}' is {array.dtype}, the input {wanted}; save it as such")
    _require_finite(array, "NaN or infinite", f"{path}: '{name}'")
    with np.errstate(over="ignore"):
        cast = array.astype(wanted, copy=False)
    if cast.dtype.kind in "iu" and (cast != array).any():
        raise DataError(f"{path}: '{name}' holds numbers that {wanted}, the input's type, can't hold; save it as such")
    _require_finite(cast, f"beyond {wanted}, the input's type", f"{path}: '{name}'")
    return cast


def _require_finite(array: NDArray[Any], what: str, name: str) -> None:
    count = int((~np.isfinite(array)).sum()) if array.dtype.kind == "f" else 0
    if count:
        raise DataError(f"{name}: {count:,} of its {array.size:,} numbers are {what}; leave such takes out")


def _parts(array: NDArray[Any], item: Port, path: Path) -> list[NDArray[Any]]:
    shape = item.shape
    if array.ndim == len(shape) + 1:
        parts = list(array)
    elif array.ndim == len(shape) and shape and array.shape[0]:
        size = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else 1
        parts = [array[k : k + size] for k in range(0, len(array), size)]
    else:
        parts = [array] if array.ndim == len(shape) == 0 else []
    if not parts or any(not _fits(part, shape) for part in parts):
        wanted = ", ".join("any" if not isinstance(size, int) or size < 1 else str(size) for size in shape)
        raise DataError(
            f"{path}: takes of shape {array.shape} do not fit the model's input '{item.name}' ({wanted}); give takes"
            " as the model reads them"
        )
    return parts


def _fits(part: NDArray[Any], shape: Sequence[int | str | None]) -> bool:
    return 0 not in part.shape and all(
        not isinstance(wanted, int) or wanted < 1 or size == wanted
        for size, wanted in zip(part.shape, shape, strict=True)
    )
