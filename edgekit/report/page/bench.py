"""The page of `bench`: the verdict and its figures; accuracy where labelled takes were given."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.bench import Accuracy, BenchResult
from edgekit.report.accuracy import accuracy_lines, takes_text
from edgekit.report.baseline import baseline_lines
from edgekit.report.bench import library_line, step_line
from edgekit.report.chain import SYNTHETIC
from edgekit.report.page.classes import classes_section
from edgekit.report.page.document import Missing, Section, document
from edgekit.report.page.latency import latency_section
from edgekit.report.page.machine import machine_section
from edgekit.report.page.markup import Content, Html, join
from edgekit.report.page.memory import memory_section
from edgekit.report.page.parts import callout, capital, notes, tiles
from edgekit.report.page.sizes import SizedFile, sizes_table
from edgekit.report.page.takes import takes_section
from edgekit.report.page.verdict import accuracy_tile, bench_headline, bench_tiles, limits_section
from edgekit.report.tables import count, size


def bench_page(result: BenchResult) -> str:
    """The whole page; the same facts as the Markdown report, and pictures."""
    sections = [*measured_sections(result), *_accuracy(result), _machine(result)]
    title = f"edgekit bench: {result.info.path.name}, {result.verdict} on {result.profile.name}"
    return document(title, _head(result), sections, _missing(result))


def _head(result: BenchResult) -> Html:
    accuracy = result.accuracy
    synthetic = callout(f"{SYNTHETIC}.", "warning") if accuracy is not None and accuracy.synthetic else None
    about = [callout(capital(line)) for line in (*library_line(result), *step_line(result))]
    shown = [*([] if accuracy is None else [accuracy_tile(accuracy)]), *bench_tiles(result)]
    return join(bench_headline("bench", result), synthetic, about, tiles(*shown))


def bench_evidence(result: BenchResult) -> str:
    """How figures of the machine that measured are to be called."""
    here = {row.evidence for row in result.rows if row.board is None and row.constraint != "max_model_mb"}
    return "measured on device" if "measured on device" in here else "measured on this host"


def measured_sections(result: BenchResult) -> list[Section]:
    """Limits first, then size, latency and memory; of what was not measured `measured_missing` tells."""
    evidence = bench_evidence(result)
    sections = [
        limits_section(result),
        _size(result),
        latency_section(result, evidence),
        memory_section(result, evidence),
    ]
    return [section for section in sections if section is not None]


def _size(result: BenchResult) -> Section | None:
    """What in the file is weights is known only of the files that it was made with; a library is shown beside it."""
    if result.library is None:
        return None
    files = [
        SizedFile(result.info.path.name, result.info.size_bytes),
        SizedFile("compiled library", result.library.size_bytes),
    ]
    return Section("size", "Size", sizes_table(files, "The file, and what was measured in its place"))


def _accuracy(result: BenchResult) -> Iterable[Section]:
    accuracy = result.accuracy
    if accuracy is None:
        return ()
    lines: list[Content] = [capital(line.removeprefix("note: ")) for line in accuracy_lines(accuracy)]
    held = [capital(line.removeprefix("note: ")) for line in baseline_lines(result.baseline)]
    if accuracy.metrics is None:
        return (Section("classes", "Accuracy", notes([*lines, *held])),)
    where = takes_text(accuracy)
    sections = [classes_section(accuracy.metrics, where, [*lines[1:], *held]), _takes(accuracy, where)]
    return [section for section in sections if section is not None]


def _takes(accuracy: Accuracy, where: str) -> Section | None:
    return None if accuracy.misread is None else takes_section(accuracy.misread, where)


def _machine(result: BenchResult) -> Section:
    config = result.config
    more: list[tuple[str, Content]] = [
        ("threads used", str(result.threads)),
        ("processes", f"{len(result.measurement.latency)} for latency, {len(result.measurement.memory)} for memory"),
        ("time limit", f"{config.time_limit_s:g} s"),
        ("model", f"{result.info.path}, {size(result.info.size_bytes)}"),
    ]
    return machine_section(result.measurement.machine, bench_evidence(result), more)


def measured_missing(result: BenchResult) -> list[Missing]:
    """What could not be measured, and why."""
    found: list[Missing] = []
    measured = result.measurement
    if measured.summary is None:
        found.append(Missing("Latency", measured.memory_reason if measured.stopped else "no run was measured"))
    if all(stage.rss_bytes is None for stage in measured.largest.stages):
        found.append(Missing("Memory by stage", measured.memory_reason))
    return found


def _missing(result: BenchResult) -> list[Missing]:
    """That, and what was not asked for, or is not left."""
    found, accuracy = measured_missing(result), result.accuracy
    if accuracy is None:
        reason = "no labelled takes were read: --data gives some, and --part and --parent say more of them"
        found.append(Missing("Accuracy", reason))
    elif accuracy.metrics is None:
        reason = "only the sum is left in the work directory; where its data is, bench shows it"
        found.append(Missing("Accuracy by class", reason))
    elif accuracy.misread is not None and not accuracy.misread.wrong:
        found.append(Missing("Takes that were read wrong", f"all {count(accuracy.misread.takes)} were read right"))
    return found
