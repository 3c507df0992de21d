"""A bench result as text for people. JSON comes from `BenchResult.to_dict`."""

from __future__ import annotations

import math
from collections.abc import Iterable

from edgekit.bench import BenchResult, Measurement
from edgekit.bench.result import ColdStart
from edgekit.bench.sustained import Sustained
from edgekit.bench.sweep import Sweep
from edgekit.measure import Disturbance, FedInput, LatencySummary, Machine, MemoryStage
from edgekit.report.accuracy import accuracy_lines
from edgekit.report.baseline import baseline_lines
from edgekit.report.emulation import emulation_text
from edgekit.report.rows import BENCH_HEADERS, bench_cells, bench_notes, margin_text, memory_limit_notes, row_titles
from edgekit.report.tables import count, known, milliseconds, size, table

_STAGES = {"interpreter": "Python", "run": "later runs"}
SWEEP_HEADERS = ("threads", "batch", "p50", "p95", "takes per second")
WINDOW_HEADERS = ("window", "runs", "p50", "p95", "longest", "clock", "temperature")
_SOURCES = {
    "takes": "the given takes",
    "random": "random input",
    "value": "the given value",
    "ones": "whole numbers filled in as ones",
}
_VERDICTS = {
    "pass": "fits {profile}: {judged}",
    "fail": "does not fit {profile}: {reasons}",
    "undecided": "can't be decided for {profile}: {reasons}",
}
_JUDGED = {
    "max_model_mb": "size",
    "max_latency_ms": "latency",
    "max_ram_mb": "memory",
    "max_accuracy_drop": "accuracy lost",
    "max_regression": "the change since the baseline",
    "answers": "the emulated answers",
    "max_instructions": "the instructions",
}


def bench_text(result: BenchResult) -> str:
    """The whole report: file, machine, latency, cold start, memory, one table row a constraint, notes, the verdict.

    Plain text without colours; the last line is the verdict. A margin is a share of its limit.
    """
    return f"{bench_body(result)}\n{verdict_line(result)}"


def bench_body(result: BenchResult) -> str:
    """All of that but the verdict."""
    parts = [
        f"{result.info.path}: {size(result.info.size_bytes)}, SHA-256 {result.info.sha256[:12]}",
        *library_line(result),
        *step_line(result),
        machine_text(result.measurement.machine, result.threads),
        latency_line(result),
        *spread_line(result),
        *cpu_line(result),
        cold_start_line(result.measurement.cold_start),
        memory_line(result.measurement),
        *([] if result.measurement.sustained is None else [sustained_text(result.measurement.sustained)]),
        *([] if result.emulation is None else [emulation_text(result.emulation)]),
        *accuracy_lines(result.accuracy),
        *baseline_lines(result.baseline),
        *([] if result.measurement.sweep is None else [sweep_text(result.measurement.sweep)]),
        table(BENCH_HEADERS, (bench_cells(row) for row in result.rows)),
        *memory_limit_notes(result),
        *bench_notes(result.rows),
        *input_notes(result.measurement.inputs),
        *disturbance_notes(result.measurement),
    ]
    worst = result.worst_board
    if worst is not None:
        margin = "no figure" if worst.measured is None else f"margin {margin_text(worst)}"
        parts.append(f"worst board: {worst.board} ({worst.quantity}, {margin})")
    return "\n".join(parts)


def library_line(result: BenchResult) -> list[str]:
    """What was measured in the place of the file."""
    library = result.library
    if library is None:
        return []
    return [f"compiled, and run without ONNX Runtime: {size(library.size_bytes)}, SHA-256 {library.sha256[:12]}"]


def step_line(result: BenchResult) -> list[str]:
    """That a run of a step model is one frame."""
    return ["a step model: every run is one frame of a stream"] if result.info.steps else []


def verdict_line(result: BenchResult) -> str:
    """One sentence: whether the model fits and by what, or which constraints say no or can't say."""
    rows = [row for row in result.rows if row.verdict == result.verdict and result.counts(row)]
    name = result.profile.name
    return _VERDICTS[result.verdict].format(profile=name, reasons=row_titles(rows), judged=judged_text(result))


def judged_text(result: BenchResult) -> str:
    """What a pass rests on, and that accuracy is no part of it where nobody set it a limit."""
    *names, last = dict.fromkeys(_JUDGED[row.constraint] for row in result.rows) or [""]
    if not last:
        return "it sets no limit"
    held = f"{', '.join(names)} and {last} are" if names else f"{last} is"
    accuracy = any("accuracy" in row.quantity for row in result.rows)
    return f"{held} within its limits" + ("" if accuracy else "; accuracy was not judged")


def machine_text(machine: Machine, threads: int) -> str:
    """One line: what measured, how busy it was, and with which software."""
    parts = [
        f"on {machine.device_tree_model or machine.cpu_model}",
        f"{machine.cores} cores",
        f"{threads} thread{'' if threads == 1 else 's'} used",
        f"Python {machine.python}, numpy {machine.numpy}"
        + (f", onnxruntime {machine.onnxruntime}" if machine.onnxruntime else ""),
    ]
    if machine.load_1min is not None:
        parts.insert(2, f"load {machine.load_1min:.2f}")
    return ", ".join(parts)


def latency_line(result: BenchResult) -> str:
    """Percentiles, how many samples they come from, and on what input."""
    measured = result.measurement
    summary = measured.summary
    if summary is None:
        return "latency here: not measured"
    few = ", ".join(name for name, value in _percentiles(summary) if value is None)
    processes = f"{len(measured.latency)} process{'' if len(measured.latency) == 1 else 'es'}"
    given = input_text(measured.latency[0].inputs)
    return (
        f"latency here: {_shown(summary) or 'no percentile'} from {count(summary.samples)} samples in {processes} on"
        f" {given}{f'; too few samples for {few}' if few else ''}"
    )


def spread_line(result: BenchResult) -> list[str]:
    """The constrained percentile of each process, whose spread is luck with memory, and what it lies between."""
    percent_name = f"p{result.profile.latency_percentile:g}"
    intervals = result.measurement.intervals(result.profile.latency_percentile)
    if not intervals:
        return []
    each = ", ".join(milliseconds(found.value) if math.isfinite(found.high) else "?" for found in intervals)
    ends = min(found.low for found in intervals), max(found.high for found in intervals)
    low, high = (milliseconds(end) if math.isfinite(end) else "?" for end in ends)
    return [f"{percent_name} by process: {each}; within {low} to {high} (99 %)"]


def cpu_line(result: BenchResult) -> list[str]:
    """Percentiles of the thread's CPU time, where it was measured."""
    summary = result.measurement.cpu_summary
    return [] if summary is None or not _shown(summary) else [f"CPU time of it: {_shown(summary)} (calling thread)"]


def _percentiles(summary: LatencySummary) -> list[tuple[str, float | None]]:
    return [("p50", summary.p50_s), ("p90", summary.p90_s), ("p95", summary.p95_s), ("p99", summary.p99_s)]


def _shown(summary: LatencySummary) -> str:
    return ", ".join(f"{name} {milliseconds(value)}" for name, value in _percentiles(summary) if value is not None)


def cold_start_line(cold: ColdStart) -> str:
    """Seconds from nothing to the first answer, step by step."""
    parts = [("imports", cold.import_s), ("session", cold.session_s), ("first run", cold.first_run_s)]
    return "cold start: " + ", ".join(f"{name} {known(value, milliseconds)}" for name, value in parts)


def memory_line(measured: Measurement) -> str:
    """The peak, what it was made of, and what of it is the model's own."""
    if measured.peak_rss_bytes is None:
        return f"memory here: {measured.memory_reason}"
    stages = measured.largest.stages
    grown, before = [], 0
    for stage in stages:
        rss = stage.rss_bytes or 0
        grown.append(f"{_STAGES.get(stage.stage, stage.stage)} {(rss - before) / 1e6:.1f}")
        before = rss
    grown.append(f"passing {(measured.peak_rss_bytes - before) / 1e6:.1f}")
    own = known(measured.own_bytes, size)
    last = stages[-1] if stages else MemoryStage("")
    shared = f"PSS {known(last.pss_bytes, size)}, USS {known(last.uss_bytes, size)}"
    return f"memory here: peak {size(measured.peak_rss_bytes)} = {' + '.join(grown)}; the model's own {own}; {shared}"


def sustained_text(sustained: Sustained) -> str:
    """What a long or paced run showed, a table row a window."""
    pace = "back to back" if sustained.rate_hz is None else f"at {sustained.rate_hz:g} takes per second"
    missed = ""
    if sustained.rate_hz is not None and sustained.response is not None:
        missed = f"; {sustained.result.missed} of {sustained.result.due} missed their deadline, due to done"
        missed += f" {_shown(sustained.response) or 'at most ' + milliseconds(sustained.response.max_s)}"
    change = sustained.change_ratio
    drift = "" if change is None else f"; median of the last window {100 * change:+.1f} % on the first"
    head = f"sustained {sustained.duration_s:g} s {pace}{missed}{drift} (information, no part of the verdict)"
    rows = [
        (
            str(number),
            count(window.runs),
            *_latency_cells(window.latency),
            known(window.frequency_hz, lambda hz: f"{hz / 1e6:.0f} MHz"),
            known(window.temperature_c, lambda degrees: f"{degrees:.1f} C"),
        )
        for number, window in enumerate(sustained.windows, 1)
    ]
    return f"{head}\n{table(WINDOW_HEADERS, rows)}".rstrip()


def _latency_cells(summary: LatencySummary | None) -> list[str]:
    if summary is None:
        return ["-", "-", "-"]
    return [known(value, milliseconds) for value in (summary.p50_s, summary.p95_s, summary.max_s)]


def sweep_text(sweep: Sweep) -> str:
    """A table row a point; why there is one batch only, and why a point has no figure."""
    rows = [
        (
            str(point.threads),
            str(point.batch),
            *_latency_cells(point.latency)[:2],
            known(point.takes_per_s, lambda rate: count(round(rate))),
        )
        for point in sweep.points
    ]
    head = "sweep on random input, one process each (information, no part of the verdict)"
    lines = [head, table(SWEEP_HEADERS, rows).rstrip()]
    lines += [f"note: batch 1 only: {sweep.batch_reason}"] if sweep.batch_reason else []
    failed = [point for point in sweep.points if point.reason]
    lines += [f"note: threads {point.threads}, batch {point.batch}: {point.reason}" for point in failed]
    return "\n".join(lines)


def disturbance_notes(measured: Measurement) -> list[str]:
    """One line a kind of disturbance, of the process where it was worst."""
    worst: dict[tuple[str, str], Disturbance] = {}
    seen: dict[tuple[str, str], set[int]] = {}
    for found in measured.disturbances:
        key = (found.kind, found.unit)
        seen.setdefault(key, set()).add(found.process)
        worst[key] = max(worst.get(key, found), found, key=lambda each: abs(each.measured))
    return [
        f"note: {found.kind} in {len(seen[key])} of {len(measured.latency)} processes, at worst: {found.text};"
        f" {found.next_step}"
        for key, found in worst.items()
    ]


def input_text(inputs: Iterable[FedInput]) -> str:
    """What the model was run on: each source once, with its inputs' names where there are several."""
    named: dict[str, list[str]] = {}
    for item in inputs:
        named.setdefault(_SOURCES.get(item.source, item.source), []).append(item.name)
    if len(named) == 1:
        return next(iter(named))
    return ", ".join(f"{source} ({', '.join(names)})" for source, names in named.items())


#: What real numbers of an input were, by its source.
MADE_UP = {"random": "they are random", "zeros": "they are zeros", "state fed back": "they start as zeros"}


def input_notes(inputs: Iterable[FedInput]) -> list[str]:
    """What was made up although how much work a run is depends on it: data, whose numbers were random, and states."""
    return [
        f"note: how much work a run is depends on the numbers of input '{item.name}', which reaches"
        f" {item.decides}: {MADE_UP[item.source]} here, and real ones may take longer"
        for item in inputs
        if item.decides is not None
    ]
