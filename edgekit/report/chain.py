"""The closing report of `run` and `quantize`: every model on the same takes, what was quantised, the verdict."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from edgekit.data.settings import MOST_FRAMES
from edgekit.report.bench import bench_body, verdict_line
from edgekit.report.quantization import CHOICE_HEADERS, choice_rows, quantization_text
from edgekit.report.tables import count, known, milliseconds, percent, size, table
from edgekit.results import (
    ChainResult,
    DataDescription,
    ExportedModule,
    Finding,
    ModelScore,
    Parity,
    StageFinding,
    Verdict,
)

#: Models of which at least this part of the parameters is zero have been pruned without becoming smaller.
ZEROS_RATIO = 0.01
SYNTHETIC = "SYNTHETIC hands: these accuracies say nothing about real hands"


def chain_text(result: ChainResult) -> str:
    """The whole report as text."""
    parts = [data_text(result.data), scores_text(result.scores, result.data)]
    choice = result.quantized.figures.choice
    parts += [table(CHOICE_HEADERS, choice_rows(choice))] if choice is not None and choice.trials else []
    parts.append(quantization_text(result.quantized.figures))
    diagnosis = stage_findings_lines(result.diagnosis)
    parts += ["\n".join(diagnosis)] if diagnosis else []
    parts += [f"gate not passed: {result.failure}"] if result.failure else []
    parts += [] if result.bench is None else [bench_body(result.bench)]
    verdict = [] if result.bench is None else [verdict_line(result.bench)]
    return "\n\n".join([*parts, "\n".join([accuracy_line(result.verdict), *verdict])])


def accuracy_line(verdict: Verdict) -> str:
    """Beside whether the file for the device fits: how accurate it is, what part of its teacher's that is, and how sure
    both are."""
    form = verdict.form.removeprefix("ONNX ").replace("int", "INT")
    line = (
        f"accuracy of the {form} file: {percent(verdict.accuracy)} on {count(verdict.takes)} test takes"
        f" (95 % interval {_ends(verdict.accuracy_low, verdict.accuracy_high)})"
    )
    if verdict.retention is not None:
        line += f", {percent(verdict.retention)} of its teacher's {percent(verdict.teacher_accuracy)}"
    if verdict.retention_low is not None and verdict.retention_high is not None:
        line += f" (95 % interval {_ends(verdict.retention_low, verdict.retention_high)})"
    return f"{line}; {SYNTHETIC}" if verdict.synthetic else line


def _ends(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}"


def findings_lines(findings: Sequence[Finding]) -> list[str]:
    """`diagnosis: overfitting: what was measured; advice` a finding."""
    return [f"diagnosis: {_finding(each)}" for each in findings]


def stage_findings_lines(findings: Sequence[StageFinding]) -> list[str]:
    """`diagnosis: distill: overfitting: what was measured; advice` a finding."""
    return [f"diagnosis: {each.stage}: {_finding(each.finding)}" for each in findings]


def _finding(finding: Finding) -> str:
    return f"{finding.name}: {finding.fact}; {finding.advice}"


def data_text(data: DataDescription) -> str:
    """Where the takes came from and how they were split."""
    lines = [
        f"Data: {data.source}: {count(data.takes)} takes, {data.classes} classes;"
        f" {count(data.train)} to train, {count(data.validation)} to validate, {count(data.test)} to test",
        f"Split: {data.rule}",
    ]
    lines += [f"Sequences: {text}" for text in length_lines(data)]
    lines += [text.capitalize() for text in [mix_text(data)] if text]
    return "\n".join([*lines, f"Note: {SYNTHETIC}"] if data.synthetic else lines)


def length_lines(data: DataDescription) -> list[str]:
    """`50 frames of each take`, and what is cut; nothing where the length is not known."""
    if data.sequence_length is None:
        return []
    frames = f"{data.sequence_length} frames of each take"
    return [f"{frames}; {cut_text(data)}" if data.takes_cut else frames]


def mix_text(data: DataDescription) -> str:
    """`every epoch: 1,320 recorded takes and 1,320 by new synthetic people`; nothing where none are mixed in."""
    mix = data.mix
    if mix is None:
        return ""
    new = f"{count(mix.synthetic)} by new synthetic people"
    of = f" for {mix.classes} of the {data.classes} classes" if mix.classes < data.classes else ""
    if not mix.recorded:
        return f"every epoch: {count(mix.synthetic)} takes by new synthetic people (data.mix)"
    return f"every epoch: {count(mix.recorded)} recorded takes and {new}{of} (data.mix)"


def cut_text(data: DataDescription) -> str:
    """How many takes lose their end, and how they would not."""
    longest = data.longest_frames
    advice = f" (--set data.sequence_length={longest} reads them whole)" if longest <= MOST_FRAMES else ""
    return (
        f"takes longer than the {data.sequence_length} frames that are read: {count(data.takes_cut)} of"
        f" {count(data.takes)}, with {longest} at most; their ends are cut{'' if data.synthetic else advice}"
    )


def scores_text(scores: Sequence[ModelScore], data: DataDescription) -> str:
    """One row a model, and what the columns are."""
    headers, rows = scores_table(scores)
    return table(headers, rows, left=2) + "\n" + "\n".join(scores_notes(scores, data))


def scores_table(scores: Sequence[ModelScore]) -> tuple[list[str], list[list[str]]]:
    """Headers, and one row a model."""
    seen = scores[0].accuracy_seen is not None
    headers = ["model", "form", "accuracy", *(["seen only"] if seen else []), "of teacher", "parameters", "MACs"]
    rows = [
        [
            score.name,
            score.form,
            percent(score.accuracy),
            *([known(score.accuracy_seen, percent)] if seen else []),
            known(score.retention, percent),
            count(score.parameters),
            known(score.macs, count),
            known(score.size_bytes, size),
            known(score.gzip_bytes, size),
            known(score.latency_p50_s, milliseconds),
        ]
        for score in scores
    ]
    return [*headers, "file", "gzipped", "p50 here"], rows


def scores_notes(scores: Sequence[ModelScore], data: DataDescription) -> list[str]:
    """What the columns are, a sentence each."""
    kind = "synthetic test takes" if data.synthetic else "test takes"
    notes = [f"accuracy: on {count(scores[0].takes)} {kind}"]
    if scores[0].accuracy_seen is not None:
        notes.append(
            f"seen only: without the {scores[0].takes - scores[0].takes_seen} takes of classes that their signer"
            " did not record in training"
        )
    notes += sorted({zeros_note(score) for score in scores if (score.zeros or 0) >= ZEROS_RATIO * score.parameters})
    notes.append(
        "file: ONNX; p50: one take, one thread, ONNX Runtime, all files in turn, best of 4 processes, measured on this"
        " host, not a device's latency"
    )
    return notes


def zeros_note(score: ModelScore) -> str:
    """What zeros do, and what they leave as it is."""
    return (
        f"zeros: {known(score.zeros, count)} of the {count(score.parameters)} parameters of the {score.name} model"
        " are zero; file and speed are as without them, gzipped it is smaller"
    )


def exported_text(result: ExportedModule) -> str:
    """What `edgekit export` wrote."""
    parity, words = result.parity, ("edgekit", "quantize", str(result.path))
    return "\n".join(
        [
            result.about,
            f"{result.path}: {size(result.size_bytes)}, fp32; reads {result.sequence_length} frames of"
            f" {result.features} numbers, answers with {result.classes} classes",
            *([] if parity is None else [_parity_line(parity)]),
            f"next: {shlex.join(words)}",
        ]
    )


def _parity_line(parity: Parity) -> str:
    return f"logits differ from torch's by at most {parity.max_abs_difference:.1e} on {parity.takes} takes"
