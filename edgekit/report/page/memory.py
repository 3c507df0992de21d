"""Memory as a process grows: what Python and the imports take, what the model adds, and the peak."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgekit.bench import BenchResult, Measurement
from edgekit.report.bench import memory_line
from edgekit.report.page.axes import linear
from edgekit.report.page.document import Section
from edgekit.report.page.drawing import WIDTH, Panel, block, drawing, line, words
from edgekit.report.page.markup import Html
from edgekit.report.page.parts import capital, figure, grid, notes, table
from edgekit.report.tables import size

_NAMES = {
    "interpreter": "Python itself",
    "imports": "numpy and ONNX Runtime",
    "session": "opening the model",
    "first run": "first run",
    "run": "later runs",
    "stopped": "when it was stopped",
}
_LINE = 34.0


@dataclass(frozen=True)
class Step:
    """One stage: resident memory before and behind it, in bytes."""

    name: str
    before: int
    after: int


def steps_of(measured: Measurement) -> list[Step]:
    """Each stage of the largest process, and what its peak had beyond the last: memory that was given back."""
    found: list[Step] = []
    before = 0
    for stage in measured.largest.stages:
        if stage.rss_bytes is not None:
            found.append(Step(_NAMES.get(stage.stage, stage.stage), before, stage.rss_bytes))
            before = stage.rss_bytes
    peak = measured.peak_rss_bytes
    if found and peak is not None and peak > before:
        found.append(Step("in passing, given back", before, peak))
    return found


def memory_section(result: BenchResult, evidence: str) -> Section | None:
    """None where the system tells nothing of memory."""
    measured = result.measurement
    steps = steps_of(measured)
    if not steps:
        return None
    peak = measured.peak_rss_bytes
    lead = capital(memory_line(measured)) if peak is None else _lead(measured, peak)
    own = (
        []
        if measured.own_bytes is None
        else [f"The model's own share of that peak, beyond Python and its imports: {size(measured.own_bytes)}."]
    )
    return Section(
        "memory",
        "Memory by stage",
        [
            grid(
                figure(_drawn(steps), "Of the largest process, when it had come so far.", evidence, "Resident memory"),
                [_table(steps), notes(own)],
            ),
        ],
        lead=lead,
    )


def _lead(measured: Measurement, peak: int) -> str:
    processes = len(measured.memory)
    largest = f", the largest of {processes} processes" if processes > 1 else ""
    return f"The peak of a process with Python, ONNX Runtime and the model is {size(peak)}{largest}."


def _drawn(steps: Sequence[Step]) -> Html:
    axis = linear(0, max(step.after for step in steps) / 1e6, "resident memory, MB", 6)
    height = _LINE * len(steps) + 58
    panel = Panel(axis, linear(0, 1, "", 1, lambda _: ""), height=height, left=14)
    told = "; ".join(f"{step.name} {_added(step)}, {size(step.after)} in all" for step in steps)
    rows = [_row(panel, step, 6 + _LINE * k) for k, step in enumerate(steps)]
    return drawing(WIDTH, height, f"Memory by stage. {told}.", panel.columns(), rows)


def _row(panel: Panel, step: Step, y: float) -> Iterable[Html]:
    start, end = (panel.across(value / 1e6) for value in (step.before, step.after))
    yield words(step.name, panel.left, y + 11, "row-label")
    yield words(_added(step), WIDTH - panel.right, y + 11, "mark-label", "end")
    yield line((panel.left, y + 20), (start, y + 20), "lead-line")
    yield block(min(start, end), y + 15, max(abs(end - start), 1.5), 10, "mark", f"{step.name}: {_added(step)}")


def _added(step: Step) -> str:
    """`+35.1 MB`, `-0.2 MB`."""
    return f"{(step.after - step.before) / 1e6:+.1f} MB"


def _table(steps: Sequence[Step]) -> Html:
    rows = [[step.name, _added(step), size(step.after)] for step in steps]
    return table(("stage", "added", "resident in all"), rows, "Resident memory by stage")
