"""Rows of a bench as text for people: what was measured, against which limit, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.bench import BenchResult, Row
from edgekit.bench.changes import change_text
from edgekit.evaluate import points_text
from edgekit.profiles import RAM_SHARE_RATIO
from edgekit.report.tables import count, milliseconds, percent, size

BENCH_HEADERS = ("constraint", "measured", "limit", "margin", "verdict", "evidence")


def figure(value: float | None, unit: str) -> str:
    """A figure as people read it: KB or MB (10^3, 10^6 bytes), ms, percent, a count; "?" for none."""
    if value is None:
        return "?"
    if unit == "instructions":
        return count(round(value))
    return f"{value:.1g}" if unit == "number" else {"bytes": size, "s": milliseconds}.get(unit, percent)(value)


def bench_cells(row: Row) -> tuple[str, ...]:
    """One row of the table, under BENCH_HEADERS."""
    return row_title(row), measured_text(row), limit_text(row), margin_text(row), row.verdict, row.evidence


def measured_text(row: Row) -> str:
    """The figure, or what it is certainly above; `?` where nothing is known."""
    if row.measured is None and row.floor is not None:
        return f"> {amount_text(row, row.floor)}"
    return amount_text(row, row.measured)


def amount_text(row: Row, value: float | None) -> str:
    """A figure of this row; what can be a loss or a gain says which, instead of a sign."""
    if value is None:
        return "?"
    if row.constraint == "max_accuracy_drop":
        return points_text(value).replace("points", "pts")
    if row.constraint == "max_regression":
        return change_text(row.quantity, value)
    return figure(value, row.unit)


def limit_text(row: Row) -> str:
    """The limit: `100 ms`, of a drop of accuracy `1.00 pts`, percentage points."""
    if row.constraint == "max_accuracy_drop":
        return f"{100 * row.limit:.2f} pts"
    return figure(row.limit, row.unit)


def margin_text(row: Row) -> str:
    """What is left of the limit, as a share of it: `71.5 %`, `all of it` after a gain; beyond it `4.0 % over`, or
    `2.31 x limit`; `-` where the limit is 0, `?` where there is no figure."""
    if row.measured is None:
        return "?"
    if row.margin_ratio is None:
        return "-"
    if row.measured <= 0:
        return "all of it"
    if row.margin_ratio >= 0:
        return percent(row.margin_ratio)
    used = 1 - row.margin_ratio
    return f"{percent(used - 1)} over" if used < 2 else f"{used:.3g} x limit"


def row_title(row: Row) -> str:
    return row.quantity if row.board is None else f"{row.board}: {row.quantity}"


def bench_notes(rows: Sequence[Row]) -> list[str]:
    """Why rows did not pass, each reason once with all the rows it holds for."""
    reasons: dict[str, list[Row]] = {}
    for row in rows:
        if row.note and row.verdict != "pass":
            reasons.setdefault(row.note, []).append(row)
    return [f"note: {row_titles(group)}: {reason}" for reason, group in reasons.items()]


def memory_limit_notes(result: BenchResult) -> list[str]:
    """Why memory is held against less than the profile says: boards keep the rest for others."""
    profile = result.profile
    said = None if profile.max_ram_mb is None else profile.max_ram_mb * 1e6
    lower = [(profile.ram_limit_bytes(board) or 0, board) for board in profile.boards]
    lower = sorted((limit, board) for limit, board in lower if said is not None and limit < said)
    if said is None or not lower:
        return []
    limits: dict[int, list[str]] = {}
    for limit, board in lower:
        limits.setdefault(limit, []).append(board.name)
    each = "; ".join(f"{size(limit)} on {', '.join(names)}" for limit, names in limits.items())
    return [
        f"memory limit: {profile.name} allows {size(said)}, and of a board's own memory {100 * RAM_SHARE_RATIO:g} %"
        f" where that is less: {each}; the peak here is held against the least"
    ]


def row_titles(rows: Sequence[Row]) -> str:
    """`latency p95; latency bound on A, B`: every quantity once."""
    boards: dict[str, list[str]] = {}
    for row in rows:
        boards.setdefault(row.quantity, []).extend([row.board] if row.board else [])
    return "; ".join(f"{name} on {', '.join(on)}" if on else name for name, on in boards.items())
