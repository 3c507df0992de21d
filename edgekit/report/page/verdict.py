"""The verdict: the first thing on a page, the figures that stand for it, and every limit with what is used of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgekit.bench import Accuracy, BenchResult, Row
from edgekit.report.accuracy import takes_text
from edgekit.report.bench import verdict_line
from edgekit.report.page.document import Section
from edgekit.report.page.drawing import bar
from edgekit.report.page.markup import Content, Html, join, tag
from edgekit.report.page.parts import capital, evidence, notes, table, tile, verdict_mark
from edgekit.report.rows import bench_notes, limit_text, margin_text, measured_text, memory_limit_notes, row_title
from edgekit.report.tables import percent, size

_HEADERS = ("constraint", "verdict", "measured", "limit", "used of it", "margin", "evidence")


def headline(kind: str, verdict: str, sentence: str, about: Content) -> Html:
    """The one heading of a page. kind: of report. verdict: pass, fail, undecided or none. sentence: what is the case,
    up to a colon; what stands behind it is smaller."""
    first, _, rest = sentence.partition(": ")
    sign = {"pass": "\u2713", "fail": "\u2715", "undecided": "?"}.get(verdict)
    mark = None if sign is None else tag("span", sign, class_=f"stamp {verdict}", aria_hidden="true")
    return join(
        tag("p", f"edgekit {kind}", class_="kind"),
        tag("h1", mark, tag("span", capital(first))),
        tag("p", capital(rest), class_="because") if rest else None,
        tag("p", about, class_="subject"),
    )


def subject(path: Path, sha256: str) -> Html:
    """Which file it is about."""
    return join(tag("b", path.name), " ", tag("span", f"SHA-256 {sha256}", class_="digest"))


def bench_headline(kind: str, result: BenchResult) -> Html:
    """That of a bench."""
    about = subject(result.info.path, result.info.sha256)
    return headline(kind, result.verdict, verdict_line(result), about)


def bench_tiles(result: BenchResult) -> Iterable[Html]:
    """The size, and each figure of this machine that has a limit; then the board that comes closest to one."""
    rows: dict[str, Row] = {row.constraint: row for row in result.rows if row.board is None}
    limit = rows.get("max_model_mb")
    about = "no limit" if limit is None else f"limit {limit_text(limit)}"
    yield tile("File size", size(result.info.size_bytes), about, "the same on every machine")
    for row in (rows[each] for each in ("max_latency_ms", "max_ram_mb") if each in rows):
        yield tile(f"{capital(row.quantity)} here", measured_text(row), f"limit {limit_text(row)}", row.evidence)
    worst = result.worst_board
    if worst is not None:
        left = "left on" if (worst.margin_ratio or 0) > 0 else "on"
        yield tile("Tightest board", margin_text(worst), f"{left} {worst.board}, {worst.quantity}", worst.evidence)


def accuracy_tile(accuracy: Accuracy) -> Html:
    """What the takes said, and which they were."""
    low, high = accuracy.interval
    about = f"on {takes_text(accuracy)}, 95 % interval {100 * low:.1f} to {100 * high:.1f}"
    return tile("Accuracy", percent(accuracy.accuracy), about, "synthetic takes" if accuracy.synthetic else None)


def limits_section(result: BenchResult) -> Section:
    """Every limit of the profile, the figure beside it, and why rows did not pass."""
    rows = [_cells(row) for row in result.rows]
    shown = table(_HEADERS, rows, "Every limit, and what is used of it", also=(1, 4, 6), class_="limits")
    lines = [*memory_limit_notes(result), *bench_notes(result.rows)]
    return Section(
        "limits",
        f"Limits of {result.profile.name}",
        [shown, notes(capital(text.removeprefix("note: ")) for text in lines)] if rows else None,
        lead="Each figure beside its limit. A margin is the part of the limit that is left; a board's rows are"
        " pessimistic bounds where the board itself did not measure."
        if rows
        else "The profile sets no limit.",
    )


def _cells(row: Row) -> list[Content]:
    limit = limit_text(row)
    return [
        capital(row_title(row)),
        verdict_mark(row.verdict),
        measured_text(row),
        limit,
        _used(row, limit),
        margin_text(row),
        evidence(row.evidence),
    ]


def _used(row: Row, limit: str) -> Content:
    """A bar for what is used of the limit; nothing where a share would mean nothing."""
    if row.measured is None or not row.limit:
        return "-"
    share = max(row.measured / row.limit, 0.0)
    kind = "fill" if share <= 1 else "over" if row.verdict == "fail" else "open"
    return bar(share, f"{100 * share:.3g} % of {limit} used", kind)
