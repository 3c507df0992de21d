"""The page of `run`: the verdict, every model on the test takes, how they learned, and what the file got wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgekit.errors import EdgekitError
from edgekit.evaluate import Evaluation
from edgekit.report.accuracy import accuracy_lines
from edgekit.report.chain import (
    SYNTHETIC,
    accuracy_line,
    data_text,
    scores_notes,
    scores_table,
    stage_findings_lines,
)
from edgekit.report.markdown import STAGE_HEADERS, stage_cells
from edgekit.report.page.bench import bench_evidence, measured_missing, measured_sections
from edgekit.report.page.classes import classes_section
from edgekit.report.page.document import Missing, Section, document
from edgekit.report.page.learning import learning_section
from edgekit.report.page.machine import environment_facts, machine_section, settings_details
from edgekit.report.page.markup import Content, Html, join, tag
from edgekit.report.page.parts import callout, capital, facts, notes, table, tile, tiles
from edgekit.report.page.sizes import SizedFile, sizes_table
from edgekit.report.page.takes import takes_section
from edgekit.report.page.verdict import bench_headline, bench_tiles, headline
from edgekit.report.quantization import CHOICE_HEADERS, choice_rows, quantization_text
from edgekit.report.tables import count, percent
from edgekit.results import ChainResult


def chain_page(result: ChainResult) -> str:
    """The whole page; the same facts as the Markdown report, and pictures."""
    measured = [] if result.bench is None else measured_sections(result.bench)
    sections = [*measured[:1], *_first(result), *measured[1:], *_models(result), *_last(result)]
    title = (
        "edgekit report"
        if result.bench is None
        else f"edgekit report: {result.bench.verdict} on {result.bench.profile.name}"
    )
    return document(title, _head(result), sections, _missing(result))


def _head(result: ChainResult) -> Html:
    bench = result.bench
    first = headline("run", "none", "no bench", result.data.source) if bench is None else bench_headline("run", bench)
    synthetic = callout(f"{SYNTHETIC}.", "warning") if result.data.synthetic else None
    return join(
        first,
        synthetic,
        _failure(result.failure),
        tiles(_accuracy(result), *([] if bench is None else bench_tiles(bench))),
    )


def _failure(failure: EdgekitError | None) -> Html | None:
    return None if failure is None else callout(["A gate did not pass: ", str(failure)], "warning")


def _accuracy(result: ChainResult) -> Html:
    verdict = result.verdict
    interval = f"{100 * verdict.accuracy_low:.1f} to {100 * verdict.accuracy_high:.1f}"
    about = f"on {count(verdict.takes)} test takes, 95 % interval {interval}"
    teacher = "" if verdict.retention is None else f"; its teacher {percent(verdict.teacher_accuracy)}"
    return tile(
        "Accuracy",
        percent(verdict.accuracy),
        about + teacher,
        "synthetic takes" if verdict.synthetic else "measured on test takes",
    )


def _first(result: ChainResult) -> Iterable[Section]:
    """Which data, and every model beside the others."""
    lines = [line.partition(": ") for line in data_text(result.data).splitlines()]
    pairs = [(name.lower(), capital(text)) for name, _, text in lines if name != "Note"]
    pairs.append(("SHA-256 of the recordings", tag("span", result.data.sha256, class_="digest")))
    headers, rows = scores_table(result.scores)
    sized = {
        (score.name, score.size_bytes): SizedFile(
            f"{score.name}, {score.form.replace('PyTorch', 'ONNX fp32')}", score.size_bytes, score.gzip_bytes
        )
        for score in result.scores
        if score.size_bytes is not None
    }
    yield Section(
        "models",
        "Models and their size",
        [
            table(headers, rows, "Every model on the same test takes", left=2),
            notes(capital(line) for line in scores_notes(result.scores, result.data)),
            sizes_table(list(sized.values()), "ONNX files, the one for the device last") if sized else None,
            tag("h3", "The data"),
            facts(pairs),
        ],
        lead=f"{capital(accuracy_line(result.verdict))}.",
    )


def _models(result: ChainResult) -> Iterable[Section]:
    with_curve = {curve.stage for curve in result.curves}
    without = [stage.name for stage in result.trained if stage.name not in with_curve]
    sections = [
        learning_section(result.curves, map(capital, stage_findings_lines(result.diagnosis)), without),
        *([] if result.evaluation is None else _evaluated(result.evaluation)),
        _quantized(result),
    ]
    return (section for section in sections if section is not None)


def _evaluated(evaluation: Evaluation) -> Iterable[Section | None]:
    part = "" if evaluation.part == "all" else f"{evaluation.part} "
    where = f"{count(evaluation.metrics.takes)} {part}takes of {Path(evaluation.data).name}"
    yield classes_section(evaluation.metrics, where, map(capital, evaluation.notes))
    if evaluation.misread is not None:
        yield takes_section(evaluation.misread, where)


def _quantized(result: ChainResult) -> Section:
    figures = result.quantized.figures
    choice = figures.choice
    trials = (
        table(CHOICE_HEADERS, choice_rows(choice), "Forms that were tried")
        if choice is not None and choice.trials
        else None
    )
    checked = [] if result.bench is None else accuracy_lines(result.bench.accuracy)
    stages = table(STAGE_HEADERS, map(stage_cells, result.stages), "Every stage", left=2, also=(4,), class_="stages")
    lines: list[Content] = [
        capital(line.removeprefix("note: ")) for line in [*quantization_text(figures).splitlines(), *checked]
    ]
    return Section(
        "done",
        "What was done",
        [notes(lines), trials, stages],
        "What rounding cost and what is proven of the file, then every stage with its figures.",
    )


def _last(result: ChainResult) -> Iterable[Section]:
    settings = settings_details(result.settings)
    environment = [
        tag("h3", "When the models were made"),
        facts(environment_facts(result.environment)),
        settings,
    ]
    if result.bench is None:
        yield Section("machine", "Machine", environment)
    else:
        yield machine_section(result.bench.measurement.machine, bench_evidence(result.bench), (), environment)


def _missing(result: ChainResult) -> list[Missing]:
    found = [] if result.bench is None else measured_missing(result.bench)
    if not result.curves:
        found.append(Missing("Learning curves", "the logs beside the models are gone or were changed"))
    misread = None if result.evaluation is None else result.evaluation.misread
    if misread is not None and not misread.wrong:
        found.append(Missing("Takes that were read wrong", f"all {count(misread.takes)} were read right"))
    return found
