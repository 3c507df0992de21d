"""A comparison as text for people. JSON comes from `CompareResult.to_dict`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.bench import CompareResult, TimeRatio
from edgekit.measure import LatencySummary, MedianInterval
from edgekit.report.bench import input_notes, input_text, machine_text
from edgekit.report.tables import count, milliseconds, size, table
from edgekit.runtime import ModelInfo, ModelMetadata

HEADERS = ("file", "scheme", "parameters", "MACs", "size", "p50 here", "time")


def compare_text(result: CompareResult) -> str:
    """Machine, how it was measured, a table row and a sentence for each file, whose figures these are.

    Plain text without colours. Times are ratios to the first file's, with the ends of all processes' intervals.
    """
    names = file_names(result)
    rows = comparison_rows(result)
    sentences = [
        f"{name}: {in_words(found, names[0])}\n  each process: {_processes(found)}"
        for name, found in zip(names[1:], result.ratios, strict=True)
    ]
    head = [machine_text(result.machine, result.config.threads), method_text(result)]
    notes = [*input_notes(result.measured[0].inputs), *runtime_notes(result.infos)]
    return "\n".join([*head, table(HEADERS, rows, left=2), *sentences, *notes, origin_text(result)])


def comparison_rows(result: CompareResult) -> list[tuple[str, ...]]:
    """A row a file, under HEADERS."""
    first, *others = zip(file_names(result), result.infos, result.latency, strict=True)
    known = {info.sha256: info.metadata for info in result.infos if not info.compiled}
    rows = [_cells(*first, None, known)]
    return rows + [_cells(*other, found, known) for other, found in zip(others, result.ratios, strict=True)]


def in_words(found: TimeRatio, first: str) -> str:
    """The verdict as half a sentence about a file. first: the name of the file that it is compared with."""
    least = f"{100 * found.smallest_effect_ratio:g} %"
    if found.verdict == "faster":
        return f"{1 / found.ratio:.3g} times as fast as {first}"
    if found.verdict == "slower":
        return f"takes {found.ratio:.3g} times as long as {first}"
    if found.verdict == "same":
        return f"no difference from {first} that counts: {_interval(found)} times its time, {least} would count"
    if math.isinf(found.high):
        return "can't tell: too few rounds; raise --repeats or --time-limit"
    return f"can't tell: {_interval(found)} times the time of {first}; more --repeats on a quiet machine may tell"


def _cells(
    name: str,
    info: ModelInfo,
    latency: LatencySummary,
    found: TimeRatio | None,
    known: Mapping[str, ModelMetadata | None],
) -> tuple[str, ...]:
    """known: SHA-256 of the ONNX files in the table to what they say: a library itself says no more than its parent."""
    about = known.get(_parent(info)) if info.compiled else info.metadata
    p50 = "?" if latency.p50_s is None else milliseconds(latency.p50_s)
    return (
        name,
        f"compiled, {info.variant}" if info.compiled else about.scheme if about else "?",
        count(about.parameters) if about and about.parameters else "?",
        count(about.macs) if about and about.macs else "?",
        size(info.size_bytes),
        p50,
        "1" if found is None else f"{_factor(found.ratio)} ({_interval(found)})",
    )


def _parent(info: ModelInfo) -> str:
    """SHA-256 of the file that a library was made of; "" where it does not say."""
    return info.metadata.parents[0] if info.metadata and info.metadata.parents else ""


def _interval(found: TimeRatio | MedianInterval) -> str:
    return "too few rounds" if math.isinf(found.high) else f"{_factor(found.low)} to {_factor(found.high)}"


def _factor(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 10 else f"{ratio:.3g}"


def _processes(found: TimeRatio) -> str:
    return ", ".join(f"{_factor(process.median)} ({_interval(process)})" for process in found.processes)


def method_text(result: CompareResult) -> str:
    """How it was measured, and what the times are."""
    config, first = result.config, result.measured[0]
    rounds = sum(len(process.samples_ns) for process in result.measured)
    return (
        f"in turn on {input_text(first.inputs)}, {count(rounds)} rounds in {config.processes}"
        f" process{'' if config.processes == 1 else 'es'}\n"
        f"time: median of the rounds' ratios to the first file; in brackets the ends of all processes'"
        f" {100 * config.confidence:g} % intervals"
    )


def runtime_notes(infos: Sequence[ModelInfo]) -> list[str]:
    """What the times of libraries hold, beside those of ONNX Runtime."""
    if not any(info.compiled for info in infos):
        return []
    return ["compiled: a library of edgekit compile, called from Python; that takes about 2 us, as part of its time"]


def origin_text(result: CompareResult) -> str:
    """Whether these are a device's times."""
    if result.board:
        return f"measured on device: {result.board}"
    return "measured on this host: these are not a device's times, and another processor may rank the files otherwise"


def file_names(result: CompareResult) -> list[str]:
    """File names, or whole paths where two files have the same name."""
    names = [Path(info.path).name for info in result.infos]
    return names if len(set(names)) == len(names) else [str(info.path) for info in result.infos]
