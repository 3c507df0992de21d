"""Whether ONNX Runtime opens what was made, and whether it computes what it should: in processes of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import GateError, ModelFileError
from edgekit.results import OutputCheck
from edgekit.runtime.session import open_session

Arrays = Sequence[NDArray[Any]]

#: Of the largest output: the int8 file against the same floats in the source's place. Both compute in float32, so only
#: the order of sums differs; a wrong weight, axis or scale makes differences of the outputs' own size.
TOLERANCE_RATIO = 1e-3
#: Numbers of an input that are made up at most, and of all outputs that are compared.
MOST = 2**24

SOURCE, PREPARED, EXPECTED, RESULT = "source", "prepared", "expected", "result"

#: Sizes tried for open axes: the first of an input, and the others; and what fills whole numbers and flags.
_TRIED = tuple((sizes, whole) for sizes in ((4, 4), (1, 4), (1, 1)) for whole in (1, 0))
_KINDS = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(int64)": np.int64,
    "tensor(int32)": np.int32, "tensor(int16)": np.int16, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}  # fmt: skip


def check_outputs(files: Mapping[str, bytes], source: Path, target: Path) -> OutputCheck:
    """Open all files and compare what they compute.

    files: SOURCE; PREPARED, where the source was changed before it was quantised; EXPECTED, the model with the floats
    that the int8 numbers stand for, where there is one; RESULT. Raises ModelFileError when ONNX Runtime can't open the
    source, and not what was prepared from it either; GateError when it can't open or run the result, or its outputs
    are not what they should be.
    """
    base, feeds, outputs, reason = _run_source(files, source)
    found = {base: outputs}
    for name in (PREPARED, EXPECTED, RESULT):
        if name in files and name != base:
            found[name] = _run_as_well(files[name], feeds, target)
    if feeds is None:
        return OutputCheck(None, None, None, reason)
    for one, other in ((base, PREPARED), (EXPECTED, RESULT)):
        if one in found and other in found and one != other:
            _require_same(found[one], found[other], other, target)
    difference, largest = _difference(found[base], found[RESULT])
    if not math.isfinite(difference):
        raise GateError(f"{target}: outputs are not finite where the source's are, or the reverse; nothing was written")
    return OutputCheck({name: array.shape for name, array in feeds.items()}, difference, largest, reason)


Feeds = Mapping[str, NDArray[Any]]


def _run_source(files: Mapping[str, bytes], source: Path) -> tuple[str, Feeds | None, Arrays, str]:
    """(the file that the others are compared with, feeds that it runs on or None, its outputs, the reason for None)."""
    base, note = SOURCE, ""
    try:
        session = open_session(files[SOURCE], source)
    except ModelFileError as error:
        if PREPARED not in files:
            raise
        base, note = PREPARED, f"{error}, so the outputs of what was prepared from it were compared"
        session = open_session(files[PREPARED], source)
    with closing(session):
        feeds, outputs, reason = _find_feeds(session)
    return base, feeds, outputs, reason or note


def _find_feeds(session: Any) -> tuple[Feeds | None, Arrays, str]:
    """The first made-up feeds that a model runs on, and what it gives; or None and why not."""
    reason = ""
    for feeds in _made_up(session.inputs):
        if isinstance(feeds, str):
            return None, (), feeds
        try:
            outputs, again = (session.run(None, feeds) for _ in range(2))
        except ModelFileError as error:
            reason = reason or str(error)
            continue
        if sum(array.size for array in outputs) > MOST:
            return None, (), "its outputs are too large"
        if not any(np.isfinite(array).any() for array in outputs if array.dtype.kind == "f" and array.size):
            reason = reason or "none of its float outputs is a finite number"
            continue
        if _difference(outputs, again)[0] != 0.0:
            return None, (), "its outputs are random: they differ from run to run"
        return feeds, outputs, ""
    return None, (), reason


def _made_up(inputs: Sequence[Any]) -> Iterator[Feeds | str]:
    """Inputs to try one by one, or the reason why there are none. Floats are normal; whole numbers 1, then 0."""
    for item in inputs:
        if item.type not in _KINDS:
            yield f"input '{item.name}' is {item.type}"
            return
    for sizes, whole in _TRIED:
        shapes = {item.name: _sizes(item.shape, sizes) for item in inputs}
        large = next((name for name, shape in shapes.items() if math.prod(shape) > MOST), None)
        if large is not None:
            yield f"input '{large}' is too large to be made up"
            return
        rng = np.random.default_rng(0)
        yield {item.name: _filled(_KINDS[item.type], shapes[item.name], whole, rng) for item in inputs}


def _sizes(shape: Sequence[int | str | None], tried: tuple[int, int]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else tried[axis > 0] for axis, size in enumerate(shape))


def _filled(kind: type[Any], shape: tuple[int, ...], whole: int, rng: np.random.Generator) -> NDArray[Any]:
    if issubclass(kind, np.floating):
        return np.asarray(rng.standard_normal(shape), dtype=kind)
    return np.full(shape, whole, kind)


def _run_as_well(content: bytes, feeds: Feeds | None, target: Path) -> Arrays:
    """Outputs of another file on the same input. Raises GateError where it can't be opened or run."""
    try:
        with closing(open_session(content, target)) as session:
            outputs: Arrays = () if feeds is None else session.run(None, feeds)
            return outputs
    except ModelFileError as error:
        raise GateError(f"{error}; the source has no such problem, so nothing was written") from error


def _difference(one: Arrays, other: Arrays) -> tuple[float, float]:
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


def _require_same(one: Arrays, other: Arrays, name: str, target: Path) -> None:
    difference, largest = _difference(one, other)
    limit = TOLERANCE_RATIO * max(largest, 1e-6)
    if not difference <= limit:
        what = (
            "the model with inlined functions, a newer opset or folded weights" if name == PREPARED else "the int8 file"
        )
        raise GateError(
            f"{target}: {what} computes something else than the source: outputs differ by {difference:.2g}, allowed"
            f" {limit:.1e}; nothing was written"
        )
