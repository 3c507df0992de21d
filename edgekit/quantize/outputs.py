"""Whether ONNX Runtime opens what was made, and whether it computes what it should: in processes of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, GateError, InputError, ModelFileError, WeakEvidenceError
from edgekit.quantize.calibration import MOST, Feeds, made_up, read_takes, takes_as_feeds
from edgekit.quantize.differences import Arrays, changed_labels, largest_difference, mean_difference
from edgekit.results import OutputCheck
from edgekit.runtime.guard import Options
from edgekit.runtime.session import open_session

#: Of the largest output: the int8 file against the same floats in the source's place. Both compute in float32, so only
#: the order of sums differs; a wrong weight, axis or scale makes differences of the outputs' own size.
TOLERANCE_RATIO = 1e-3
#: Outputs that are all smaller count as that large.
_LEAST_OUTPUT = 1e-6

SOURCE, PREPARED, EXPECTED, RESULT = "source", "prepared", "expected", "result"

#: A model, or the path of a file of edgekit's own that holds it.
Files = Mapping[str, bytes | Path]


@dataclass(frozen=True)
class Proving:
    """What a file is proven on, and how far it may be off.

    calibration: an `.npz` of takes (`calibration.takes_as_feeds`); None for made-up ones. max_difference: of any float
    output from the source's, finite and above 0; None for any. Raises InputError for another one.
    """

    calibration: Path | None = None
    max_difference: float | None = None

    def __post_init__(self) -> None:
        limit: Any = self.max_difference
        if limit is not None and not (isinstance(limit, Real) and 0 < float(limit) < math.inf):
            raise InputError(f"Proving: max_difference is {limit!r}; expected a finite number above 0, or None")


@dataclass(frozen=True)
class Reference:
    """What a source gives. base: SOURCE, or PREPARED where ONNX Runtime can't open the source. feeds: what it runs on,
    none where nothing can be compared. outputs: of all feeds. reason: why there are none, or what else is to be said.
    """

    base: str
    feeds: Sequence[Feeds]
    outputs: Arrays
    reason: str
    calibration: Path | None = None


def check_outputs(files: Files, source: Path, target: Path, proving: Proving | None = None) -> OutputCheck:
    """Open all files and compare what they compute.

    files: SOURCE; PREPARED, where the source was changed before it was quantised; EXPECTED, the model with the floats
    that the int8 numbers stand for, where there is one; RESULT. Raises what `run_source`, `check_result` and
    `require_within` do.
    """
    proving = proving or Proving()
    reference = run_source(files, source, target, proving.calibration)
    found, _ = check_result(reference, files, target)
    require_within(found, proving.max_difference, target)
    return found


def run_source(files: Files, source: Path, target: Path, calibration: Path | None) -> Reference:
    """Run SOURCE, and PREPARED to see that it computes the same.

    Raises ModelFileError when ONNX Runtime can't open the source, and not what was prepared from it either; DataError
    for calibration takes that the source can't read; GateError where PREPARED computes something else.
    """
    base, note = SOURCE, ""
    try:  # what had to be folded takes several times its size where ONNX Runtime folds it
        session = open_session(files[SOURCE], source, options="bare" if PREPARED in files else "own")
    except ModelFileError as error:
        if PREPARED not in files:
            raise
        base, note = PREPARED, f"{error}, so the outputs of what was prepared from it were compared"
        session = open_session(files[PREPARED], source)
    with closing(session):
        feeds, outputs, reason = _find_feeds(session) if calibration is None else _run_takes(session, calibration)
    if base == SOURCE and PREPARED in files:
        prepared = _run(files[PREPARED], feeds, target, options="bare")[0]  # as the source ran: no sum in another order
        _require_same(outputs, prepared, PREPARED, target)
    return Reference(base, feeds, outputs, reason or note, calibration)


def check_result(reference: Reference, files: Files, target: Path) -> tuple[OutputCheck, Sequence[float]]:
    """Run EXPECTED and RESULT, the latter with edgekit's options of a session and with ONNX Runtime's own, and compare.
    Returns what came of it, and the largest difference of each run.

    Raises GateError when it can't open or run the result, or its outputs are not what they should be.
    """
    feeds = reference.feeds
    expected = _run(files[EXPECTED], feeds, target)[0] if EXPECTED in files else None
    own, plain = _run(files[RESULT], feeds, target, files[reference.base])
    if not feeds:
        return OutputCheck(None, None, None, reference.reason), ()
    if expected is not None and not _same(expected, own):  # where sums may be in another order, without that
        one, other = (_run(files[name], feeds, target, options="bare")[0] for name in (EXPECTED, RESULT))
        _require_same(one, other, RESULT, target)
    ran = [outputs for outputs in (own, plain) if outputs is not None]
    each = len(own) // len(feeds)
    by_run = [
        max(largest_difference(reference.outputs[k : k + each], other[k : k + each])[0] for other in ran)
        for k in range(0, len(own), each)
    ]
    return _compared(reference, own, plain, target), by_run


def furthest(by_run: Sequence[float]) -> list[int]:
    """Numbers of runs, the largest difference first."""
    return sorted(range(len(by_run)), key=lambda run: -by_run[run])


def require_within(found: OutputCheck, max_difference: float | None, target: Path) -> None:
    """Raises GateError when outputs differ by more than that, WeakEvidenceError where it can't be told."""
    if max_difference is None:
        return
    if found.max_abs_difference is None:
        raise WeakEvidenceError(
            f"{target}: whether outputs differ by more than {max_difference:g} can't be told: {found.reason};"
            " give takes that tell with --calibration, or no limit; nothing was written"
        )
    if found.max_abs_difference > max_difference:
        raise GateError(
            f"{target}: outputs differ by {found.max_abs_difference:.3g} at most, of {found.largest_output:.3g},"
            f" allowed {max_difference:g} ({found.changed_labels} of {found.labels} labels changed); nothing was"
            " written"
        )


def _compared(reference: Reference, own: Arrays, plain: Arrays | None, target: Path) -> OutputCheck:
    """The larger figure of both sessions, so that it holds for either."""
    one, runs = reference.outputs, len(reference.feeds)
    ran = [outputs for outputs in (own, plain) if outputs is not None]
    differences = [largest_difference(one, other)[0] for other in ran]
    if not all(map(math.isfinite, differences)):
        raise GateError(f"{target}: outputs are not finite where the source's are, or the reverse; nothing was written")
    labels = changed_labels(one, own, runs)[0]
    changed = max(changed_labels(one, other, runs)[1] for other in ran)
    where: Any = {
        "runs": runs,
        "calibration": str(reference.calibration) if reference.calibration else None,
        "labels": labels,
        "changed_labels": changed,
    }
    sizes = {name: array.shape for name, array in reference.feeds[0].items()}
    if not any(array.dtype.kind == "f" for array in one):
        return OutputCheck(sizes, None, None, "it has no float output", **where)
    return OutputCheck(
        sizes,
        max(differences),
        largest_difference(one, own)[1],
        reference.reason,
        mean_abs_difference=max(mean_difference(one, other) for other in ran),
        **where,
        edgekit_max_abs_difference=differences[0],
        plain_max_abs_difference=None if plain is None else differences[1],
    )


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
    reason = _nothing_to_compare(outputs) or _random(outputs, session.run(None, feeds[0]))
    return ((), (), reason) if reason else (feeds, outputs, "")


def _random(outputs: Arrays, again: Arrays) -> str:
    """Why outputs can't be compared with anything, if a second run gives others. again: of the first feed."""
    first = outputs[: len(again)]
    off = largest_difference(first, again)[0] or changed_labels(first, again, 1)[1]
    return "its outputs are random: they differ from run to run" if off else ""


def _nothing_to_compare(outputs: Arrays) -> str:
    """Why no number of the outputs can be compared; nothing where one can."""
    floats = [array for array in outputs if array.dtype.kind == "f"]
    if any(np.isfinite(array).any() for array in floats) or (not floats and changed_labels(outputs, outputs, 1)[0]):
        return ""
    return "none of its float outputs is a finite number" if floats else "it has no number as output"


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
            reason = reason or f"on made-up input, {error}; takes of yours may run (--calibration)"
            continue
        if nothing := _nothing_to_compare(outputs):
            reason = reason or nothing
            continue
        reason = _random(outputs, again)
        return ((), (), reason) if reason else (feeds, outputs, "")
    return (), (), reason


def _run(
    content: bytes | Path,
    feeds: Sequence[Feeds],
    target: Path,
    source: bytes | Path | None = None,
    options: Options = "own",
) -> tuple[Arrays, Arrays | None]:
    """Outputs of another file on the same inputs, and, given the source, those of a plain session, too; None where the
    source does not run in such a one either. Raises GateError where it can't be opened or run."""
    try:
        with closing(open_session(content, target, options=options)) as session:
            own = _outputs(session, feeds)
            if source is None:
                return own, None
            try:
                session.reopen("plain")
                return own, _outputs(session, feeds)
            except ModelFileError:
                if _runs_plain(source, feeds, target):
                    raise
                return own, None
    except ModelFileError as error:
        raise GateError(f"{error}; the source has no such problem, so nothing was written") from error


def _outputs(session: Any, feeds: Sequence[Feeds]) -> Arrays:
    return [array for feed in feeds for array in session.run(None, feed)]


def _runs_plain(content: bytes | Path, feeds: Sequence[Feeds], path: Path) -> bool:
    try:
        with closing(open_session(content, path, options="plain")) as session:
            _outputs(session, feeds[:1])
    except ModelFileError:
        return False
    return True


def _same(one: Arrays, other: Arrays) -> bool:
    difference, largest = largest_difference(one, other)
    return difference <= TOLERANCE_RATIO * max(largest, _LEAST_OUTPUT)


def _require_same(one: Arrays, other: Arrays, name: str, target: Path) -> None:
    if not _same(one, other):
        difference, largest = largest_difference(one, other)
        limit = TOLERANCE_RATIO * max(largest, _LEAST_OUTPUT)
        what = (
            "the model with inlined functions, a newer opset or folded weights" if name == PREPARED else "the int8 file"
        )
        raise GateError(
            f"{target}: {what} computes something else than the source: outputs differ by {difference:.2g}, allowed"
            f" {limit:.1e}; nothing was written"
        )
