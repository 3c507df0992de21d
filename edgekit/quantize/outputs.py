"""Whether ONNX Runtime opens what was made, and whether it computes what it should: in processes of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, GateError, ModelFileError, WeakEvidenceError
from edgekit.quantize.calibration import MOST, Feeds, made_up, read_takes, takes_as_feeds
from edgekit.results import OutputCheck
from edgekit.runtime.session import open_session

#: All outputs of a run, run after run.
Arrays = Sequence[NDArray[Any]]

#: Of the largest output: the int8 file against the same floats in the source's place. Both compute in float32, so only
#: the order of sums differs; a wrong weight, axis or scale makes differences of the outputs' own size.
TOLERANCE_RATIO = 1e-3

SOURCE, PREPARED, EXPECTED, RESULT = "source", "prepared", "expected", "result"


@dataclass(frozen=True)
class Proving:
    """What a file is proven on, and how far it may be off.

    calibration: an `.npz` of takes (`calibration.takes_as_feeds`); None for made-up ones. max_difference: of any float
    output from the source's; None for any.
    """

    calibration: Path | None = None
    max_difference: float | None = None


def check_outputs(
    files: Mapping[str, bytes], source: Path, target: Path, proving: Proving | None = None
) -> OutputCheck:
    """Open all files and compare what they compute.

    files: SOURCE; PREPARED, where the source was changed before it was quantised; EXPECTED, the model with the floats
    that the int8 numbers stand for, where there is one; RESULT. Raises ModelFileError when ONNX Runtime can't open the
    source, and not what was prepared from it either; DataError for calibration takes that the source can't read;
    GateError when it can't open or run the result, its outputs are not what they should be, or differ by more than is
    allowed; WeakEvidenceError where that can't be told.
    """
    proving = proving or Proving()
    base, feeds, outputs, reason = _run_source(files, source, proving)
    found = {base: outputs}
    for name in (PREPARED, EXPECTED, RESULT):
        if name in files and name != base:
            found[name] = _run_as_well(files[name], feeds, target)
            for one, other in ((base, PREPARED), (EXPECTED, RESULT)):
                if feeds and other == name and one in found:
                    _require_same(found[one], found[other], other, target)
            found = {key: value for key, value in found.items() if key != PREPARED or base == PREPARED}
    if not feeds:
        return _not_compared(reason, proving, target)
    return _compared(found[base], found[RESULT], feeds, reason, proving, target)


def _not_compared(reason: str, proving: Proving, target: Path) -> OutputCheck:
    if proving.max_difference is not None:
        raise WeakEvidenceError(
            f"{target}: whether outputs differ by more than {proving.max_difference:g} can't be told: {reason}; give"
            " takes with --calibration; nothing was written"
        )
    return OutputCheck(None, None, None, reason)


def _compared(
    one: Arrays, other: Arrays, feeds: Sequence[Feeds], reason: str, proving: Proving, target: Path
) -> OutputCheck:
    difference, largest = _difference(one, other)
    if not math.isfinite(difference):
        raise GateError(f"{target}: outputs are not finite where the source's are, or the reverse; nothing was written")
    labels, changed = _labels(one, other, len(feeds))
    if proving.max_difference is not None and difference > proving.max_difference:
        raise GateError(
            f"{target}: outputs differ by {difference:.3g} at most, of {largest:.3g}, allowed"
            f" {proving.max_difference:g} ({changed} of {labels} labels changed); nothing was written"
        )
    return OutputCheck(
        {name: array.shape for name, array in feeds[0].items()},
        difference,
        largest,
        reason,
        mean_abs_difference=_mean_difference(one, other),
        runs=len(feeds),
        calibration=str(proving.calibration) if proving.calibration else None,
        labels=labels,
        changed_labels=changed,
    )


def _run_source(files: Mapping[str, bytes], source: Path, proving: Proving) -> tuple[str, Sequence[Feeds], Arrays, str]:
    """(the file that the others are compared with, feeds that it runs on, its outputs, the reason for none)."""
    base, note = SOURCE, ""
    try:
        session = open_session(files[SOURCE], source)
    except ModelFileError as error:
        if PREPARED not in files:
            raise
        base, note = PREPARED, f"{error}, so the outputs of what was prepared from it were compared"
        session = open_session(files[PREPARED], source)
    with closing(session):
        if proving.calibration is None:
            feeds, outputs, reason = _find_feeds(session)
        else:
            feeds, outputs, reason = _run_takes(session, proving.calibration)
    return base, feeds, outputs, reason or note


def _run_takes(session: Any, path: Path) -> tuple[Sequence[Feeds], Arrays, str]:
    """A user's takes, and what the source gives for each."""
    feeds = takes_as_feeds(read_takes(path), session.inputs, path)
    outputs: list[NDArray[Any]] = []
    for index, feed in enumerate(feeds):
        try:
            outputs += session.run(None, feed)
        except ModelFileError as error:
            raise DataError(f"{path}: take {index}: {error}; give takes as the model reads them") from error
        if sum(array.size for array in outputs) > MOST:
            raise DataError(f"{path}: the outputs of {len(feeds)} takes are too large to be compared; give fewer")
    return feeds, outputs, ""


def _find_feeds(session: Any) -> tuple[Sequence[Feeds], Arrays, str]:
    """The first made-up feeds that a model runs on, and what it gives; or none and why not."""
    reason = ""
    for feeds in made_up(session.inputs):
        if isinstance(feeds, str):
            return (), (), feeds
        try:
            outputs, again = (session.run(None, feeds[0]) for _ in range(2))
            if sum(array.size for array in outputs) * len(feeds) > MOST:
                return (), (), "its outputs are too large"
            outputs += [array for feed in feeds[1:] for array in session.run(None, feed)]
        except ModelFileError as error:
            reason = reason or str(error)
            continue
        if not any(np.isfinite(array).any() for array in outputs if array.dtype.kind == "f" and array.size):
            reason = reason or "none of its float outputs is a finite number"
            continue
        if _difference(outputs[: len(again)], again)[0] != 0.0:
            return (), (), "its outputs are random: they differ from run to run"
        return feeds, outputs, ""
    return (), (), reason


def _run_as_well(content: bytes, feeds: Sequence[Feeds], target: Path) -> Arrays:
    """Outputs of another file on the same inputs. Raises GateError where it can't be opened or run."""
    try:
        with closing(open_session(content, target)) as session:
            return [array for feed in feeds for array in session.run(None, feed)]
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


def _mean_difference(one: Arrays, other: Arrays) -> float:
    """Over all numbers of float outputs that are finite in both."""
    total, count = 0.0, 0
    for left, right in zip(one, other, strict=True):
        if left.dtype.kind == "f" and left.size:
            both = np.isfinite(left) & np.isfinite(right)
            total += float(np.abs(left[both].astype(np.float64) - right[both]).sum())
            count += int(both.sum())
    return total / count if count else 0.0


def _labels(one: Arrays, other: Arrays, runs: int) -> tuple[int, int]:
    """(rows of the first float output with two or more columns, those whose largest column differs)."""
    outputs = len(one) // runs
    for position in range(outputs):
        if one[position].dtype.kind == "f" and one[position].ndim > 1 and one[position].shape[-1] > 1:
            pairs = list(zip(one[position::outputs], other[position::outputs], strict=True))
            changed = sum(int((left.argmax(-1) != right.argmax(-1)).sum()) for left, right in pairs)
            return sum(left.size // left.shape[-1] for left, _ in pairs), changed
    return 0, 0


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
