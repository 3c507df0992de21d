"""A bench result as text for people. JSON comes from `BenchResult.to_dict`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgekit.bench import BenchResult, Row
from edgekit.report.accuracy import accuracy_lines
from edgekit.report.baseline import baseline_lines
from edgekit.report.tables import milliseconds, percent, size, table

BENCH_HEADERS = ("constraint", "measured", "limit", "margin", "verdict", "evidence")
_VERDICTS = {
    "pass": "fits {profile}: every constraint holds",
    "fail": "does not fit {profile}: {reasons}",
    "undecided": "can't be decided for {profile}: {reasons}",
}


def bench_text(result: BenchResult) -> str:
    """The whole report: file, machine, latency, one table row a constraint, notes, the worst board, the verdict.

    Plain text without colours; the last line is the verdict. A margin is a share of its limit.
    """
    parts = [
        f"{result.info.path}: {size(result.info.size_bytes)}, SHA-256 {result.info.sha256[:12]}",
        machine_text(result.measurement.machine, result.threads),
        latency_line(result),
        *accuracy_lines(result.accuracy),
        *baseline_lines(result.baseline),
        table(BENCH_HEADERS, (bench_cells(row) for row in result.rows)),
        *bench_notes(result.rows),
    ]
    worst = result.worst_board
    if worst is not None:
        margin = "no figure" if worst.margin_ratio is None else f"margin {percent(worst.margin_ratio)}"
        parts.append(f"worst board: {worst.board} ({worst.quantity}, {margin})")
    return "\n".join([*parts, verdict_line(result)])


def verdict_line(result: BenchResult) -> str:
    """One sentence: whether the model fits, or which constraints say no or can't say."""
    rows = [row for row in result.rows if row.verdict == result.verdict and result.counts(row)]
    reasons = _titles(rows)
    return _VERDICTS[result.verdict].format(profile=result.profile.name, reasons=reasons)


def figure(value: float | None, unit: str) -> str:
    """A figure as people read it: KB or MB (10^3, 10^6 bytes), ms, percent; "?" for none."""
    if value is None:
        return "?"
    return {"bytes": size, "s": milliseconds}.get(unit, percent)(value)


def bench_cells(row: Row) -> tuple[str, ...]:
    """One row of the table, under BENCH_HEADERS."""
    margin = "?" if row.margin_ratio is None else percent(row.margin_ratio)
    measured, limit = figure(row.measured, row.unit), figure(row.limit, row.unit)
    return _title(row), measured, limit, margin, row.verdict, row.evidence


def _title(row: Row) -> str:
    return row.quantity if row.board is None else f"{row.board}: {row.quantity}"


def machine_text(machine: Mapping[str, Any], threads: int) -> str:
    """One line: what measured, how busy it was, and with which software."""
    parts = [
        f"on {machine.get('device_tree_model') or machine.get('cpu_model')}",
        f"{machine.get('cores')} cores",
        f"{threads} thread{'' if threads == 1 else 's'} used",
        f"Python {machine.get('python')}, numpy {machine.get('numpy')}, onnxruntime {machine.get('onnxruntime')}",
    ]
    if machine.get("load_1min") is not None:
        parts.insert(2, f"load {machine['load_1min']:.2f}")
    return ", ".join(parts)


def latency_line(result: BenchResult) -> str:
    """Percentiles, how many samples they come from, and on what input."""
    summary = result.measurement.summary
    named = {"p50": summary.p50_s, "p90": summary.p90_s, "p95": summary.p95_s, "p99": summary.p99_s}
    shown = ", ".join(f"{name} {milliseconds(value)}" for name, value in named.items() if value is not None)
    missing = ", ".join(name for name, value in named.items() if value is None)
    few = f"; too few samples for {missing}" if missing else ""
    given = input_text(result.measurement.latency[0].inputs)
    return f"latency here: {shown or 'no percentile'} from {summary.samples} samples on {given}{few}"


def input_text(inputs: Iterable[Mapping[str, Any]]) -> str:
    """What the model was run on."""
    return "the given takes" if {item["source"] for item in inputs} == {"takes"} else "random input"


def bench_notes(rows: Sequence[Row]) -> list[str]:
    """Why rows did not pass, each reason once with all the rows it holds for."""
    reasons: dict[str, list[Row]] = {}
    for row in rows:
        if row.note and row.verdict != "pass":
            reasons.setdefault(row.note, []).append(row)
    return [f"note: {_titles(group)}: {reason}" for reason, group in reasons.items()]


def _titles(rows: Sequence[Row]) -> str:
    """`latency p95; latency bound on A, B`: every quantity once."""
    boards: dict[str, list[str]] = {}
    for row in rows:
        boards.setdefault(row.quantity, []).extend([row.board] if row.board else [])
    return "; ".join(f"{name} on {', '.join(on)}" if on else name for name, on in boards.items())
