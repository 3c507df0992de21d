"""Rows of what was emulated: a board's latency, memory and answers, and instructions against a budget."""

from __future__ import annotations

import math

from edgekit.bench.emulated import Emulation
from edgekit.bench.result import Row
from edgekit.bench.settings import EMULATED, Verdict
from edgekit.device import Band
from edgekit.device.emulator import CoreRun
from edgekit.profiles import Board, Profile

#: A guess: what a peak may be above what stages show, and pages of 16 kB on a Pi 5 instead of 4.
MEMORY_MARGIN_RATIO = 1.25


def board_rows(profile: Profile, board: Board, emulation: Emulation) -> list[Row] | None:
    """Latency, memory and answers of a board; None where its core was not emulated. A core on which the model does not
    start has one row, which fails."""
    run = emulation.run_of(board)
    if run is None:
        return None
    if run.failure:
        note = f"on {run.core}, emulated: {run.failure}"
        return [Row("answers", "starts", board.name, None, 0.0, "number", EMULATED, "fail", note=note)]
    rows = [_latency(profile, board, emulation, run), _memory(profile, board, run), _answers(board, emulation, run)]
    return [row for row in rows if row is not None]


def _latency(profile: Profile, board: Board, emulation: Emulation, run: CoreRun) -> Row | None:
    limit, band = profile.max_latency_s, emulation.bands.get(board.name)
    if limit is None:
        return None
    if band is None:
        note = f"no latency of a board with {board.core.value} was published; bench on the board"
        return Row("max_latency_ms", "latency estimate", board.name, None, limit, "s", EMULATED, "undecided", note=note)
    verdict: Verdict = "pass" if band.high_s <= limit else "fail" if band.floor_s > limit else "undecided"
    return Row(
        constraint="max_latency_ms",
        quantity="latency estimate",
        board=board.name,
        measured=band.high_s,
        limit=limit,
        unit="s",
        evidence=EMULATED,
        verdict=verdict,
        floor=band.floor_s,
        note=f"{run.instructions:,} instructions; {rates_text(band)}"
        + ("; the band can't decide: bench on the board" if verdict == "undecided" else ""),
        low=band.low_s,
        high=band.high_s,
    )


def rates_text(band: Band) -> str:
    """At which instructions per cycle the limit would be missed, and which are expected."""
    expected = f"{band.rates.least:.2f} to {band.rates.most:.2f} instructions per cycle are expected"
    if band.needed is None:
        return expected
    if not math.isfinite(band.needed):
        return f"reading memory alone takes longer than the limit; {expected}"
    return f"the limit is missed below {band.needed:.2g}, {expected}"


def _memory(profile: Profile, board: Board, run: CoreRun) -> Row | None:
    limit = profile.ram_limit_bytes(board)
    if limit is None or not run.guest_bytes:
        return None
    bound = round(run.guest_bytes * MEMORY_MARGIN_RATIO)
    verdict: Verdict = "pass" if bound <= limit else "fail" if run.guest_bytes > limit else "undecided"
    note = f"the emulated program's memory times {MEMORY_MARGIN_RATIO:g}"
    return Row("max_ram_mb", "memory bound", board.name, bound, limit, "bytes", EMULATED, verdict, note=note)


def _answers(board: Board, emulation: Emulation, run: CoreRun) -> Row:
    found = emulation.agreements[run.core]
    verdict: Verdict = "undecided" if found.others else "pass"
    note = f"{found.others} of {len(run.answers)} answers have another largest number than here" if found.others else ""
    if not found.holds:
        verdict, note = "fail", f"on {run.core}, emulated, a number is {found.difference:.2g} off this machine's"
    difference = found.difference if math.isfinite(found.difference) else None
    return Row(
        "answers", "answers as here", board.name, difference, found.tolerance, "number", EMULATED, verdict, note=note
    )


def budget_rows(emulation: Emulation) -> list[Row]:
    """Instructions of a prediction on each core against the budget; none without one."""
    limit = emulation.max_instructions
    if limit is None:
        return []
    return [_budget(run, limit) for run in emulation.emulated.runs]


def _budget(run: CoreRun, limit: int) -> Row:
    quantity = f"instructions on {run.core}"
    if run.failure:
        note = "it does not start there"
        return Row("max_instructions", quantity, None, None, limit, "instructions", EMULATED, "undecided", note=note)
    verdict: Verdict = "pass" if run.instructions <= limit else "fail"
    return Row("max_instructions", quantity, None, run.instructions, limit, "instructions", EMULATED, verdict)
