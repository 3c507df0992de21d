"""Constraints against measurements, whatever their source.

Each figure of this machine is enforced as it was measured. For each board there is, beside it, what can be said
without the board: the pessimistic bound of `edgekit.device` for latency, this machine's peak with a margin for
memory. Where this machine is one of the boards, what was measured stands for that board.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.bench.emulated import Emulation
from edgekit.bench.emulation import board_rows, budget_rows
from edgekit.bench.latency import latency_row
from edgekit.bench.result import Measurement, Row
from edgekit.bench.settings import ESTIMATED, ON_DEVICE, ON_HOST, BenchConfig, Evidence, Verdict, accepts
from edgekit.device import Estimate
from edgekit.evaluate import CONFIDENCE, Flips, points_interval_text
from edgekit.evaluate.accuracy import Accuracy
from edgekit.measure import Machine
from edgekit.profiles import Board, Profile

#: A guess, not a measurement: what a peak may grow by on another architecture, libraries and page size (16 kB on
#: a Pi 5).
MEMORY_MARGIN_RATIO = 1.5


def judge(
    profile: Profile,
    config: BenchConfig,
    size_bytes: int,
    measurement: Measurement,
    estimates: Sequence[Estimate],
    accuracy: Accuracy | None = None,
    emulation: Emulation | None = None,
) -> tuple[Row, ...]:
    """One row for each limit that the profile sets: this machine's, then two for each of its boards, and one more for
    the answers of an emulated one.

    estimates: one a board, in the profile's order. accuracy: of this model and its parent, for `max_accuracy_drop`.
    emulation: what emulated cores did; where one stands for a board, the estimate is left out.
    """
    here = this_board(profile.boards, measurement.machine)
    evidence = ON_DEVICE if here else ON_HOST
    latency = latency_row(profile, measurement, evidence)
    memory = _host_memory(profile, measurement, evidence)
    rows = [_size(profile, size_bytes), latency, memory, _accuracy(profile, accuracy)]
    if not profile.boards and not accepts(config.evidence, ESTIMATED):
        # without boards the limits are for the machine that measures, so its own figures do, unless more is asked
        rows = [row and _demand(row, config.evidence) for row in rows]
    for board, estimate in zip(profile.boards, estimates, strict=True):
        if board is here:
            own = [latency and _move(latency, board), _board_memory(profile, board, measurement, ON_DEVICE)]
        else:
            own = list(_elsewhere(profile, board, measurement, estimate, emulation))
        rows += [row and _demand(row, config.evidence) for row in own]
    rows += budget_rows(emulation) if emulation else []
    return tuple(row for row in rows if row is not None)


def _elsewhere(
    profile: Profile, board: Board, measurement: Measurement, estimate: Estimate, emulation: Emulation | None
) -> Iterator[Row | None]:
    """What can be said of a board that is not here: what was emulated, and bounds for what was not."""
    emulated = emulation and board_rows(profile, board, emulation)
    rows = emulated or []
    told = {row.constraint for row in rows}
    if "max_latency_ms" not in told:
        yield _board_latency(profile, board, estimate)
    yield from (row for row in rows if row.constraint == "max_latency_ms")
    if "max_ram_mb" not in told:
        yield _board_memory(profile, board, measurement, ESTIMATED)
    yield from (row for row in rows if row.constraint != "max_latency_ms")


def this_board(boards: Sequence[Board], machine: Machine) -> Board | None:
    """The board that the measuring machine is, by its device tree; None for another machine."""
    model = machine.device_tree_model or ""
    return next((board for board in boards if model.startswith(board.device_tree_model.value)), None)


def _size(profile: Profile, size_bytes: int) -> Row | None:
    limit = profile.max_model_bytes
    if limit is None:
        return None
    verdict: Verdict = "pass" if size_bytes <= limit else "fail"
    note = "the same on every machine"
    return Row("max_model_mb", "file size", None, size_bytes, limit, "bytes", ON_HOST, verdict, note=note)


def _host_memory(profile: Profile, measurement: Measurement, evidence: Evidence) -> Row | None:
    limit = profile.ram_limit_bytes()
    if limit is None:
        return None
    peak = measurement.peak_rss_bytes
    quantity = "peak memory"
    if measurement.stopped:
        return _stopped(measurement, evidence, limit)
    if peak is None:
        note = f"{measurement.memory_reason}; bench on Linux"
        return Row("max_ram_mb", quantity, None, None, limit, "bytes", evidence, "undecided", note=note)
    tight = min(profile.boards, key=lambda board: board.ram_bytes, default=None)
    shared = tight is not None and limit < round((profile.max_ram_mb or 0) * 1e6)
    note = f"60 % of the memory of {tight.name}" if tight and shared else ""
    verdict: Verdict = "pass" if peak <= limit else "fail"
    return Row("max_ram_mb", quantity, None, peak, limit, "bytes", evidence, verdict, note=note)


def _stopped(measurement: Measurement, evidence: Evidence, limit: int, board: str | None = None) -> Row:
    """The row of a model that the hard limit stopped: it wanted more than that limit, how much more is not known."""
    least = measurement.memory_limit_bytes or 0
    return Row(
        constraint="max_ram_mb",
        quantity="peak memory" if evidence != ESTIMATED else "memory bound",
        board=board,
        measured=None,
        limit=limit,
        unit="bytes",
        evidence=evidence,
        verdict="fail" if least > limit else "undecided",
        floor=least,
        note=measurement.memory_reason,
    )


def _accuracy(profile: Profile, accuracy: Accuracy | None) -> Row | None:
    limit, quantity = profile.max_accuracy_drop, "accuracy drop"
    if limit is None:
        return None
    parent = accuracy.parent if accuracy else None
    if parent is None:
        note = "no accuracy was compared: give labelled takes (--data) and the float32 parent (--parent)"
        return Row("max_accuracy_drop", quantity, None, None, limit, "ratio", ON_HOST, "undecided", note=note)
    flips = parent.flips
    low, high = flips.interval()
    return Row(
        constraint="max_accuracy_drop",
        quantity=quantity,
        board=None,
        measured=flips.drop,
        limit=limit,
        unit="ratio",
        evidence=ON_HOST,
        verdict=flips.judge(limit),
        note=_drop_note(flips, limit),
        low=low,
        high=high,
    )


def _drop_note(flips: Flips, limit: float) -> str:
    """The interval; where it holds the limit, how many takes would decide."""
    low, high = flips.interval()
    note = f"{100 * CONFIDENCE:g} % interval {points_interval_text(low, high)} (points) on {flips.takes} takes"
    if flips.judge(limit) != "undecided":
        return note
    needed = flips.takes_needed(limit)
    if needed is None:
        return f"{note}; the drop is at the limit itself: no number of takes can decide"
    return f"{note} contains the limit; about {needed - flips.takes} more takes like these would decide"


def _board_latency(profile: Profile, board: Board, estimate: Estimate) -> Row | None:
    limit = profile.max_latency_s
    if limit is None:
        return None
    verdict: Verdict = "undecided"
    note = estimate.reason
    if estimate.bound_s is not None and estimate.bound_s <= limit:
        verdict = "pass"
    elif estimate.floor_s is not None and estimate.floor_s > limit:
        verdict = "fail"
    elif estimate.bound_s is not None:
        note += "; the bound can't decide: bench on the board"
    return Row(
        constraint="max_latency_ms",
        quantity="latency bound",
        board=board.name,
        measured=estimate.bound_s,
        limit=limit,
        unit="s",
        evidence=ESTIMATED,
        verdict=verdict,
        floor=estimate.floor_s,
        note=note,
    )


def _board_memory(profile: Profile, board: Board, measurement: Measurement, evidence: Evidence) -> Row | None:
    limit = profile.ram_limit_bytes(board)
    if limit is None:
        return None
    if measurement.stopped:
        return _stopped(measurement, evidence, limit, board.name)
    peak = measurement.peak_rss_bytes
    measured: float | None = None
    verdict: Verdict = "undecided"
    note = measurement.memory_reason if peak is None else ""
    if peak is not None:
        measured = peak if evidence == ON_DEVICE else round(peak * MEMORY_MARGIN_RATIO)
        verdict = "pass" if measured <= limit else "fail" if peak > limit else "undecided"
        note = "" if evidence == ON_DEVICE else f"this machine's peak times {MEMORY_MARGIN_RATIO:g}"
    quantity = "peak memory" if evidence == ON_DEVICE else "memory bound"
    return Row(
        constraint="max_ram_mb",
        quantity=quantity,
        board=board.name,
        measured=measured,
        limit=limit,
        unit="bytes",
        evidence=evidence,
        verdict=verdict,
        note=note,
    )


def _move(row: Row, board: Board) -> Row:
    return Row(**{**vars(row), "board": board.name})


def _demand(row: Row, least: Evidence) -> Row:
    """A pass on evidence weaker than `least` is undecided; a file's size is the same everywhere."""
    if row.verdict != "pass" or row.constraint == "max_model_mb" or accepts(least, row.evidence):
        return row
    note = f"{row.note}; " if row.note else ""
    return Row(**{**vars(row), "verdict": "undecided", "note": f"{note}{row.evidence}, but {least} was asked for"})
