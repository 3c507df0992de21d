"""What a search found: its front, the file it would take and why, and what was never trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgekit.bench import BenchResult
from edgekit.bench.result import Row
from edgekit.report.bench import machine_text
from edgekit.report.chain import SYNTHETIC, length_lines
from edgekit.report.rows import bench_cells
from edgekit.report.tables import known, milliseconds, percent, size, table
from edgekit.report.tuning import duration
from edgekit.results.searching import RULED, FrontRow, RuledOut, SearchResult, StudentTrial

#: What each reason is called, by its kind.
_KINDS = {
    "size": "too large",
    "latency": "too slow",
    "memory": "take too much memory",
    "impossible": "not possible",
}
_SEVERITY = ("pass", "undecided", "fail")


def student_line(trial: StudentTrial, number: int, size_: int, best: float) -> str:
    """One student that is over, while the search runs."""
    ended = {
        "finished": f"{known(trial.accuracy, percent)} as its best file",
        "pruned": f"given up at look {len(trial.accuracies)} ({known(_last(trial), percent)})",
        "failed": f"failed: {trial.error}",
    }[trial.state]
    so_far = f"; best {percent(best)}" if best else ""
    return f"{number}/{size_}  {trial.point.describe()}: {ended} in {duration(trial.elapsed_s)}{so_far}"


def _last(trial: StudentTrial) -> float | None:
    return trial.accuracies[-1] if trial.accuracies else None


def ruled_out_text(out: Sequence[RuledOut], files: int) -> str:
    """How many of so many files would not fit, why, and which came closest."""
    kinds = Counter(one.kind for one in out)
    parts = [f"{kinds[kind]} {_KINDS[kind]}" for kind in RULED if kinds[kind]]
    measured = [one for one in out if one.excess is not None]
    closest = min(measured, key=lambda one: one.excess or 0.0, default=out[0])
    return f"{len(out)} of {files} files ({', '.join(parts)}); closest: {closest.describe()}"


def weakest_text(bench: BenchResult) -> str:
    """The row of a bench that is furthest beyond its limit, or closest to it."""

    def badness(row: Row) -> tuple[int, float]:
        return _SEVERITY.index(row.verdict), -(row.margin_ratio if row.margin_ratio is not None else 0.0)

    row = max((row for row in bench.rows if bench.counts(row)), key=badness, default=None)
    if row is None:
        return "the profile sets no limit"
    title, measured, limit, *_ = bench_cells(row)
    return f"{title} {measured}, allowed {limit}: {row.verdict}"


def choice_text(chosen: FrontRow, best: FrontRow, error: float) -> str:
    """Why this row."""
    if chosen is best:
        return "the most accurate that fits, and no smaller one comes within a standard error of it"
    return (
        f"the smallest that fits and comes within a standard error ({100 * error:.1f} points on"
        f" {chosen.model.int8.takes} takes) of the most accurate, row {best.number} with {percent(best.model.accuracy)}"
    )


def search_text(result: SearchResult) -> str:
    """The table, what to make of it, and what to type next."""
    parts = [_table(result), *search_notes(result)] if result.front else search_notes(result)
    return "\n".join([*parts, *_choice(result)])


def _table(result: SearchResult) -> str:
    headers = ["row", "student", "sparsity", "scheme", "accuracy", "95 %", "file", "p50 here", "memory"]
    rows = [_row(row, result.chosen) for row in result.front]
    return table([*headers, "verdict"], rows, left=2)


def _row(row: FrontRow, chosen: int | None) -> list[str]:
    model, (low, high) = row.model, row.model.interval
    return [
        f"{row.number}{' *' if row.number == chosen else ''}",
        model.point.describe(),
        f"{model.recipe.sparsity:g}",
        model.recipe.scheme.removeprefix("int8-"),
        percent(model.accuracy),
        f"{100 * low:.0f} to {100 * high:.0f}",
        size(model.size_bytes),
        milliseconds(row.latency_p50_s),
        known(row.peak_rss_bytes, size),
        row.verdict,
    ]


def search_notes(result: SearchResult) -> list[str]:
    """What to make of the table, a sentence each."""
    tried = len(result.trials)
    lines = [
        f"{tried} of {result.size} students: {result.count('finished')} taught to the end,"
        f" {result.count('pruned')} given up, {result.count('failed')} failed;"
        f" {len(result.models)} files{_below(result)}"
    ]
    if result.ruled_out:
        lines.append(f"not trained: {ruled_out_text(result.ruled_out, result.files)}")
    lines.append(
        f"accuracy: of the quantised file on validation takes, after {result.epochs} epochs and"
        f" {result.recovery_epochs} of recovery; the best of many on the same takes is flattered, and the test takes"
        " were not read"
    )
    if result.front and result.machine is not None:
        lines.append(f"p50 and memory: {machine_text(result.machine, 1)}; all files in turns; not a device's figures")
    lines += [f"sequences: {text}" for text in length_lines(result.data)]
    return [*lines, f"Note: {SYNTHETIC}"] if result.data.synthetic else lines


def _below(result: SearchResult) -> str:
    """How many files are less accurate than was asked for; empty where nothing was asked for."""
    floor = result.min_accuracy
    if floor is None:
        return ""
    return f", {sum(model.accuracy < floor for model in result.models)} of them below {percent(floor)}"


def _choice(result: SearchResult) -> list[str]:
    if result.chosen is None:
        return ["It would take none"]
    row = result.front[result.chosen - 1]
    lines = [
        f"It would take row {row.number}: {result.reason}",
        f"closest to a limit of {result.profile}: {row.weakest}",
        "To make it the work directory's student, with its own, longer schedule, and see it on test takes, once:",
        *(f"  {command}" for command in result.commands),
    ]
    return lines + ([] if result.picture is None else [f"picture: {result.picture}"])
