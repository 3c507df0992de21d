"""How long a prediction takes: every run as a distribution, process by process, and what boards are bound by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.bench import BenchResult, Row
from edgekit.measure import LatencySummary, percentile, summarise
from edgekit.report.bench import (
    cold_start_line,
    cpu_line,
    latency_line,
    machine_text,
    spread_line,
    sustained_text,
    sweep_text,
)
from edgekit.report.page.axes import linear, logarithm, within
from edgekit.report.page.document import Section
from edgekit.report.page.drawing import WIDTH, Panel, block, dot, drawing, line, words
from edgekit.report.page.markup import Content, Html, tag
from edgekit.report.page.parts import as_table, capital, figure, grid, notes, table
from edgekit.report.tables import count, known, milliseconds

#: Bars of a distribution, and the part of all runs that its axis reaches to; the rest is counted.
BARS, SHOWN_PERCENT = 44, 99.0
_SHARES = (("p50", "p50_s"), ("p95", "p95_s"), ("p99", "p99_s"))


def latency_section(result: BenchResult, evidence: str) -> Section | None:
    """None where no run was measured."""
    measured = result.measurement
    summary = measured.summary
    if summary is None:
        return None
    drawings: list[Content] = [
        distribution(measured.samples_ns, summary, "Every run", evidence),
        boards_figure([row for row in result.rows if row.constraint == "max_latency_ms" and row.board]),
    ]
    lines = [*spread_line(result), *cpu_line(result), cold_start_line(measured.cold_start)]
    more = [
        text
        for text in (
            measured.sustained and sustained_text(measured.sustained),
            measured.sweep and sweep_text(measured.sweep),
        )
        if text
    ]
    return Section(
        "latency",
        "Latency",
        [
            grid(*drawings),
            as_table("Percentiles as a table", _processes(result, summary)),
            notes(map(capital, lines)),
            [tag("pre", text, tabindex="0") for text in more],
        ],
        lead=capital(latency_line(result)) + ", " + machine_text(measured.machine, result.threads) + ".",
    )


def distribution(
    samples_ns: Sequence[int], summary: LatencySummary, title: str, how: str, end_s: float | None = None
) -> Html:
    """Runs by how long they took. end_s: where the axis ends; by default near the 99th percentile."""
    ms = np.asarray(samples_ns, dtype=np.float64) / 1e6
    end = 1e3 * end_s if end_s else axis_end(ms)
    counts, edges = np.histogram(ms[ms <= end], BARS, (float(ms.min()), end))
    beyond = int((ms > end).sum())
    panel = Panel(
        within(float(edges[0]), float(edges[-1]), "time of one run, ms", 5),
        linear(0, float(counts.max()), "runs", 4),
        top=44.0,
    )
    label = f"{title}: {count(len(ms))} runs, {_in_words(summary)}"
    drawn = panel.draw(label, _bars(panel, counts, edges), _marks(panel, summary, end))
    longest = (
        f"{count(beyond)} longer runs, up to {milliseconds(summary.max_s)}, lie beyond the axis. " if beyond else ""
    )
    about = f"{count(len(ms))} runs after the warm-up. {longest}"
    return figure(drawn, about, how, title)


def axis_end(ms: NDArray[np.float64]) -> float:
    """Where a distribution's axis ends: at the 99th percentile and a little more, at most at the longest run."""
    low, high = float(ms.min()), percentile(ms, SHOWN_PERCENT)
    return min(high + 0.08 * (high - low), float(ms.max())) if high > low else float(ms.max()) + 1e-6


def _bars(panel: Panel, counts: NDArray[np.int64], edges: NDArray[np.float64]) -> Iterable[Html]:
    base = panel.up(0)
    for runs, low, high in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if runs:
            left, top = panel.at(low, runs)
            hint = f"{low:.4g} to {high:.4g} ms: {count(runs)} runs"
            yield block(left + 0.4, top, panel.across(high) - left - 0.8, base - top, "mark", hint)


def _marks(panel: Panel, summary: LatencySummary, end_ms: float) -> Iterable[Html]:
    """Lines at the percentiles, their words on steps above each other."""
    shown = [(name, getattr(summary, field)) for name, field in _SHARES]
    for step, (name, value) in enumerate(
        (name, value) for name, value in shown if value is not None and 1e3 * value <= end_ms
    ):
        x, y = panel.across(1e3 * value), 11.0 + 13 * step
        yield line((x, y + 3), (x, panel.up(0)), f"percentile {name}")
        late = x > WIDTH - 110
        yield words(
            f"{name} {milliseconds(value)}", x - 4 if late else x + 4, y + 3, "mark-label", "end" if late else None
        )


def _in_words(summary: LatencySummary) -> str:
    known_ones = [(name, getattr(summary, field)) for name, field in _SHARES]
    return (
        ", ".join(f"{name} {milliseconds(value)}" for name, value in known_ones if value is not None)
        or "too few for percentiles"
    )


def _processes(result: BenchResult, summary: LatencySummary) -> Html:
    each = [
        (f"process {k}", summarise(one.samples_ns))
        for k, one in enumerate(result.measurement.latency, 1)
        if one.samples_ns
    ]
    rows = [summary_cells(name, found) for name, found in [*each, ("all", summary)]]
    return table(SUMMARY_HEADERS, rows, "Latency on this machine by process")


SUMMARY_HEADERS = ("", "runs", "least", "p50", "p90", "p95", "p99", "longest")


def summary_cells(name: str, found: LatencySummary) -> list[str]:
    """A row under SUMMARY_HEADERS; a dash where the runs are too few for a percentile."""
    percentiles = (known(value, milliseconds) for value in (found.p50_s, found.p90_s, found.p95_s, found.p99_s))
    return [name, count(found.samples), milliseconds(found.min_s), *percentiles, milliseconds(found.max_s)]


def boards_figure(rows: Sequence[Row]) -> Html | None:
    """Each board's floor and bound, or what was measured there, against the limit; None without any figure."""
    drawn = [row for row in rows if row.measured]
    if not drawn:
        return None
    values = [1e3 * value for row in drawn for value in (row.measured, row.floor, row.limit) if value]
    axis = logarithm(values, "ms, each step a factor", 6)
    height = 46.0 * len(drawn) + 62
    panel = Panel(axis, linear(0, 1, "", 1, lambda _: ""), height=height, left=14, top=20)
    told = "; ".join(f"{row.board}: {_bound(row)}" for row in drawn)
    limit = drawn[0].limit
    marks = [_board(panel, row, 24 + 46.0 * k) for k, row in enumerate(drawn)]
    x = panel.across(1e3 * limit)
    fence = [
        line((x, 16), (x, height - panel.bottom), "limit-line"),
        words(f"limit {milliseconds(limit)}", x - 5, 13, "limit-label", "end"),
    ]
    caption = "Left end: no board can be faster. Right end: at its lowest clock it takes no longer."
    shown = drawing(
        WIDTH, height, f"Latency on boards. {told}. Limit {milliseconds(limit)}.", *panel.columns(), fence, marks
    )
    return figure(shown, caption, drawn[0].evidence, f"One prediction on each board, {drawn[0].quantity}")


def _bound(row: Row) -> str:
    low = f"{milliseconds(row.floor)} to " if row.floor else ""
    return f"{low}{milliseconds(row.measured or math.nan)}"


def _board(panel: Panel, row: Row, y: float) -> Iterable[Html]:
    high = panel.across(1e3 * (row.measured or 0))
    low = panel.across(1e3 * row.floor) if row.floor else high
    yield words(row.board or "", panel.left, y + 6, "row-label")
    yield block(low, y + 14, max(high - low, 3), 9, "mark", f"{row.board}: {_bound(row)}")
    yield dot(high, y + 18.5, 5.5, "mark-strong")
    yield words(_bound(row), WIDTH - panel.right, y + 6, "mark-label", "end")
