"""Reports as Markdown: of `run` (what was done, on which data, every stage's figures, evidence), and of a bench."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from edgekit.bench import BenchResult
from edgekit.evaluate import Evaluation, points_text
from edgekit.report.accuracy import accuracy_lines
from edgekit.report.baseline import baseline_lines
from edgekit.report.bench import disturbance_notes, input_notes, latency_line, machine_text, memory_line, verdict_line
from edgekit.report.chain import (
    accuracy_line,
    data_text,
    scores_notes,
    scores_table,
    stage_findings_lines,
)
from edgekit.report.evaluation import CLASS_HEADERS, class_rows, confused_text
from edgekit.report.quantization import CHOICE_HEADERS, choice_rows, quantization_text
from edgekit.report.rows import BENCH_HEADERS, bench_cells, bench_notes, memory_limit_notes
from edgekit.report.tables import count, percent
from edgekit.results import ChainResult, PruningFigures, QuantizationFigures, StageResult, TrainingFigures
from edgekit.text import plain


def chain_markdown(result: ChainResult) -> str:
    """The whole report; the same facts as its JSON, for people."""
    diagnosis = stage_findings_lines(result.diagnosis)
    verdict = "no bench" if result.bench is None else verdict_line(result.bench)
    parts = [
        "# edgekit report",
        f"**{_escape(verdict)}** (exit code {result.exit_code})",
        _escape(accuracy_line(result.verdict)),
        *([f"**A gate did not pass:** {_escape(str(result.failure))}"] if result.failure else []),
        "## Data",
        _lines(data_text(result.data).splitlines()),
        f"SHA-256 of the recordings: `{result.data.sha256}`",
        "## What was done",
        stages_markdown(result.stages),
        "## Models on the test takes",
        markdown_table(*scores_table(result.scores), left=2),
        _lines(scores_notes(result.scores, result.data)),
        *_choice(result.quantized.figures),
        _lines(quantization_text(result.quantized.figures).splitlines()),
        *([_lines(diagnosis)] if diagnosis else []),
        *_by_class(result.evaluation),
        *([] if result.bench is None else _bench(result.bench)),
        "## Machine and versions",
        markdown_table(("", ""), _pairs(result.environment), left=2),
        "## Settings",
        f"```yaml\n{yaml.safe_dump(result.settings, sort_keys=False).rstrip()}\n```",
    ]
    return plain("\n\n".join(parts) + "\n")


def _choice(figures: QuantizationFigures) -> list[str]:
    choice = figures.choice
    return [markdown_table(CHOICE_HEADERS, choice_rows(choice))] if choice is not None and choice.trials else []


def _by_class(evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return []
    metrics = evaluation.metrics
    picture = [f"![confusion matrix]({evaluation.picture})"] if evaluation.picture else []
    return [
        f"## {_escape(Path(evaluation.model).name)} on the test takes, by class",
        markdown_table(CLASS_HEADERS, class_rows(metrics)),
        _lines([confused_text(metrics.class_names, metrics.confusion.tolist())]),
        *picture,
    ]


def bench_markdown(result: BenchResult) -> str:
    """A bench alone, as for a comment on a pull request: the verdict first."""
    verdict = f"**{_escape(verdict_line(result))}** (exit code {result.exit_code})"
    return plain("\n\n".join([verdict, *_bench(result)]) + "\n")


def stages_markdown(stages: Sequence[StageResult[TrainingFigures | QuantizationFigures]]) -> str:
    """One row a stage: its figures, seconds, seed and files with their SHA-256 beginning."""
    return markdown_table(STAGE_HEADERS, map(stage_cells, stages), left=2)


STAGE_HEADERS = ("stage", "figures", "took", "seed", "files (SHA-256)")


def stage_cells(stage: StageResult[TrainingFigures | QuantizationFigures]) -> list[str]:
    """A row under STAGE_HEADERS."""
    return [
        stage.name,
        "; ".join(_figures(stage.figures)),
        f"{stage.record.wall_s:.0f} s",
        str(stage.record.seed),
        ", ".join(f"{path} ({digest[:12]})" for path, digest in stage.record.outputs.items()),
    ]


def _figures(figures: TrainingFigures | QuantizationFigures) -> Iterable[str]:
    if isinstance(figures, QuantizationFigures):
        yield f"parity {figures.parity.max_abs_difference:.1e} (allowed {figures.parity.tolerance:.0e})"
        if figures.int8 is not None:
            kind = "INT4" if figures.scheme == "int4-weights" else "INT8"
            yield f"{kind}: {points_text(figures.int8.flips.drop)} on validation takes"
        return
    yield f"{count(figures.parameters)} parameters"
    yield f"weights of epoch {figures.best_epoch} of {figures.epochs}"
    yield f"validation accuracy {percent(figures.val_accuracy)} (optimistic)"
    if isinstance(figures, PruningFigures):
        gone, whole = "zero" if figures.method == "unstructured" else "removed", count(figures.parameters_before)
        yield f"{figures.method}, {percent(figures.sparsity)} of {whole} parameters {gone}"


def _bench(result: BenchResult) -> list[str]:
    found = [*accuracy_lines(result.accuracy), *baseline_lines(result.baseline)]
    figures = [latency_line(result), memory_line(result.measurement), *found]
    measured = result.measurement
    limits = [*memory_limit_notes(result), *bench_notes(result.rows)]
    notes = [*figures, *limits, *input_notes(measured.inputs), *disturbance_notes(measured)]
    machine = machine_text(result.measurement.machine, result.threads)
    return [
        f"## Bench against {result.profile.name}",
        f"{_escape(result.info.path.name)}, SHA-256 `{result.info.sha256}`, {_escape(machine)}",
        markdown_table(BENCH_HEADERS, [bench_cells(row) for row in result.rows]),
        _lines(notes),
        "Every row says how its figure was obtained. Latencies `measured on this host` are not a device's.",
    ]


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, "unknown" if value is None else str(value)) for name, value in values.items()]


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_escape(line)}" for line in lines)


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A GitHub-flavoured table; the first `left` columns are aligned left, the others right."""
    rule = [":--" if index < left else "--:" for index in range(len(headers))]
    lines = [headers, rule, *([_escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(text: str) -> str:
    """Text that Markdown shows as it is: names of files and classes may hold anything."""
    for sign in "\\|*_<>`[]#":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", " ")
