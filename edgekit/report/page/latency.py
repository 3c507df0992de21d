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
    disturbance_notes,
    input_notes,
    latency_line,
    machine_text,
    spread_line,
    sustained_text,
    sweep_text,
)
from edgekit.report.page.axes import Axis, linear, logarithm, within
from edgekit.report.page.document import Section
from edgekit.report.page.drawing import WIDTH, Panel, block, dot, drawing, line, words
from edgekit.report.page.markup import Content, Html, tag
from edgekit.report.page.parts import as_table, capital, figure, grid, notes, table, verbatim
from edgekit.report.tables import count, known, milliseconds

#: Bars of a distribution, and the part of all runs that its axis reaches to; the rest is counted.
BARS, SHOWN_PERCENT = 44, 99.0
#: Longest by shortest run from which on the axis is logarithmic.
WIDE = 4.0
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
    lines += input_notes(measured.inputs) + disturbance_notes(measured)
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
            as_table("Percentiles as a table", _processes(result, summary), on_paper=True),
            notes(capital(text.removeprefix("note: ")) for text in lines),
            [verbatim(text) for text in more],
        ],
        lead=capital(latency_line(result)) + ", " + machine_text(measured.machine, result.threads) + ".",
    )


def distribution(
    samples_ns: Sequence[int], summary: LatencySummary, title: str, how: str, axis: Axis | None = None
) -> Html:
    """Runs by how long they took. axis: of milliseconds; by default one of their own."""
    ms = np.asarray(samples_ns, dtype=np.float64) / 1e6
    across = axis or time_axis([samples_ns])
    spaced = np.geomspace if across.logarithmic else np.linspace
    edges = spaced(across.low, across.high, BARS + 1)
    counts, _ = np.histogram(ms, edges)
    runs = linear(0, float(counts.max()), "runs", 4, lambda value: f"{value:,.0f}")
    panel = Panel(across, runs, left=62.0, top=48.0)
    label = f"{title}: {count(len(ms))} runs, {_in_words(summary)}"
    drawn = panel.draw(label, _bars(panel, counts, edges), _marks(panel, summary))
    beyond = int((ms > across.high).sum())
    longest = (
        f" {count(beyond)} longer ones, up to {milliseconds(summary.max_s)}, lie beyond the axis." if beyond else ""
    )
    return figure(drawn, f"{count(len(ms))} runs after the warm-up.{longest}", how, title)


def time_axis(files: Sequence[Sequence[int]]) -> Axis:
    """An axis for the runs of all files, in ns: to a little beyond their 99th percentiles; or logarithmic and to the
    longest run, where they reach so far from the shortest that a linear one would hide most of them."""
    every = [np.asarray(samples, dtype=np.float64) / 1e6 for samples in files]
    low, longest = min(float(ms.min()) for ms in every), max(float(ms.max()) for ms in every)
    high = max(percentile(ms, SHOWN_PERCENT) for ms in every)
    if high > WIDE * low > 0:
        return logarithm([0.97 * low, longest], "time of one run, ms, logarithmic", 6, room=1.0)
    end = min(high + 0.08 * (high - low), longest)
    return within(low, end if end > low else low * 1.01 + 1e-6, "time of one run, ms", 5)


def _bars(panel: Panel, counts: NDArray[np.int64], edges: NDArray[np.float64]) -> Iterable[Html]:
    base = panel.up(0)
    for runs, low, high in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if runs:
            left, top = panel.at(low, runs)
            hint = f"{low:.4g} to {high:.4g} ms: {count(runs)} runs"
            yield block(left + 0.4, top, panel.across(high) - left - 0.8, base - top, "mark", hint)


def _marks(panel: Panel, summary: LatencySummary) -> Iterable[Html]:
    """Lines at the percentiles, their words on steps above each other."""
    shown = [(name, getattr(summary, field)) for name, field in _SHARES]
    for step, (name, value) in enumerate(
        (name, value) for name, value in shown if value is not None and 1e3 * value <= panel.x.high
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


SUMMARY_HEADERS = ("which", "runs", "least", "p50", "p90", "p95", "p99", "longest")


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
    axis = logarithm(values, "time of one prediction, ms, logarithmic", 6)
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
    caption = "Left end: it can't be faster there. Right end: it takes no longer at the lowest clock."
    shown = drawing(
        WIDTH, height, f"Latency on boards. {told}. Limit {milliseconds(limit)}.", *panel.columns(), fence, marks
    )
    return figure(shown, caption, drawn[0].evidence, f"One prediction on each board, {drawn[0].quantity}")


def _bound(row: Row) -> str:
    low = f"{milliseconds(row.floor).removesuffix(' ms')} to " if row.floor else ""
    return f"{low}{milliseconds(row.measured or math.nan)}"


def _board(panel: Panel, row: Row, y: float) -> Iterable[Html]:
    high = panel.across(1e3 * (row.measured or 0))
    low = panel.across(1e3 * row.floor) if row.floor else high
    bound = tag("tspan", f"  {_bound(row)}", class_="beside")
    yield tag("text", row.board, bound, x=panel.left, y=y + 6, class_="row-label")
    yield block(low, y + 14, max(high - low, 3), 9, "mark", f"{row.board}: {_bound(row)}")
    yield dot(high, y + 18.5, 5.5, "mark-strong")
